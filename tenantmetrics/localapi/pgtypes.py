"""PostgreSQL's types as the Data API shows them: what becomes of each value, and its metadata.

Values arrive in PostgreSQL's text format and leave as JSON text; no number is parsed in between, so
none loses a digit. The sessions run with TimeZone UTC and DateStyle ISO.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from json.encoder import encode_basestring as quote

from psycopg import pq

from tenantmetrics.localapi import guesses
from tenantmetrics.localapi.apierrors import ApiError

__all__ = [
    "BUILTIN",
    "UNRESOLVED_SQL",
    "Kind",
    "Options",
    "PgType",
    "column_codec",
    "described",
    "quote",
]


class Kind(StrEnum):
    """What family a type belongs to; decides its Field."""

    LONG = "long"
    DOUBLE = "double"
    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    BLOB = "blob"
    STRING = "string"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    DATE = "date"
    JSON = "json"
    ARRAY = "array"
    V1_STRING = "v1_string"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class PgType:
    """A type of the database.

    Attributes:
        name: PostgreSQL's own name, lower case ("int4", "_int4").
        kind: Its family.
        jdbc: Number in `java.sql.Types`.
        precision: As the PostgreSQL JDBC driver reports it where the column sets none.
        scale: Likewise.
        signed: Whether it is a signed number.
        element: Of an array, its elements' type.
    """

    name: str
    kind: Kind
    jdbc: int = 1111
    precision: int = 2_147_483_647
    scale: int = 0
    signed: bool = False
    element: PgType | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How a result is to be shown: `resultSetOptions` and the endpoint's version.

    Attributes:
        decimals_as_numbers: decimalReturnType DOUBLE_OR_LONG.
        longs_as_strings: longReturnType STRING.
        version: 1 or 2.
    """

    decimals_as_numbers: bool = False
    longs_as_strings: bool = False
    version: int = 2


_JDBC_ARRAY = 2003

# OID: (name, OID of the array type, type). OIDs are fixed by PostgreSQL (pg_type.dat).
_SCALARS: dict[int, tuple[int, PgType]] = {
    16: (1000, PgType("bool", Kind.BOOLEAN, -7, 1)),
    17: (1001, PgType("bytea", Kind.BLOB, -2)),
    18: (1002, PgType("char", Kind.UNSUPPORTED, 1, 1)),
    19: (1003, PgType("name", Kind.STRING)),
    20: (1016, PgType("int8", Kind.LONG, -5, 19, signed=True)),
    21: (1005, PgType("int2", Kind.LONG, 5, 5, signed=True)),
    23: (1007, PgType("int4", Kind.LONG, 4, 10, signed=True)),
    25: (1009, PgType("text", Kind.STRING, 12)),
    26: (1028, PgType("oid", Kind.LONG, precision=10)),
    114: (199, PgType("json", Kind.JSON)),
    142: (143, PgType("xml", Kind.STRING)),
    650: (651, PgType("cidr", Kind.STRING)),
    700: (1021, PgType("float4", Kind.DOUBLE, 7, 8, 8, signed=True)),
    701: (1022, PgType("float8", Kind.DOUBLE, 8, 17, 17, signed=True)),
    869: (1041, PgType("inet", Kind.STRING)),
    1042: (1014, PgType("bpchar", Kind.STRING, 1)),
    1043: (1015, PgType("varchar", Kind.STRING, 12)),
    1082: (1182, PgType("date", Kind.DATE, 91, 13)),
    1083: (1183, PgType("time", Kind.STRING, 92, 15, 6)),
    1114: (1115, PgType("timestamp", Kind.TIMESTAMP, 93, 29, 6)),
    1184: (1185, PgType("timestamptz", Kind.TIMESTAMPTZ, 93, 35, 6)),
    1186: (1187, PgType("interval", Kind.V1_STRING, precision=49, scale=6)),
    1266: (1270, PgType("timetz", Kind.V1_STRING, 92, 21, 6)),
    1700: (1231, PgType("numeric", Kind.NUMERIC, 2, 0, signed=True)),
    2278: (0, PgType("void", Kind.STRING)),
    2950: (2951, PgType("uuid", Kind.STRING)),
    3802: (3807, PgType("jsonb", Kind.JSON)),
    3904: (3905, PgType("int4range", Kind.STRING)),
    3906: (3907, PgType("numrange", Kind.STRING)),
}


def array_of(element: PgType) -> PgType:
    """The array type over an element type."""
    return PgType(
        f"_{element.name}",
        Kind.ARRAY,
        _JDBC_ARRAY,
        element.precision,
        element.scale,
        element.signed,
        element,
    )


BUILTIN: dict[int, PgType] = {oid: kind for oid, (_, kind) in _SCALARS.items()} | {
    array: array_of(kind) for array, kind in _SCALARS.values() if array
}
"""Types whose OIDs PostgreSQL fixes; others are looked up in the catalogue."""

UNRESOLVED_SQL = b"""
    SELECT t.oid, t.typname, t.typtype, t.typcategory, coalesce(e.oid, 0), coalesce(e.typname, ''),
           coalesce(e.typtype, ''), coalesce(e.typcategory, ''),
           coalesce(nullif(e.typbasetype, 0), e.oid, 0)
    FROM pg_catalog.pg_type t
    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
    WHERE t.oid = ANY ($1::oid[])"""


def described(row: list[str]) -> tuple[int, PgType]:
    """A row of `UNRESOLVED_SQL` as (OID, type)."""
    oid, name, form, category, element_oid, element_name, element_form, element_category, base = row
    if int(element_oid):
        element = BUILTIN.get(int(base)) or _user_type(element_name, element_form, element_category)
        return int(oid), array_of(element)
    return int(oid), _user_type(name, form, category)


def _user_type(name: str, form: str, category: str) -> PgType:
    """A type that is not in the table: enums and strings are shown, the rest is refused."""
    shown = form == "e" or (category == "S" and name not in guesses.UNSUPPORTED_BY_GUESS)
    return PgType(name, Kind.STRING if shown else Kind.UNSUPPORTED)


def unsupported(name: str) -> ApiError:
    """The error for a column of a type that the Data API does not show."""
    shown = guesses.UNSUPPORTED_NAMES.get(name, name)
    return ApiError(
        "UnsupportedResultException",
        f"The result contains the unsupported data type {shown}.",
    )


def not_finite(name: str) -> ApiError:
    """The error for NaN or an infinity."""
    is_number = name in ("float4", "float8", "numeric")
    status, code, text = guesses.NOT_FINITE if is_number else guesses.NOT_FINITE_MOMENT
    return ApiError(code, text.format(type=name), status=status)


Scalar = Callable[[bytes], str]
"""PostgreSQL's text of a value that is not NULL → JSON text."""


Fields = Callable[[list[bytes]], list[str]]
"""PostgreSQL's texts of several values, none of them NULL → their Fields as JSON text."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How the values of a column are shown.

    Attributes:
        member: The member of Field ("longValue"); None where the value itself says so.
        scalar: Its value.
        field: The whole Field.
        fields: The Fields of a column without NULL, all at once; None where that is no faster.
    """

    member: str | None
    scalar: Scalar
    field: Scalar
    fields: Fields | None = None


def column_codec(kind: PgType, options: Options) -> Codec:
    """The codec of a column.

    Raises:
        ApiError: The Data API does not show the type.
    """
    if kind.element is not None:
        return _array_codec(kind.element, options)
    return _scalar_codec(kind, options)


def _scalar_codec(kind: PgType, options: Options) -> Codec:
    """The codec of a type that is no array."""
    family = kind.kind
    if family is Kind.V1_STRING:
        family = Kind.STRING if options.version == 1 else Kind.UNSUPPORTED
    if family is Kind.UNSUPPORTED:
        raise unsupported(kind.name)
    if family is Kind.LONG and not options.longs_as_strings:
        return Codec(
            "longValue",
            bytes.decode,
            lambda value: f'{{"longValue":{value.decode()}}}',
            lambda values: [f'{{"longValue":{text}}}' for text in _decoded(values)],
        )
    if family is Kind.NUMERIC and options.decimals_as_numbers:
        return Codec(None, _number, _number_field)
    member, scalar = _MEMBERS[family]
    head = f'{{"{member}":'
    plain = scalar
    if family in _FINITE:
        scalar = _finite(kind.name, plain)

    def fields(values: list[bytes]) -> list[str]:
        if family in _FINITE and not _NOT_FINITE.isdisjoint(values):
            raise not_finite(kind.name)
        if plain is _string:
            return [f"{head}{text}}}" for text in map(quote, _decoded(values))]
        if plain is _plain:
            return [f'{head}"{text}"}}' for text in _decoded(values)]
        return [f"{head}{plain(value)}}}" for value in values]

    return Codec(member, scalar, lambda value: f"{head}{scalar(value)}}}", fields)


def _decoded(values: list[bytes]) -> list[str]:
    """Decode many values as one; PostgreSQL's text never has a NUL in it."""
    return b"\0".join(values).decode().split("\0")


def _plain(value: bytes) -> str:
    """A text that has nothing to escape."""
    return f'"{value.decode()}"'


def _finite(name: str, scalar: Scalar) -> Scalar:
    """`scalar`, but refusing NaN and the infinities."""

    def checked(value: bytes) -> str:
        if value in _NOT_FINITE:
            raise not_finite(name)
        return scalar(value)

    return checked


_NOT_FINITE = {b"NaN", b"Infinity", b"-Infinity", b"infinity", b"-infinity"}
_FINITE = {Kind.DOUBLE, Kind.NUMERIC, Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}


def _string(value: bytes) -> str:
    return quote(value.decode())


def _double(value: bytes) -> str:
    """A float as JSON; with a point or an exponent, so that no client takes it for an integer."""
    text = value.decode()
    return text if "." in text or "e" in text else f"{text}.0"


def _number(value: bytes) -> str:
    """A numeric as a JSON number: a long where it has no fraction and fits, else a double."""
    text = value.decode()
    if value in _NOT_FINITE:
        raise not_finite("numeric")
    return text if _is_long(text) else repr(float(text))


def _number_field(value: bytes) -> str:
    number = _number(value)
    return f'{{"{"longValue" if _is_long(number) else "doubleValue"}":{number}}}'


def _is_long(text: str) -> bool:
    """Whether a decimal text is an integer of 64 bits."""
    return text.lstrip("-").isdecimal() and -(2**63) <= int(text) < 2**63


def _boolean(value: bytes) -> str:
    return "true" if value == b"t" else "false"


def _blob(value: bytes) -> str:
    raw = (
        bytes.fromhex(value[2:].decode())
        if value.startswith(b"\\x")
        else pq.Escaping().unescape_bytea(value)
    )
    return f'"{base64.b64encode(raw).decode()}"'


_WITH_OFFSET = re.compile(r"(\d{4,}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d(?::\d\d){0,2})")


def _utc(value: bytes) -> str:
    """A timestamptz in UTC without its offset, whatever TimeZone the session has set."""
    text = value.decode()
    if text.endswith("+00"):
        return f'"{text[:-3]}"'
    found = _WITH_OFFSET.fullmatch(text)
    if found is None:
        # BC dates in UTC, or a DateStyle other than ISO: as PostgreSQL writes it.
        return quote(text.replace("+00 BC", " BC"))
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return quote(text)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    return f'"{moment:%Y-%m-%d %H:%M:%S}{fraction}"'


_JSON_PIECE = re.compile(r'("(?:[^"\\]++|\\.)*+")|[ \t\n\r]++')


def _compact(value: bytes) -> str:
    """JSON without the spaces between its tokens; numbers and keys stay as they are."""
    return quote(_JSON_PIECE.sub(lambda found: found.group(1) or "", value.decode()))


_MEMBERS: dict[Kind, tuple[str, Scalar]] = {
    Kind.LONG: ("stringValue", _plain),
    Kind.DOUBLE: ("doubleValue", _double),
    Kind.NUMERIC: ("stringValue", _plain),
    Kind.BOOLEAN: ("booleanValue", _boolean),
    Kind.BLOB: ("blobValue", _blob),
    Kind.STRING: ("stringValue", _string),
    Kind.DATE: ("stringValue", _plain),
    Kind.TIMESTAMP: ("stringValue", _plain),
    Kind.TIMESTAMPTZ: ("stringValue", _utc),
    Kind.JSON: ("stringValue", _compact),
}

# An element is quoted, or a run without separators; \x00 never occurs in PostgreSQL's text.
_ELEMENT = re.compile(r'"((?:[^"\\]++|\\.)*+)"|([^,{}"]++)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def _array_codec(element: PgType, options: Options) -> Codec:
    """The codec of a one-dimensional array."""
    codec = _scalar_codec(element, options)
    if codec.member == "blobValue" and not guesses.ARRAY_OF_BYTEA_SUPPORTED:
        raise unsupported(f"_{element.name}")

    def scalar(value: bytes) -> str:
        items = [
            "null" if item is None else codec.scalar(item) for item in _elements(value.decode())
        ]
        return f"[{','.join(items)}]"

    def field(value: bytes) -> str:
        member = codec.member
        items = scalar(value)
        if member is None:
            longs = all(item == "null" or _is_long(item) for item in items[1:-1].split(",") if item)
            member = "longValue" if longs else "doubleValue"
        return f'{{"arrayValue":{{"{member}s":{items}}}}}'

    return Codec("arrayValue", scalar, field)


def _elements(text: str) -> list[bytes | None]:
    """The elements of an array's text, NULL as None.

    Raises:
        ApiError: It has more than one dimension.
    """
    if text.startswith("["):
        # Lower bounds other than 1 come first: [0:1]={...}; the Data API has no place for them.
        text = text[text.index("=") + 1 :]
    if text.startswith("{{"):
        raise ApiError("UnsupportedResultException", "The result contains a multidimensional array")
    if text == "{}":
        return []
    if '"' not in text:
        return [None if item == "NULL" else item.encode() for item in text[1:-1].split(",")]
    return [
        _ESCAPED.sub(r"\1", found.group(1)).encode()
        if found.group(1) is not None
        else None
        if found.group(2) == "NULL"
        else found.group(2).encode()
        for found in _ELEMENT.finditer(text, 1, len(text) - 1)
    ]
