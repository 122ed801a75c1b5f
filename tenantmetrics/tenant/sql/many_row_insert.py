"""INSERT … VALUES with very many rows of plain values, which need not all be parsed.

A load of three thousand rows is sixty thousand characters that the parser would need 100 ms for.
All rows have the same columns, so one is parsed, and the tenant's column is read from the others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from sqlglot import exp

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.lazy_patterns import compiled
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.restrictions import UNKNOWN, Named, Restriction
from tenantmetrics.tenant.sql.row_shares import MixedRows, ParameterRows, SlotRows
from tenantmetrics.tenant.sql.template import slot_of_number, slot_of_string

__all__ = ["BulkRows", "bulk_rows", "rows_node", "tenant_index"]

# No word of the language: `(SELECT …)`, and what would be a query, is no value here.
_WORD = r"(?!(?:select|values|table|with|exists|any|all|some|not|case|row|cast|array)\b)[a-z_]\w*+"
_TYPE = (
    rf"{_WORD}(?:\s++(?:varying|precision|with(?:out)?\s++time\s++zone))?+"
    r"(?:\([0-9, ]++\))?+(?:\s*+\[\s*+\])?+"
)
_BARE = r"\s*+-?+\s*+(?:'slot[0-9]++'|[0-9]++|:[A-Za-z0-9_]++|(?:null|default|true|false)\b)\s*+"
_CASTS = rf"(?:::\s*+{_TYPE}\s*+)*+"
_PLAIN = rf"{_BARE}{_CASTS}"
_CAST = rf"\s*+cast\s*+\({_BARE}as\s++{_TYPE}\s*+\)\s*+"


def _of(name: str, opening: str, item: str, closing: str) -> str:
    """A list in brackets behind a name."""
    return rf"\s*+{name}\s*+{opening}(?!,){_items(opening, item)}*+\s*+{closing}\s*+{_CASTS}"


def _items(opening: str, item: str) -> str:
    """The first item of a list, or a comma and one more: written once, it compiles sooner."""
    return rf"(?:(?:(?<={opening})|,){item})"


_CALL = _of(rf"{_WORD}(?:\.\w++)?+", r"\(", _PLAIN, r"\)")
_ARRAY = _of("array", r"\[", _PLAIN, r"\]")
_CALL_OF_CALLS = _of(rf"{_WORD}(?:\.\w++)?+", r"\(", f"(?:{_PLAIN}|{_CAST}|{_CALL})", r"\)")
_VALUE = f"(?:{_PLAIN}|{_CAST}|{_CALL_OF_CALLS}|{_ARRAY})"
_VALUES = _items(r"\(", _VALUE)
# A row, or a comma and one more: written once, it compiles in half the time.
_ROWS = rf"(?:(?:(?<!\))|\s*+,\s*+)\((?!,){_VALUES}++\))++"
_HEAD = re.compile(r"\s*+insert\s[^()]*+(?:\([^()]*+\))?+\s*+values\s*+(?=\()", re.IGNORECASE)
_COMMA = re.compile(r"\s*+,")
_NEXT_ROW = re.compile(r"\)\s*+,\s*+\(")
_MAX_WITH_BRACKETS = 500
"""Rows with brackets in them that are not written alike, 5 µs each; of more nobody is named."""
_DIGITS = re.compile(r"[0-9]+")
_PARAMETER = re.compile(r"(?<!:):([A-Za-z0-9_]++)")
_LITERAL = re.compile(r"(?<![\w:])(?:'slot[0-9]++'|[0-9]++)")


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
        # No value begins with a bracket, and what stands in quotes is a slot.
        at = self.start
        for behind in _NEXT_ROW.finditer(template, self.start, self.end):
            yield template[at : behind.start() + 1]
            at = behind.end() - 1
        yield template[at : self.end]

    @staticmethod
    def values(row: str) -> list[str]:
        """A row's values."""
        found, at = [], 1
        pattern = compiled(_VALUE, re.IGNORECASE)
        while (value := pattern.match(row, at)) is not None:
            found.append(value.group().strip())
            at = value.end() + 1
        return found

    def mentions(self, template: str, names: Collection[str]) -> bool:
        """Whether the rows may call one of these functions, lower case."""
        if not names:
            return False
        written = template[self.start : self.end].lower()
        return any(name in written for name in names)


@lru_cache(maxsize=2)
def bulk_rows(template: str) -> BulkRows | None:
    """The rows of an INSERT of many rows of plain values; None for anything else."""
    # Kept for the fingerprint, which asks for the same when its short text has been asked for.
    start = _HEAD.match(template)
    second = _NEXT_ROW.search(template, start.end()) if start is not None else None
    if start is None or second is None:
        return None
    first_end = second.start() + 1
    rows = compiled(_ROWS, re.IGNORECASE).match(template, start.end())
    if rows is None or rows.end() <= first_end:
        return None
    if _COMMA.match(template, rows.end()) is not None:
        # A row behind them is of another kind, and may be somebody else's.
        return None
    short = template[:first_end] + template[rows.end() :]
    return BulkRows(short, start.end(), rows.end())


def tenant_index(statement: exp.Expr, vocabulary: Vocabulary) -> int | None:
    """Which column of an INSERT is the tenant's."""
    if not isinstance(statement, exp.Insert) or not isinstance(statement.this, exp.Schema):
        return None
    ranks = vocabulary.columns
    names = [column.name.lower() for column in statement.this.expressions]
    found = [(ranks[name], index) for index, name in enumerate(names) if name in ranks]
    return min(found)[1] if found else None


def rows_node(rows: BulkRows, template: str, index: int, tenant: Restriction) -> Restriction:
    """Whom the rows name, each by its value at an index.

    Args:
        rows: Where they are.
        template: The text.
        index: Which value is the tenant.
        tenant: Whom the first row names.
    """
    written = template[rows.start : rows.end]
    first = next(rows.rows(template))
    operand = tenant.operands[0] if isinstance(tenant, Named) else None
    # Without digits all rows look alike: then each has as many slots and commas as the first.
    shape, shapes = _shape(first), _shape(written)
    count = (len(shapes) + 1) // (len(shape) + 1)
    if operand is not None and shapes == ",".join([shape] * count):
        if operand.slot is not None and operand == Operand(slot=operand.slot, cast=operand.cast):
            slots = [slot for slot in map(_slot, _LITERAL.findall(first)) if slot is not None]
            return SlotRows(operand.slot, len(slots), count, operand.cast)
        plain = Operand(parameter=operand.parameter, cast=operand.cast)
        if operand.parameter is not None and operand == plain:
            before = sum(value.count(",") + 1 for value in rows.values(first)[:index])
            pieces = written.split(",")[before :: first.count(",") + 1]
            return _of_parameters(pieces, operand)
    return _one_by_one(rows, template, index)


def _one_by_one(rows: BulkRows, template: str, index: int) -> Restriction:
    """Rows that are not written alike: each has its tenant in the same place."""
    written = template[rows.start : rows.end].strip()
    pieces = _NEXT_ROW.split(written[1:-1])
    flat = "[" not in written and written.count("(") == len(pieces)
    if flat:
        table = [piece.split(",") for piece in pieces]
    elif len(pieces) <= _MAX_WITH_BRACKETS:
        table = [rows.values(row) for row in rows.rows(template)]
    else:
        return UNKNOWN
    names: list[str] = []
    slots: list[int] = []
    plain = flat and "::" not in written
    for row in table:
        value = row[index].strip() if index < len(row) else ""
        if not plain and ("::" in value or "(" in value or "[" in value):
            continue
        if value.startswith(":"):
            names.append(value[1:])
        elif (slot := _slot(value)) is not None:
            slots.append(slot)
    counts = Counter(names)
    parameters = ParameterRows(tuple(counts), tuple(counts.values()))
    return MixedRows(parameters, tuple(slots), len(table) - len(names) - len(slots))


def _shape(text: str) -> str:
    return _DIGITS.sub("", text).replace(" ", "")


def _of_parameters(pieces: Iterable[str], first: Operand) -> Restriction:
    """Rows of which each has a parameter for its tenant, all read alike."""
    counts = Counter(_PARAMETER.findall(",".join(pieces)))
    return ParameterRows(tuple(counts), tuple(counts.values()), first.cast)


def _slot(value: str) -> int | None:
    return slot_of_string(value[1:-1]) if value.startswith("'") else slot_of_number(value)
