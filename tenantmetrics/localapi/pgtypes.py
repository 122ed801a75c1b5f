"""PostgreSQL's types as the Data API knows them: their families, names and metadata."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tenantmetrics.dataapi import guesses

__all__ = ["BUILTIN", "UNRESOLVED_SQL", "Kind", "PgType", "described"]


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
    INTERVAL = "interval"
    TIMETZ = "timetz"
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
    # A string on AWS, though a number in PostgreSQL's JDBC driver (localstack, issue 13050).
    26: (1028, PgType("oid", Kind.STRING, precision=10)),
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
    1186: (1187, PgType("interval", Kind.INTERVAL, precision=49, scale=6)),
    1266: (1270, PgType("timetz", Kind.TIMETZ, 92, 21, 6)),
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
    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
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
