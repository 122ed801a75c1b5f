"""FROM of a plain statement: tables, derived tables, WITH queries, and how they are joined."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tenantmetrics.tenant.sql.fast_path import grammar
from tenantmetrics.tenant.sql.fast_path.output_columns import describe
from tenantmetrics.tenant.sql.fast_path.query_tree import (
    NotPlainError,
    PlainCondition,
    PlainQuery,
    PlainSource,
)
from tenantmetrics.tenant.sql.fast_path.read_conditions import read_conditions

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.fast_path.query_reader import PlainReader

__all__ = ["read_joins", "read_source"]

_SPACE = re.compile(r"\s")


def read_joins(reader: PlainReader, query: PlainQuery, at: int) -> int:
    """Read what is joined to the first source.

    Args:
        reader: Reads the statement.
        query: Gets the sources.
        at: Where it begins.

    Returns:
        Where it ends.

    Raises:
        NotPlainError: It takes the whole analysis.
    """
    shape = reader.shape
    while (join := grammar.JOIN.match(shape, at)) is not None:
        at = join.end()
        # Of other joins with it, what it says of the rows before it holds for those.
        lateral = join["left"] is not None and not reader.levels and shape.startswith("9(S", at)
        at = read_source(reader, query, at + lateral, lateral=lateral)
        source = next(reversed(query.sources.values()))
        if join["comma"]:
            source.comma = True
            continue
        if join["left"] is not None:
            source.left, reader.all_hold = True, False
        if shape.startswith("1", at):
            at = _using(reader, query, source, at)
            continue
        if not shape.startswith("J", at):
            raise NotPlainError
        if lateral and shape.startswith("J0", at) and reader.tokens[at + 1].lower() == "true":
            at += 2
            continue
        at = read_conditions(reader, query, at + 1, source.on)
        if source.left and any(condition.query for condition in source.on):
            raise NotPlainError
    return at


def _using(reader: PlainReader, query: PlainQuery, source: PlainSource, at: int) -> int:
    """`a JOIN b USING (id)`: of two tables the columns are equal; where it ends."""
    using = reader.match(grammar.USING, at)
    first, *others = query.sources.values()
    if len(others) != 1 or source.left or first.query is not None or source.query is not None:
        raise NotPlainError
    names = [reader.name(place) for place in range(*using.span("columns"), 2)]
    if len(names) != len(set(names)) or sum(name in reader.columns for name in names) > 1:
        raise NotPlainError
    for name in names:
        condition = PlainCondition()
        condition.column = condition.other_column = name
        condition.source, condition.other = first, source
        source.on.append(condition)
    return using.end()


def read_source(reader: PlainReader, query: PlainQuery, at: int, *, lateral: bool = False) -> int:
    """Read a table, a WITH query or a derived table, and its alias.

    Args:
        reader: Reads the statement.
        query: Gets it as a source.
        at: Where it begins.
        lateral: A derived table that may refer to the sources before it.

    Returns:
        Where it ends.

    Raises:
        NotPlainError: It takes the whole analysis.
    """
    inner = None
    of_schema = ""
    if reader.shape.startswith("(S", at):
        inner, at = reader.inside(at + 1, query if lateral else None, read_from=True)
        reader.all_hold = False
        describe(reader, inner)
        own = inner.sources.values()
        if lateral and any(
            item.source is not None and item.source not in own for item in inner.columns.values()
        ):
            # A column of another source under its name.
            raise NotPlainError
        found = reader.match(grammar.ALIAS, at)
        alias = reader.scope_name(found.end() - 1)
    else:
        found = reader.match(grammar.SOURCE, at)
        start, end = found.span("table")
        written = reader.tokens[end - 1].strip('"')
        name = written.lower()
        alias = reader.scope_name(found.end() - 1)
        if name in reader.vocabulary.tables or name in reader.columns:
            raise NotPlainError
        if end - start > 1:
            schema = reader.schema_at(start)
            written = _of_schema(reader, schema, start, written)
            if found.end() == end:
                of_schema = schema
            reader.tables.append((schema, name))
        else:
            inner = reader.with_queries.get(name)
            if inner is None:
                reader.tables.append(("", name))
        reader.summary.append(f'"{written}"' if _SPACE.search(written) else written)
    if alias in query.sources or alias in reader.columns:
        raise NotPlainError
    query.sources[alias] = PlainSource(reader.count, inner)
    if alias in reader.schemas:
        reader.schemas[alias].add(of_schema)
    else:
        reader.schemas[alias] = {of_schema}
    reader.count += 1
    return found.end()


def _of_schema(reader: PlainReader, schema: str, at: int, name: str) -> str:
    """A table of a schema, as the summary has it: without a schema that names a tenant."""
    tenant = reader.vocabulary.of_schema(schema)
    if tenant is None:
        written = reader.tokens[at].strip('"')
        return f"{written}.{name}"
    reader.of_schemas.append(tenant)
    return name
