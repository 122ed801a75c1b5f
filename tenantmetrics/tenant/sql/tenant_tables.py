"""Tables whose rows are tenants: `organizations.id` is a tenant column, as others' `tenant_id`.

In the tree of a statement the column of such a table gets the first tenant column's name, so that
the analysis needs no rule of its own for it. What it is called outside stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlglot import exp

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.sqlglot_trees import read_from, sources_of

__all__ = ["with_tenant_tables"]

_CHANGES = (exp.Update, exp.Delete, exp.Insert)
_SCOPES = (exp.Select, *_CHANGES)
_SEVERAL = "\0several"
"""In the place of an alias: what a column without a table's name belongs to is not told."""

_Columns = Mapping[str, str]
"""Alias → the column that is the tenant; empty for a table that is no tenants' table."""


def with_tenant_tables(statement: exp.Expr, vocabulary: Vocabulary) -> exp.Expr:
    """A statement in which the tables of tenants have a tenant column like the others.

    Args:
        statement: Its tree, which is changed.
        vocabulary: The tenant's names.
    """
    if not vocabulary.tables or not vocabulary.columns:
        return statement
    hidden = {cte.alias.lower() for cte in statement.find_all(exp.CTE)}
    tables = {name: key for name, key in vocabulary.tables.items() if name not in hidden}
    if not tables or not any(
        table.name.lower() in tables for table in statement.find_all(exp.Table)
    ):
        return statement
    column = min(vocabulary.columns, key=vocabulary.columns.__getitem__)
    todo: list[tuple[exp.Expr, _Columns]] = [(statement, {})]
    while todo:
        node, seen = todo.pop()
        if isinstance(node, _SCOPES):
            seen = {**seen, **_entered(node, tables)}
        elif isinstance(node, exp.Column):
            key = seen.get(node.table.lower() or _SEVERAL)
            if key and node.name.lower() == key:
                _rename(node, column)
            continue
        todo.extend((child, seen) for child in node.iter_expressions())
        if isinstance(node, exp.Insert) and isinstance(node.this, exp.Schema):
            key = tables.get(node.this.this.name.lower(), "")
            for written in node.this.expressions:
                if key and written.name.lower() == key:
                    written.replace(exp.to_identifier(column))
    return statement


def _rename(node: exp.Column, column: str) -> None:
    name = node.name
    node.set("this", exp.to_identifier(column))
    if node.arg_key == "expressions" and isinstance(node.parent, exp.Select | exp.Returning):
        node.replace(exp.alias_(node.copy(), name))


def _entered(node: exp.Expr, tables: Mapping[str, str]) -> dict[str, str]:
    """The sources of a query or a change."""
    found = dict(_sources(node, tables))
    keys = list(found.values())
    found[_SEVERAL] = keys[0] if len(keys) == 1 else ""
    return found


def _sources(node: exp.Expr, tables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    items: list[exp.Expr] = []
    if isinstance(node, exp.Select):
        items = read_from(node)
    else:
        target = node.this.this if isinstance(node.this, exp.Schema) else node.this
        from_, using = node.args.get("from_"), node.args.get("using")
        items = [target, *([from_.this] if from_ is not None else [])]
        items += using if isinstance(using, list) else []
        items += node.args.get("joins") or []
    for number, (item, _) in enumerate(sources_of(items)):
        key = tables.get(item.name.lower(), "") if isinstance(item, exp.Table) else ""
        yield (item.alias or item.name or f"\0{number}").lower(), key
