"""columnMetadata: what a result says of its columns, much as PostgreSQL's JDBC driver does."""

from __future__ import annotations

from typing import Any

from tenantmetrics.dataapi import guesses
from tenantmetrics.localapi.connection import Connection
from tenantmetrics.localapi.pgtypes import Kind, PgType
from tenantmetrics.localapi.results import Column, ResultSet, catalogue_rows

__all__ = ["column_metadata"]

_TABLES_SQL = b"""
    SELECT a.attrelid, a.attnum, c.relname, a.attnotnull,
           a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid), '') LIKE 'nextval(%'
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0"""

_SERIAL = {"int2": "smallserial", "int4": "serial", "int8": "bigserial"}
"""What a column that counts by itself is called: seen in recorded answers of both versions."""
_CASELESS = {"bool", "oid", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "bit"}
"""Types without case beside the signed numbers; JDBC's driver calls all others case-sensitive."""
_NO_NULLS, _NULLABLE = 0, 1
_HEADER = 4  # typmod of varchar and numeric counts PostgreSQL's length word
_FRACTION_CHARS = {0: 0, 1: 3}  # of a moment's seconds with their point; JDBC's driver counts so
_FRACTION_CHARS_UNSET = 7


async def column_metadata(connection: Connection, result: ResultSet) -> list[dict[str, Any]]:
    """The result's `columnMetadata`.

    Args:
        connection: Where the result came from.
        result: A result without error.
    """
    columns = result.columns or []
    tables = sorted({column.table for column in columns if column.table})
    sources: dict[tuple[int, int], tuple[str, bool, bool]] = {}
    if tables:
        for table, number, name, required, generated in await catalogue_rows(
            connection,
            _TABLES_SQL,
            tables,
        ):
            sources[int(table), int(number)] = (name, required == "t", generated == "t")
    return [
        _described_column(
            column, result.type_of(column), sources.get((column.table, column.number))
        )
        for column in columns
    ]


def _described_column(
    column: Column,
    kind: PgType,
    source: tuple[str, bool, bool] | None,
) -> dict[str, Any]:
    """One ColumnMetadata; `source` is the table, whether NOT NULL, whether it counts by itself."""
    scalar = kind.element or kind
    precision, scale = _precision(column, scalar)
    counts = source is not None and source[2]
    return {
        "arrayBaseColumnType": guesses.ARRAY_BASE_COLUMN_TYPE,
        "isAutoIncrement": counts,
        "isCaseSensitive": not (scalar.signed or scalar.name in _CASELESS),
        "isCurrency": False,
        "isSigned": kind.signed,
        "label": column.label,
        "name": column.label,
        "nullable": _NO_NULLS if source and source[1] else _NULLABLE,
        "precision": precision,
        "scale": scale,
        "schemaName": "",
        "tableName": source[0] if source else "",
        "type": kind.jdbc,
        "typeName": _SERIAL.get(kind.name, kind.name) if counts else kind.name,
    }


def _precision(column: Column, kind: PgType) -> tuple[int, int]:
    """Precision and scale from the column's type modifier, else the type's own."""
    modifier = column.modifier
    if modifier >= 0:
        if kind.kind is Kind.NUMERIC:
            return (modifier - _HEADER) >> 16 & 0xFFFF, (modifier - _HEADER) & 0x7FF
        if kind.name in ("varchar", "bpchar"):
            return modifier - _HEADER, 0
        if kind.name in ("time", "timestamp", "timestamptz"):
            fraction = _FRACTION_CHARS.get(modifier, modifier + 1)
            return kind.precision - _FRACTION_CHARS_UNSET + fraction, modifier
    return kind.precision, kind.scale
