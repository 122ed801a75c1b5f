"""INSERT … VALUES with very many rows of plain values, which need not all be parsed.

A load of three thousand rows is sixty thousand characters that the parser would need 100 ms for.
All rows have the same columns, so one is parsed, and the tenant's column is read from the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from sqlglot import exp

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.restrictions import UNKNOWN, Named, Restriction, Rows
from tenantmetrics.tenant.sql.slot_rows import SlotRows
from tenantmetrics.tenant.sql.template import slot_of_number, slot_of_string

__all__ = ["BulkRows", "bulk_rows", "rows_node", "tenant_index"]

_VALUE = r"\s*+(?:'slot[0-9]++'|[0-9]++|:[A-Za-z0-9_]++|null|default|true|false|now\(\))\s*+"
_ROW = rf"\({_VALUE}(?:,{_VALUE})*+\)"
_START = re.compile(
    rf"\s*+insert\s[^()]*+(?:\([^()]*+\))?+\s*+values\s*+(?={_ROW}\s*+,)", re.IGNORECASE
)
_ROWS = re.compile(rf"{_ROW}(?:\s*+,\s*+{_ROW})*+", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]+")
_ONE_ROW = re.compile(_ROW, re.IGNORECASE)


class BulkRows(NamedTuple):
    """Where the rows of a template are.

    Attributes:
        short: The template with its first row alone.
        start: Index of the first row.
        end: Index behind the last.
    """

    short: str
    start: int
    end: int

    def rows(self, template: str) -> Iterator[str]:
        """Each row, parentheses included."""
        return (found.group() for found in _ONE_ROW.finditer(template, self.start, self.end))

    @staticmethod
    def values(row: str) -> list[str]:
        """A row's values. None of them holds a comma: literals are slots."""
        return [value.strip() for value in row[1:-1].split(",")]


def bulk_rows(template: str) -> BulkRows | None:
    """The rows of an INSERT of many rows of plain values; None for anything else."""
    start = _START.match(template)
    if start is None:
        return None
    rows = _ROWS.match(template, start.end())
    first = _ONE_ROW.match(template, start.end())
    if rows is None or first is None:
        return None
    short = template[: first.end()] + template[rows.end() :]
    return BulkRows(short, start.end(), rows.end())


def tenant_index(statement: exp.Expr, vocabulary: Vocabulary) -> int | None:
    """Which column of an INSERT is the tenant's."""
    if not isinstance(statement, exp.Insert) or not isinstance(statement.this, exp.Schema):
        return None
    ranks = vocabulary.columns
    names = [column.name.lower() for column in statement.this.expressions]
    found = [(ranks[name], index) for index, name in enumerate(names) if name in ranks]
    return min(found)[1] if found else None


def rows_node(rows: BulkRows, template: str, index: int) -> Restriction:
    """Whom the rows name, each by its value at an index."""
    written = template[rows.start : rows.end]
    first = next(rows.rows(template))
    values = rows.values(first)
    slots = [_slot(value) for value in values]
    if index < len(slots) and slots[index] is not None:
        # Without digits all rows look alike: then each has as many slots as the first.
        count = written.count("(")
        shapes = _DIGITS.sub("", written).replace(" ", "")
        shape = _DIGITS.sub("", first).replace(" ", "")
        if shapes == ",".join([shape] * count):
            first_slot = next(slot for slot in slots if slot is not None)
            before = sum(slot is not None for slot in slots[:index])
            stride = sum(slot is not None for slot in slots)
            return SlotRows(first_slot + before, stride, count)
    return Rows(tuple(_row_node(rows.values(row), index) for row in rows.rows(template)))


def _slot(value: str) -> int | None:
    return slot_of_string(value[1:-1]) if value.startswith("'") else slot_of_number(value)


def _row_node(values: list[str], index: int) -> Restriction:
    """Whom one row names."""
    value = values[index] if index < len(values) else ""
    if value.startswith("'"):
        return Named((Operand(slot=slot_of_string(value[1:-1])),))
    if value.startswith(":"):
        return Named((Operand(parameter=value[1:]),))
    if value[:1].isdigit():
        slot = slot_of_number(value)
        return Named((Operand(slot=slot, text=None if slot is not None else value),))
    return UNKNOWN
