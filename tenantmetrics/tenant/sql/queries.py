"""Queries: SELECT, WITH, derived tables and subqueries; the hub of the analysis.

An inner join or a WHERE restricts the rows that come back, so one restricted table restricts them
all. The ON of an outer join restricts its nullable side alone. A subquery restricts where a row of
it is needed (EXISTS, IN, `=`), and is read beside the query everywhere else.

SQL nests, so the analysis is a loop. `Queries` calls these, and each of them comes back to it:

    Queries ──▶ from_clause      derived tables, LATERAL      ──▶ Queries.derive
            ──▶ Conditions       EXISTS, IN, `= (SELECT …)`   ──▶ Queries.restrict, .projected
            ──▶ set_operations   the branches                 ──▶ Queries.derive
            ──▶ DataChanges      WITH … AS (INSERT …), and INSERT … SELECT, UPDATE … FROM:
                                 the queries in them          ──▶ Queries.select, .derive
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.aggregates import gives_one_row, gives_only_an_extreme
from tenantmetrics.tenant.sql.any_array import unnested
from tenantmetrics.tenant.sql.build_restriction import build_restriction
from tenantmetrics.tenant.sql.conditions import Conditions
from tenantmetrics.tenant.sql.from_clause import add_from, aliased, shared
from tenantmetrics.tenant.sql.insert_update_delete import DataChanges
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.query_scope import (
    CLEAR,
    OPEN,
    UNKNOWN,
    Derived,
    Facts,
    Key,
    QueryScope,
    Sink,
    is_tenants,
)
from tenantmetrics.tenant.sql.restrictions import (
    IN_SESSION,
    Joined,
    Named,
    Restriction,
)
from tenantmetrics.tenant.sql.set_operations import set_operation
from tenantmetrics.tenant.sql.sqlglot_trees import leftmost, read_from, unwrapped
from tenantmetrics.tenant.sql.value_expressions import SESSION, bare, value_operand
from tenantmetrics.tenant.sql.with_order import in_reading_order

__all__ = ["Queries"]

# Tuples, because `A | B` inside isinstance() is built anew at each call.
_SELECT_OR_SETOPERATION_OR_SUBQUERY = (exp.Select, exp.SetOperation, exp.Subquery)

_PLAIN = frozenset({exp.Column, exp.Star, exp.Literal, exp.Placeholder})
_QUERY_STEPS = 20
"""What a query takes beside its parts."""
_MAX_LEVELS = 60
"""Queries inside queries; the parser's bound on parentheses is met first."""


class Queries:
    """Analyses the queries of one statement.

    Args:
        vocabulary: The tenant's names.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.changes = DataChanges(self)
        self._levels = 0

    def statement(self, node: exp.Expr, names: QueryScope) -> Restriction:
        """Analyse a whole statement, whose columns nobody asks for."""
        select = unwrapped(node)
        if isinstance(select, exp.Select):
            inner, facts = QueryScope(names, self.vocabulary), Facts()
            self.select(select, inner, facts, facts.main)
            return build_restriction(facts, names)
        return self.derive(select, names).node

    def derive(self, node: exp.Expr, names: QueryScope, facts: Facts | None = None) -> Derived:
        """Analyse a query whose rows another one reads.

        Args:
            node: SELECT, UNION, VALUES, in parentheses or not; or a data-changing statement.
            names: What its outer names mean.
            facts: Of the query around it, where it may refer to that one's columns.
        """
        names.budget.spend(_QUERY_STEPS)
        if self._levels >= _MAX_LEVELS:
            return Derived(UNKNOWN, {}, True)
        self._levels += 1
        try:
            return self._derive(unwrapped(node), names, facts)
        finally:
            self._levels -= 1

    def _derive(self, node: exp.Expr, names: QueryScope, facts: Facts | None) -> Derived:
        if isinstance(node, exp.SetOperation):
            return set_operation(self, node, names, facts)
        if isinstance(node, exp.Values):
            return self._values(node)
        if isinstance(node, exp.Select):
            inner, own = QueryScope(names, self.vocabulary), Facts(facts)
            self.select(node, inner, own, own.main)
            return self._described(node, inner, own, build_restriction(own, names))
        changed = self.changes.derive(node, names)
        if changed is not None:
            return changed
        if isinstance(node, exp.Table):
            inner, own = QueryScope(names, self.vocabulary), Facts(facts)
            add_from(self, [node], inner, own, own.main)
            return Derived(build_restriction(own, names), {}, True)
        return Derived(UNKNOWN, {}, True)

    def select(self, node: exp.Select, names: QueryScope, facts: Facts, sink: Sink) -> None:
        """Enter a SELECT: its restrictions into `sink`, all that is beside them into `facts`."""
        self.with_clause(node, names, facts)
        items = read_from(node)
        add_from(self, items, names, facts, sink)
        conditions = Conditions(self, names, facts)
        # Of GROUPING SETS, the rows of some have NULL for whatever tenant.
        is_apart = node.args.get("having") is not None and gives_one_row(node)
        for key in ("where", "having"):
            if (clause := node.args.get(key)) is not None and not (key == "having" and is_apart):
                conditions.add(clause.this, sink)
        rest = [*node.expressions, *(_listed(node.args["having"]) if is_apart else ())]
        rest += [
            part
            for key in ("group", "order", "distinct", "limit", "offset", "windows")
            for part in _listed(node.args.get(key))
        ]
        for part in rest:
            inner = part.args["this"] if part.__class__ is exp.Alias else part
            if inner.__class__ in _PLAIN:
                continue
            for _ in self.outside_subqueries(part, names, facts):
                pass

    def with_clause(self, node: exp.Expr, names: QueryScope, facts: Facts) -> None:
        """Enter the WITH of a statement."""
        with_ = node.args.get("with_")
        if with_ is None:
            return
        for cte in in_reading_order(with_):
            name = cte.alias.lower()
            body = unwrapped(cte.this)
            if with_.args.get("recursive") and isinstance(body, exp.SetOperation):
                # The recursive part reads what the first part began with.
                first = self.derive(leftmost(body), names)
                names.ctes[name] = shared(aliased(first, cte))
            derived = shared(aliased(self.derive(body, names), cte))
            names.ctes[name] = derived
            if isinstance(body, exp.DML):
                facts.beside.append(derived.node)
                facts.changes_all = facts.changes_all or derived.node is OPEN

    def restrict(
        self, query: exp.Expr, names: QueryScope, facts: Facts, sink: Sink, *, compared: bool
    ) -> bool:
        """Enter a subquery that must give a row; False where it always gives one.

        Args:
            query: The subquery.
            names: What its outer names mean.
            facts: Of the query around it.
            sink: Gets its restrictions.
            compared: Something has to be equal to what it gives.
        """
        node = unwrapped(query)
        if isinstance(node, exp.SetOperation):
            sink.parts.append(self.derive(node, names, facts).node)
            return True
        names.budget.spend(_QUERY_STEPS)
        if not isinstance(node, exp.Select) or self._levels >= _MAX_LEVELS:
            return False
        if gives_one_row(node) and not (compared and gives_only_an_extreme(node)):
            return False
        if node.args.get("from_") is None:
            return False
        self._levels += 1
        try:
            self.select(node, QueryScope(names, self.vocabulary), facts, sink)
        finally:
            self._levels -= 1
        return True

    def projected(  # noqa: PLR0911
        self, query: exp.Expr, names: QueryScope, facts: Facts, sink: Sink, key: Key
    ) -> Restriction | None:
        """Enter a subquery whose only column `key` equals; a node, or None where it is linked."""
        names.budget.spend(_QUERY_STEPS)
        node = unwrapped(query)
        if isinstance(node, exp.Values):
            operands = [value_operand(_only(row)) for row in node.expressions]
            known = [operand for operand in operands if isinstance(operand, Operand)]
            return Named(tuple(known)) if known and len(known) == len(operands) else UNKNOWN
        if isinstance(node, exp.Select) and len(node.expressions) == 1:
            item = node.expressions[0].unalias()
            array = unnested(item)
            if array is not None and node.args.get("from_") is None:
                return Named(tuple(array)) if array else UNKNOWN
            value = value_operand(item)
            if value is SESSION:
                return IN_SESSION
            inner = QueryScope(names, self.vocabulary)
            self.select(node, inner, facts, sink)
            if isinstance(value, Operand):
                return Named((value,))
            column = inner.key_at(0) if isinstance(item, exp.Star) else None
            if isinstance(bared := bare(item), exp.Column):
                column = inner.key(bared) or inner.other_key(bared)
            if column is None:
                return UNKNOWN
            # The column has to be restricted itself: the subquery's tenants are the key's.
            sink.links.append((key, column))
            sink.constraints.append((column, UNKNOWN))
            return None
        derived = self.derive(node, names, facts)
        if any(derived.columns.values()):
            return Joined((derived.node,)) if derived.node is not CLEAR else UNKNOWN
        facts.beside.append(derived.node)
        return UNKNOWN

    def outside_subqueries(
        self, node: exp.Expr, names: QueryScope, facts: Facts
    ) -> Iterator[exp.Expr]:
        """All parts of an expression but its subqueries, which are left for later."""
        todo: list[exp.Expr] = [node]
        while todo:
            part = todo.pop()
            if isinstance(part, _SELECT_OR_SETOPERATION_OR_SUBQUERY):
                self._later(part, names, facts)
                continue
            yield part
            todo.extend(part.iter_expressions())

    def _later(self, query: exp.Expr, names: QueryScope, facts: Facts) -> None:
        facts.later.append(lambda: self.derive(query, names, facts).node)

    def _values(self, node: exp.Values) -> Derived:
        columns: dict[str, list[object]] = {}
        for row in node.expressions:
            for index, item in enumerate(row.expressions if isinstance(row, exp.Tuple) else [row]):
                columns.setdefault(f"column{index + 1}", []).append(value_operand(item))
        values: dict[str, Restriction] = {}
        for name, found in columns.items():
            operands = [value for value in found if isinstance(value, Operand)]
            if len(operands) == len(found):
                values[name] = Named(tuple(operands))
        return Derived(CLEAR, dict.fromkeys(columns, False), False, values)

    def _described(
        self, node: exp.Select, names: QueryScope, facts: Facts, result: Restriction
    ) -> Derived:
        """A SELECT's columns, by the names that a query around it sees."""
        columns: dict[str, bool] = {}
        values: dict[str, Restriction] = {}
        star = False
        # Where tables are read too, what they are compared with has told more already.
        constants = facts.constants if not facts.tables else frozenset()
        plain = _untied(facts) if facts.tables and facts.constants else constants
        for index, item in enumerate(node.expressions):
            inner = item.unalias()
            if isinstance(inner, exp.Star) or (
                isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star)
            ):
                listed = names.listed_values(constants) if inner is item else None
                for name, place in listed or ():
                    columns[name] = False
                    values.update(_constant(name, place, facts))
                star = star or listed is None
                continue
            name = (item.alias_or_name or f"?column{index}").lower()
            column = bare(inner)
            key = names.key(column) if isinstance(column, exp.Column) else None
            columns[name] = key is not None and key not in plain
            value = value_operand(inner)
            if isinstance(value, Operand):
                values[name] = Named((value,))
            elif value is SESSION:
                values[name] = IN_SESSION
            elif array := unnested(inner):
                values[name] = Named(tuple(array))
            elif key in constants:
                values.update(_constant(name, key, facts))
        return Derived(result, columns, star, values)


def _untied(facts: Facts) -> set[Key]:
    """The columns of plain values that equal no table's tenant column: `unnest(:states)`."""
    untied = set(facts.constants)
    around = facts.parent
    while around is not None:
        untied |= around.constants
        around = around.parent
    while tied := {
        key
        for pair in facts.main.links
        for key, other in (pair, pair[::-1])
        if key in untied and other not in untied and is_tenants(other)
    }:
        untied -= tied
    return untied


def _constant(name: str, key: Key | None, facts: Facts) -> Iterator[tuple[str, Restriction]]:
    """The values of a column that a source of plain values has, if nothing else is said of it."""
    found = [node for known, node in facts.main.constraints if known == key]
    if len(found) == 1:
        yield name, found[0]


def _listed(part: object) -> list[exp.Expr]:
    if isinstance(part, list):
        return part
    return [part] if isinstance(part, exp.Expr) else []


def _only(row: exp.Expr) -> exp.Expr | None:
    if isinstance(row, exp.Tuple):
        return row.expressions[0] if len(row.expressions) == 1 else None
    return row
