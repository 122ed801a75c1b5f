"""FROM: tables, derived tables, functions, and what each kind of join restricts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from tenantmetrics.tenant.sql.any_array import array_operands
from tenantmetrics.tenant.sql.conditions import Conditions
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.query_scope import (
    CLEAR,
    OPEN,
    Derived,
    Facts,
    FromItem,
    Key,
    QueryScope,
    Sink,
    is_tenants,
)
from tenantmetrics.tenant.sql.restrictions import Fixed, Named, Shared
from tenantmetrics.tenant.sql.schema_ties import facts_of
from tenantmetrics.tenant.sql.sqlglot_trees import function_read, is_join_in_parentheses
from tenantmetrics.tenant.sql.value_expressions import function_name, value_operand

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.queries import Queries

__all__ = ["add_from", "add_table", "aliased", "shared"]

_ROWS_WITHOUT_TABLES = frozenset(
    [
        "generate_series",
        "generate_subscripts",
        "unnest",
        "json_each",
        "jsonb_each",
        "json_each_text",
        "jsonb_each_text",
        "json_array_elements",
        "jsonb_array_elements",
        "json_array_elements_text",
        "jsonb_array_elements_text",
        "json_to_record",
        "jsonb_to_record",
        "json_to_recordset",
        "jsonb_to_recordset",
        "json_populate_record",
        "jsonb_populate_record",
        "json_populate_recordset",
        "jsonb_populate_recordset",
        "regexp_matches",
        "regexp_split_to_table",
        "string_to_table",
        "now",
    ],
)

_CHANGES = (exp.Update, exp.Delete, exp.Merge)
_ITEM_STEPS = 10
"""What a source of FROM takes, its aliases and columns aside."""


def add_from(
    queries: Queries,
    items: Sequence[object],
    names: QueryScope,
    facts: Facts,
    sink: Sink,
) -> None:
    """Enter what a query reads from.

    Args:
        queries: Analyses derived tables.
        items: The first source, then joins, in the order of the text.
        names: Where the aliases are entered.
        facts: What is known of the query; gets the restrictions of nullable sides.
        sink: Gets the restrictions that hold for every row.
    """
    # What holds for every row so far. A RIGHT or FULL join makes it hold for some rows only.
    current = Sink()
    _add(queries, items, names, facts, current)
    sink.take(current)


def _add(
    queries: Queries, items: Sequence[object], names: QueryScope, facts: Facts, current: Sink
) -> None:
    for item in items:
        # The parser leaves flags where a broken text has no table.
        if not isinstance(item, exp.Expr):
            continue
        if isinstance(item, exp.Join):
            _add_join(queries, item, names, facts, current)
        else:
            _add_item(queries, item, names, facts, current)


def _add_join(
    queries: Queries, join: exp.Join, names: QueryScope, facts: Facts, current: Sink
) -> None:
    side = (join.side or "").upper()
    using = {column.name.lower() for column in join.args.get("using") or []}
    natural = (join.args.get("method") or "").upper() == "NATURAL"
    if natural:
        using = set(names.vocabulary.columns)
    before = list(names.sources.values()) if using else []
    restricted = Sink()
    tables, facts.tables = facts.tables, False
    known = {source.number for source in names.sources.values()} if side == "LEFT" else set()
    _add_item(queries, join.this, names, facts, restricted)
    conditions = Conditions(queries, names, facts)
    on = join.args.get("on")
    if side in {"RIGHT", "FULL"}:
        current.links, links = [], current.links
        facts.optional.take(current)
        current.links = links
    if side in {"LEFT", "FULL"}:
        current.links += restricted.links
        restricted.links = []
        facts.optional.take(restricted)
    else:
        current.take(restricted)
    target = current
    if side:
        target = Sink()
    if on is not None:
        conditions.add(on, target)
    if using:
        _link(names, before, using, target, natural=natural)
    # A nullable table is no open one if its ON restricts it: then no row of others is read.
    added = {source.number for source in names.sources.values()} - known if side == "LEFT" else ()
    closed = any(is_tenants(key) and key[0] in added for key, _ in target.constraints)
    facts.tables = tables or (facts.tables and not closed)
    if side:
        # Equality of columns holds wherever both have a row.
        current.links += target.links
        target.links = []
        facts.optional.take(target)


def _link(
    names: QueryScope, before: list[FromItem], columns: set[str], sink: Sink, *, natural: bool
) -> None:
    """`USING (tenant_id)`: the new source's column is that of the sources before it.

    NATURAL does the same where both list it; of a table nobody sees what it has.
    """
    old_numbers = {source.number for source in before}
    added = [s for s in names.sources.values() if s.number not in old_numbers]
    for column in columns & set(names.vocabulary.columns):
        for new in added:
            names.budget.spend(len(before))
            sink.links += [
                ((old.number, column), (new.number, column))
                for old in before
                if not natural or (new.columns or {}).get(column)
                if (old.columns is None and not natural) or (old.columns or {}).get(column)
            ]


def _add_item(  # noqa: PLR0912 - one branch a kind
    queries: Queries, item: exp.Expr, names: QueryScope, facts: Facts, sink: Sink
) -> None:
    names.budget.spend(_ITEM_STEPS)
    alias = item.alias.lower()
    if isinstance(item, exp.Table):
        if (function := function_read(item)) is not None:
            _add_function(function, alias, item, names, facts, sink)
        else:
            add_table(item, names, facts, sink)
    elif isinstance(item, exp.Subquery):
        if is_join_in_parentheses(item):
            # Parentheses around a join.
            _add(queries, [item.this], names, facts, sink)
        else:
            _add_derived(aliased(queries.derive(item.this, names), item), alias, names, facts, sink)
    elif isinstance(item, exp.Lateral):
        inner = item.this
        if isinstance(inner, exp.Subquery):
            derived = aliased(queries.derive(inner.this, names, facts), item)
            _add_derived(derived, alias, names, facts, sink)
        else:
            _add_function(inner, alias, item, names, facts, sink)
    elif isinstance(item, exp.Values):
        _add_derived(aliased(queries.derive(item, names), item), alias, names, facts, sink)
    elif isinstance(item, exp.Unnest):
        _add_unnest(item, alias, names, facts, sink)
    else:
        facts.tables = True
        names.add(alias, FromItem(next(names.numbers), open=not isinstance(item, exp.Func)))
    for join in item.args.get("joins") or []:
        _add_join(queries, join, names, facts, sink)


def add_table(item: exp.Table, names: QueryScope, facts: Facts, sink: Sink) -> FromItem:
    """Enter a table or the use of a CTE."""
    name = item.name.lower()
    alias = item.alias.lower() or name
    # What is changed is a table, whatever WITH queries have its name.
    changed = item.arg_key == "this" and isinstance(item.parent, _CHANGES)
    derived = names.cte(name) if not changed and not item.args.get("db") else None
    if derived is not None:
        return _add_derived(aliased(derived, item), alias, names, facts, sink)
    facts.tables = True
    columns = _alias_columns(item)
    source = FromItem(next(names.numbers), open=True)
    if not columns:
        source.table = facts_of(item, names.vocabulary.schema)
    else:
        # bookings AS b(id, owner): the names that follow are not the table's own.
        source.columns, source.star = dict.fromkeys(columns, False), True
    names.add(alias, source)
    return source


def _add_derived(
    derived: Derived, alias: str, names: QueryScope, facts: Facts, sink: Sink
) -> FromItem:
    names.budget.spend(len(derived.columns) // 8)
    columns = {name: kind or name in derived.values for name, kind in derived.columns.items()}
    opened = derived.node is OPEN
    restricted = not opened and derived.node is not CLEAR
    source = FromItem(next(names.numbers), columns, derived.star, opened, restricted)
    names.add(alias, source)
    for name, node in derived.values.items():
        key: Key = (source.number, name)
        facts.constants.add(key)
        facts.given.append((key, node))
        sink.constraints.append((key, node))
    if not restricted:
        facts.tables = facts.tables or opened
        return source
    tenant = next((name for name, kind in derived.columns.items() if kind), None)
    if tenant is None and derived.star:
        tenant = next(iter(names.vocabulary.columns), None)
    if tenant is not None:
        sink.constraints.append(((source.number, tenant), derived.node))
    else:
        sink.parts.append(derived.node)
    return source


def _add_function(  # noqa: PLR0917
    function: exp.Expr, alias: str, item: exp.Expr, names: QueryScope, facts: Facts, sink: Sink
) -> None:
    name = function_name(function)
    restricted = False
    if name in names.vocabulary.functions:
        argument = function.expressions[names.vocabulary.functions[name] :][:1]
        operand = value_operand(argument[0]) if argument else None
        if isinstance(operand, Operand):
            sink.parts.append(Named((operand,)))
            restricted = True
    elif name not in _ROWS_WITHOUT_TABLES and isinstance(function, exp.Anonymous):
        facts.tables = True
    columns = dict.fromkeys(_alias_columns(item), False)
    source = FromItem(next(names.numbers), columns or {}, not columns, restricted=restricted)
    names.add(alias or name, source)


def _add_unnest(item: exp.Unnest, alias: str, names: QueryScope, facts: Facts, sink: Sink) -> None:
    """`unnest(:ids, :rooms) AS u(tenant_id, room)`: columns of values."""
    arrays = item.expressions
    columns = _alias_columns(item) or ([alias or "unnest"] if len(arrays) == 1 else [])
    # Columns that have no name of their own get one that SQL cannot write.
    columns += [f"\0{index}" for index in range(len(columns), len(arrays))]
    known = dict.fromkeys(columns, False)
    source = FromItem(next(names.numbers), known)
    for name, array in zip(columns, arrays, strict=False):
        if (operands := array_operands(array)) is not None:
            key: Key = (source.number, name)
            known[name] = True
            facts.constants.add(key)
            facts.given.append((key, Named(tuple(operands))))
            sink.constraints.append(facts.given[-1])
    names.add(alias or "unnest", source)


def _alias_columns(item: exp.Expr) -> list[str]:
    alias = item.args.get("alias")
    return [column.name.lower() for column in alias.columns] if alias is not None else []


def aliased(derived: Derived, item: exp.Expr) -> Derived:
    """A derived table under the column names that its alias gives it."""
    names = _alias_columns(item)
    if not names:
        return derived
    old = list(derived.columns.items())
    if derived.star:
        # Columns renamed by their place, behind a `*`: which is which is not known.
        return Derived(derived.node, dict.fromkeys(names, False), True)
    columns = {name: index < len(old) and old[index][1] for index, name in enumerate(names)}
    values = {
        name: derived.values[old[index][0]]
        for index, name in enumerate(names)
        if index < len(old) and old[index][0] in derived.values
    }
    return Derived(derived.node, columns, False, values)


def shared(derived: Derived) -> Derived:
    """A WITH query that is evaluated once for all its uses."""
    if isinstance(derived.node, Fixed | Named | Shared):
        return derived
    return replace(derived, node=Shared(derived.node))
