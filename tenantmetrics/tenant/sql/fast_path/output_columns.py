"""The columns that a plain statement's query gives to the query around it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tenantmetrics.tenant.sql.fast_path import grammar
from tenantmetrics.tenant.sql.fast_path.computed_values import without_windows
from tenantmetrics.tenant.sql.fast_path.query_tree import (
    NotPlainError,
    PlainItem,
    PlainQuery,
    PlainSource,
)
from tenantmetrics.tenant.sql.proof.key_names import is_key_name, may_be_null

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
    shape, windows = _windows(reader, query)
    for found in grammar.ITEM.finditer(shape, *query.items):
        group = found.lastgroup
        if group == "star":
            if cut or grouped is not None or query.star is not None:
                raise NotPlainError
            query.star = _starred(reader, query, found)
            continue
        if found["value"]:
            item = _window(reader, found, windows)
        elif found["function"]:
            item = _function(reader, query, found)
        else:
            item = _column(reader, query, found)
        if item.name in query.columns or item.is_tenant is not (item.name in reader.columns):
            raise NotPlainError
        if cut or (grouped is not None and item.inward and not grouped.has(found, item.name)):
            item.inward = False
        query.columns[item.name] = item
    if windows:
        _keep(reader, query, windows.values())


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


def _windows(reader: PlainReader, query: PlainQuery) -> tuple[str, dict[int, tuple[int, int]]]:
    """The shape without the query's windows, and what these are partitioned by."""
    if not query.windowed:
        return reader.shape, {}
    shape, windows = without_windows(reader.shape, *query.items)
    if query.group[1] or grammar.WINDOW in shape[slice(*query.items)]:
        # A window of an aggregate, or over groups.
        raise NotPlainError
    return shape, windows


def _window(
    reader: PlainReader, found: re.Match[str], windows: Mapping[int, tuple[int, int]]
) -> PlainItem:
    """`row_number() OVER (…) AS n`: it comes from no source."""
    if found.start() not in windows or not found["alias"]:
        raise NotPlainError
    return PlainItem(reader.name(found.end("alias") - 1), None, "")


def _keep(reader: PlainReader, query: PlainQuery, windows: Iterable[tuple[int, int]]) -> None:
    """A window is made of rows that a condition outside would take away.

    Unless all of them have the tenant that the condition is about: PARTITION BY its key.
    """
    kept: set[PlainSource] | None = None
    for start, end in windows:
        own: set[PlainSource] = set()
        for part in grammar.COLUMN.finditer(reader.shape, max(start, 0), max(end, 0)):
            name = reader.name(part.end() - 1)
            source = reader.source_if_told(query, *part.span())
            if source is None or source.query is not None:
                # Of which rows it is takes the whole analysis.
                raise NotPlainError
            if name in reader.columns or (is_key_name(name) and not may_be_null(name)):
                own.add(source)
        kept = own if kept is None else kept & own
    for item in query.columns.values():
        if item.source is not None and item.source not in (kept or ()):
            item.inward = False
    if query.star is not None and query.star not in (kept or ()):
        query.is_star_inward = False


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
