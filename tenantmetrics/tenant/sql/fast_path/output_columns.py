"""The columns that a plain statement's query gives to the query around it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tenantmetrics.tenant.sql.fast_path import grammar
from tenantmetrics.tenant.sql.fast_path.query_tree import (
    NotPlainError,
    PlainItem,
    PlainQuery,
    PlainSource,
)

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.fast_path.query_reader import PlainReader

__all__ = ["describe", "only_column"]

_EXTREMES = frozenset(["max", "min"])


def describe(reader: PlainReader, query: PlainQuery) -> None:
    """Read a query's columns, for the query around it.

    Args:
        reader: Reads the statement.
        query: The query, which gets them.

    Raises:
        NotPlainError: They take the whole analysis.
    """
    text = reader.letters[slice(*query.items)]
    grouped = _Grouped(reader, query) if query.group[1] else None
    cut = query.cut or ("c(" in text and grouped is None)
    for found in grammar.ITEM.finditer(reader.shape, *query.items):
        group = found.lastgroup
        if group == "star":
            if cut or grouped is not None or query.star is not None:
                raise NotPlainError
            query.star = _starred(reader, query, found)
            continue
        if found["value"]:
            raise NotPlainError
        item = (
            _function(reader, query, found) if found["function"] else _column(reader, query, found)
        )
        if item.name in query.columns or item.is_tenant is not (item.name in reader.columns):
            raise NotPlainError
        if cut or (grouped is not None and item.inward and not grouped.has(found, item.name)):
            item.inward = False
        query.columns[item.name] = item


def only_column(reader: PlainReader, query: PlainQuery) -> tuple[PlainSource, str]:
    """The one column of a query that another column is compared with.

    Raises:
        NotPlainError: It is no plain column, or a tenant's.
    """
    found = grammar.ITEM.fullmatch(reader.shape, *query.items)
    if found is None or found["column"] is None:
        raise NotPlainError
    start, end = found.span("column")
    name = reader.name(end - 1)
    if name in reader.columns:
        raise NotPlainError
    return reader.source_of(query, start, end), name


def _starred(reader: PlainReader, query: PlainQuery, found: re.Match[str]) -> PlainSource:
    """What `*` or `b.*` stands for, if it is one source."""
    start, end = found.span("star")
    if end - start == 1:
        if len(query.sources) == 1:
            return next(iter(query.sources.values()))
        raise NotPlainError
    source = query.sources.get(reader.name(start))
    if source is None:
        raise NotPlainError
    return source


def _column(reader: PlainReader, query: PlainQuery, found: re.Match[str]) -> PlainItem:
    start, end = found.span("column")
    column = reader.name(end - 1)
    name = reader.name(found.end("alias") - 1) if found["alias"] else column
    item = PlainItem(name, reader.source_of(query, start, end), column)
    item.is_tenant = column in reader.columns
    return item


def _function(reader: PlainReader, query: PlainQuery, found: re.Match[str]) -> PlainItem:
    """`max(at) AS last`: it comes from the column, and no condition on it restricts that."""
    if not found["alias"]:
        raise NotPlainError
    name = reader.name(found.end("alias") - 1)
    item = PlainItem(name, None, "")
    start, end = found.span("argument")
    if found["argument"]:
        item.column = reader.name(end - 1)
        source = reader.source_of(query, start, end)
        if item.column in reader.columns:
            raise NotPlainError
        if reader.name(found.start("function")) in _EXTREMES:
            item.source = source
    item.inward = False
    return item


class _Grouped:
    """The columns of GROUP BY."""

    def __init__(self, reader: PlainReader, query: PlainQuery) -> None:
        if "v" in reader.shape[slice(*query.group)]:
            # By their place.
            raise NotPlainError
        parts = grammar.COLUMN.finditer(reader.shape, *query.group)
        self._tokens = reader.tokens
        self._exact = {"".join(self._tokens[slice(*part.span())]) for part in parts}
        self._folded = {text.lower().replace('"', "") for text in self._exact}

    def has(self, found: re.Match[str], name: str) -> bool:
        """Whether an item of the select list is one of them.

        Raises:
            NotPlainError: It depends on how the names are written.
        """
        text = "".join(self._tokens[slice(*found.span("column"))])
        alias = self._tokens[found.end("alias") - 1] if found["alias"] else text
        if text in self._exact or alias in self._exact:
            return True
        if not self._folded.isdisjoint({text.lower().replace('"', ""), name}):
            raise NotPlainError
        return False
