"""INSERT, UPDATE, DELETE and MERGE: whose rows are changed, and to whose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlglot import exp

from tenantmetrics.tenant.sql.any_array import unnested
from tenantmetrics.tenant.sql.build_restriction import build_restriction
from tenantmetrics.tenant.sql.conditions import Conditions
from tenantmetrics.tenant.sql.from_clause import add_from
from tenantmetrics.tenant.sql.merge import merge
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.query_scope import (
    CLEAR,
    OPEN,
    UNKNOWN,
    Derived,
    Facts,
    FromItem,
    Key,
    QueryScope,
)
from tenantmetrics.tenant.sql.restrictions import (
    Also,
    Either,
    Named,
    Restriction,
)
from tenantmetrics.tenant.sql.row_shares import Rows
from tenantmetrics.tenant.sql.saved_rows import saved_tenant
from tenantmetrics.tenant.sql.schema_conflicts import may_overwrite_others, overwrites_by_key
from tenantmetrics.tenant.sql.sqlglot_trees import unwrapped
from tenantmetrics.tenant.sql.value_expressions import bare
from tenantmetrics.tenant.sql.written_values import alias_of, value_node

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.queries import Queries

__all__ = ["DataChanges"]

# Tuples, because `A | B` inside isinstance() is built anew at each call.
_SELECT_OR_SETOPERATION_OR_TABLE = (exp.Select, exp.SetOperation, exp.Table)
_PLACEHOLDER_OR_LITERAL = (exp.Placeholder, exp.Literal)
_TUPLE_OR_PAREN = (exp.Tuple, exp.Paren)


class DataChanges:
    """Analyses statements that change data.

    Args:
        queries: Analyses the queries in them.
    """

    def __init__(self, queries: Queries) -> None:
        self.queries = queries
        self.vocabulary = queries.vocabulary

    def derive(self, node: exp.Expr, names: QueryScope) -> Derived | None:
        """Analyse a data-changing statement; None for anything else."""
        inner = QueryScope(names, self.vocabulary)
        facts = Facts()
        self.queries.with_clause(node, inner, facts)
        if isinstance(node, exp.Insert):
            result = self._insert(node, inner, facts)
        elif isinstance(node, exp.Update):
            result = self._update(node, inner, facts)
        elif isinstance(node, exp.Delete):
            result = self._delete(node, inner, facts)
        elif isinstance(node, exp.Merge):
            result = merge(self, node, inner, facts)
        else:
            return None
        if facts.changes_all and result is not OPEN and result is not CLEAR:
            result = UNKNOWN
        return Derived(result, *self._returned(node))

    def _returned(self, node: exp.Expr) -> tuple[dict[str, bool], bool]:
        """The columns of RETURNING; they are the changed rows' own."""
        returning = node.args.get("returning")
        columns: dict[str, bool] = {}
        star = False
        for item in returning.expressions if returning is not None else []:
            inner = item.unalias()
            star = star or isinstance(inner, exp.Star)
            name = item.alias_or_name.lower()
            column = bare(inner)
            columns[name] = (
                isinstance(column, exp.Column) and column.name.lower() in self.vocabulary.columns
            )
        return columns, star

    def tenant_index(self, columns: Sequence[str]) -> int | None:
        """Which of the columns that are written is the tenant's."""
        ranks = self.vocabulary.columns
        found = [(ranks[name], index) for index, name in enumerate(columns) if name in ranks]
        return min(found)[1] if found else None

    def _insert(self, node: exp.Insert, names: QueryScope, facts: Facts) -> Restriction:
        target = node.this
        columns: list[str] = []
        if isinstance(target, exp.Schema):
            columns = [column.name.lower() for column in target.expressions]
            target = target.this
        index = self.tenant_index(columns)
        source = FromItem(next(names.numbers))
        alias = alias_of(target)
        body = unwrapped(node.expression) if node.expression is not None else None
        if isinstance(body, exp.Values):
            written = self._written(body, index, names, facts)
        elif isinstance(body, _SELECT_OR_SETOPERATION_OR_TABLE):
            written = self._selected(body, index, names)
        else:
            # DEFAULT VALUES.
            written = CLEAR
        names.add(alias, source)
        names.add("excluded", FromItem(next(names.numbers)))
        conflict = node.args.get("conflict")
        for item in conflict.expressions if conflict is not None else []:
            self.assigned(item, alias, names, facts)
        updates = conflict is not None and bool(conflict.expressions)
        unlisted = not columns and (isinstance(body, exp.Values) or written is CLEAR)
        if conflict is not None and unlisted:
            # Which of the columns that are written is the tenant's is not told.
            written = UNKNOWN
        elif updates and written is CLEAR and overwrites_by_key(node, self.vocabulary):
            # As an UPDATE by the id alone.
            written = OPEN
        if conflict is not None and (where := conflict.args.get("where")) is not None:
            # It restricts the row that is there already, which may be another tenant's.
            Conditions(self.queries, names, facts).add(where.this, facts.main)
            written = Also(written, (build_restriction(facts, names),))
        if may_overwrite_others(node, self.vocabulary):
            written = Also(written, (UNKNOWN,))
        return self._with_read(written, node, names, facts)

    def _with_read(
        self, written: Restriction, node: exp.Insert, names: QueryScope, facts: Facts
    ) -> Restriction:
        """What an INSERT writes, with what the queries in it read, RETURNING's included."""
        returning = node.args.get("returning")
        for item in returning.expressions if returning is not None else ():
            for _ in self.queries.outside_subqueries(item, names, facts):
                pass
        beside = [later() for later in facts.later] + facts.beside
        if written is CLEAR and OPEN in beside:
            # What is written is nobody's, and is made of everybody's rows.
            return OPEN
        beside = [part for part in beside if part is not OPEN]
        return Also(written, tuple(beside)) if beside else written

    def _written(
        self, body: exp.Values, index: int | None, names: QueryScope, facts: Facts
    ) -> Restriction:
        rows: list[Restriction] = []
        for row in body.expressions:
            items = row.expressions if isinstance(row, exp.Tuple) else [row]
            for item in items:
                if not isinstance(item, _PLACEHOLDER_OR_LITERAL):
                    for _ in self.queries.outside_subqueries(item, names, facts):
                        pass
            if index is not None:
                rows.append(value_node(items[index]) if index < len(items) else UNKNOWN)
        if index is None:
            return CLEAR
        return rows[0] if len(rows) == 1 else Rows(tuple(rows))

    def _selected(self, body: exp.Expr, index: int | None, names: QueryScope) -> Restriction:
        """INSERT … SELECT: reads from one tenant, writes to what its column says."""
        branches: list[exp.Expr] = []
        shared = Facts()
        while isinstance(body, exp.SetOperation):
            self.queries.with_clause(body, names, shared)
            if not isinstance(body, exp.Union):
                return self.queries.derive(body, names).node if index is None else UNKNOWN
            branches.append(unwrapped(body.expression))
            body = unwrapped(body.this)
        nodes: list[Restriction] = []
        for branch in [body, *reversed(branches)]:
            if not isinstance(branch, exp.Select) or index is None:
                nodes.append(self.queries.derive(branch, names).node)
                continue
            inner, facts = QueryScope(names, self.vocabulary), Facts()
            self.queries.select(branch, inner, facts, facts.main)
            self._project(branch, index, inner, facts)
            nodes.append(build_restriction(facts, names))
        result = nodes[0] if len(nodes) == 1 else Either(tuple(nodes))
        return Also(result, tuple(shared.beside)) if shared.beside else result

    def _project(self, select: exp.Select, index: int, names: QueryScope, facts: Facts) -> None:
        """The tenant that INSERT … SELECT writes: its column joins the classes of the query."""
        before = select.expressions[: index + 1]
        item = select.expressions[index].unalias() if index < len(select.expressions) else None
        column = bare(item)
        other = names.key(column) if isinstance(column, exp.Column) else None
        if any(isinstance(part, exp.Star) or part.find(exp.Star) for part in before):
            if len(select.expressions) > 1 or (other := names.key_at(index)) is None:
                return
        elif (array := unnested(item)) is not None:
            facts.main.constraints.append((self._written_key(names), _each(tuple(array))))
            return
        if other is None:
            facts.main.constraints.append((self._written_key(names), value_node(item)))
            return
        self._copied(other, names, facts)
        if other in facts.constants:
            # Values that are written count by rows.
            for place, (key, node) in enumerate(facts.main.constraints):
                if key == other and isinstance(node, Named):
                    facts.main.constraints[place] = (key, _each(node.operands))

    def _written_key(self, names: QueryScope) -> Key:
        """A key for the tenant column that is written."""
        columns = self.vocabulary.columns
        return (next(names.numbers), min(columns, key=columns.__getitem__))

    def _copied(self, other: Key, names: QueryScope, facts: Facts) -> None:
        """What is written is another tenant column's, which has to be restricted itself."""
        facts.main.links.append((self._written_key(names), other))
        facts.main.constraints.append((other, UNKNOWN))

    def assigned(self, item: exp.Expr, target: str, names: QueryScope, facts: Facts) -> None:
        """One assignment of SET: a tenant column given to somebody is that tenant's too."""
        left, right = item.this, item.expression
        if isinstance(left, _TUPLE_OR_PAREN):
            lefts = left.expressions if isinstance(left, exp.Tuple) else [left.this]
            rights = right.expressions if isinstance(right, exp.Tuple) else [None] * len(lefts)
            pairs = list(zip(lefts, rights, strict=False))
        else:
            pairs = [(left, right)]
        for column, value in pairs:
            if not isinstance(column, exp.Column):
                continue
            if column.name.lower() in self.vocabulary.columns:
                source = bare(value)
                other = names.key(source) if isinstance(source, exp.Column) else None
                if other is None or not isinstance(source, exp.Column):
                    facts.beside.append(value_node(value))
                elif source.table.lower() not in {"excluded", "", target}:
                    self._copied(other, names, facts)
        if right is not None:
            for _ in self.queries.outside_subqueries(right, names, facts):
                pass

    def _update(self, node: exp.Update, names: QueryScope, facts: Facts) -> Restriction:
        from_ = node.args.get("from_")
        sources = [node.this] + ([from_.this] if from_ is not None else [])
        sources += node.args.get("joins") or []
        add_from(self.queries, sources, names, facts, facts.main)
        where = node.args["where"].this if node.args.get("where") else None
        Conditions(self.queries, names, facts).add(where, facts.main)
        if (saved := saved_tenant(node, self.vocabulary)) is not None:
            (target,) = names.sources.values()
            columns = self.vocabulary.columns
            key = (target.number, min(columns, key=columns.__getitem__))
            facts.main.constraints.append((key, Named((saved,))))
        for item in node.expressions:
            # A row whose tenant is set to NULL becomes nobody's: whose it was is told by WHERE.
            if not isinstance(item.args.get("expression"), exp.Null):
                self.assigned(item, alias_of(node.this), names, facts)
        return build_restriction(facts, names)

    def _delete(self, node: exp.Delete, names: QueryScope, facts: Facts) -> Restriction:
        using = node.args.get("using")
        sources = [node.this, *(using if isinstance(using, list) else [])]
        sources += node.args.get("joins") or []
        add_from(self.queries, sources, names, facts, facts.main)
        where = node.args["where"].this if node.args.get("where") else None
        Conditions(self.queries, names, facts).add(where, facts.main)
        return build_restriction(facts, names)


def _each(operands: tuple[Operand, ...]) -> Rows:
    """Values of which each is a row's."""
    return Rows(tuple(Named((operand,)) for operand in operands))
