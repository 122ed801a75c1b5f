"""Values as the Data API shows them: PostgreSQL's text format → JSON text.

No number is parsed in between, so none loses a digit. The sessions run with TimeZone UTC and
DateStyle ISO.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from json.encoder import encode_basestring as quote

from psycopg import pq

from tenantmetrics.dataapi import guesses
from tenantmetrics.dataapi.errors import ApiError
from tenantmetrics.dataapi.requests import ResultOptions
from tenantmetrics.localapi.pgtypes import Kind, PgType

__all__ = ["Codec", "column_codec", "quote"]


def _unsupported(kind: PgType) -> ApiError:
    """The error for a column of a type that the Data API does not show."""
    scalar = kind.element or kind
    shown = guesses.UNSUPPORTED_NAMES.get(scalar.name, scalar.name)
    return ApiError(
        "UnsupportedResultException",
        f"The result contains the unsupported data type {shown}{'[]' if kind.element else ''}.",
    )


def _not_finite(name: str) -> ApiError:
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
        fields: The Fields of a column without NULL, all at once; None where that is not faster.
    """

    member: str | None
    scalar: Scalar
    field: Scalar
    fields: Fields | None = None


def column_codec(kind: PgType, options: ResultOptions) -> Codec:
    """The codec of a column.

    Raises:
        ApiError: The Data API does not show the type.
    """
    scalar = kind.element or kind
    if scalar.kind is Kind.UNSUPPORTED or (scalar.kind in _V1_ONLY and options.version != 1):
        raise _unsupported(kind)
    return _scalar_codec(kind, options) if kind.element is None else _array_codec(kind, options)


def _scalar_codec(kind: PgType, options: ResultOptions) -> Codec:
    """The codec of a type that is not an array."""
    family = kind.kind
    if family is Kind.LONG and not options.longs_as_strings:
        return Codec(
            "longValue",
            bytes.decode,
            lambda value: f'{{"longValue":{value.decode()}}}',
            lambda values: [f'{{"longValue":{text}}}' for text in _decoded(values)],
        )
    if family is Kind.NUMERIC and options.decimals_as_numbers:
        return Codec(None, _number, _number_field)
    if family is Kind.JSON and options.version == 1:
        family = Kind.STRING  # a recorded answer of version 1 has PostgreSQL's own spaces
    member, scalar = _MEMBERS[family]
    head = f'{{"{member}":'
    plain = scalar
    if family in _FINITE:
        scalar = _finite(kind.name, plain)

    def fields(values: list[bytes]) -> list[str]:
        if family in _FINITE and not _NOT_FINITE.isdisjoint(values):
            raise _not_finite(kind.name)
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
            raise _not_finite(name)
        return scalar(value)

    return checked


_NOT_FINITE = {b"NaN", b"Infinity", b"-Infinity", b"infinity", b"-infinity"}
_FINITE = {Kind.DOUBLE, Kind.NUMERIC, Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}
_V1_ONLY = {Kind.INTERVAL, Kind.TIMETZ}


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
        raise _not_finite("numeric")
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


_TIME_WITH_OFFSET = re.compile(r"(\d\d):(\d\d):(\d\d)(\.\d+)?([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?")
_DAY_S = 24 * 3600


def _utc_time(value: bytes) -> str:
    """A timetz in UTC without its offset, as version 1 gives it."""
    text = value.decode()
    found = _TIME_WITH_OFFSET.fullmatch(text)
    if found is None:
        return quote(text)
    hours, minutes, seconds, fraction, sign, *offset = found.groups(default="")
    moved = _seconds(hours, minutes, seconds) - int(sign + "1") * _seconds(*offset)
    minutes_left, seconds_left = divmod(moved % _DAY_S, 60)
    return f'"{minutes_left // 60:02d}:{minutes_left % 60:02d}:{seconds_left:02d}{fraction}"'


def _seconds(hours: str, minutes: str, seconds: str) -> int:
    return int(hours) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)


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
    Kind.INTERVAL: ("stringValue", _string),
    Kind.TIMETZ: ("stringValue", _utc_time),
}

# An element is quoted, or a run without separators; \x00 never occurs in PostgreSQL's text.
_ELEMENT = re.compile(r'"((?:[^"\\]++|\\.)*+)"|([^,{}"]++)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def _array_codec(kind: PgType, options: ResultOptions) -> Codec:
    """The codec of a one-dimensional array."""
    codec = _scalar_codec(kind.element or kind, options)
    if codec.member == "blobValue" and not guesses.ARRAY_OF_BYTEA_SUPPORTED:
        raise _unsupported(kind)

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
