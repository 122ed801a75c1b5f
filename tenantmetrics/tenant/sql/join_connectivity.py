"""Whether a subquery's conditions tie its sources to the query around it.

`:user IN (SELECT user_id FROM members WHERE tenant_id = :t)` holds for all rows outside or for
none, and says nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from tenantmetrics.tenant.sql.budget import Budget
from tenantmetrics.tenant.sql.proof.joins import conjuncts
from tenantmetrics.tenant.sql.proof.key_names import is_key_name
from tenantmetrics.tenant.sql.query_scope import FromItem, QueryScope
from tenantmetrics.tenant.sql.schema_ties import facts_of
from tenantmetrics.tenant.sql.sqlglot_trees import (
    alias_columns,
    read_from,
    sources_of,
    unwrapped,
)
from tenantmetrics.tenant.sql.value_expressions import bare

__all__ = ["is_by_a_parameter_outside", "reaches_outside"]

_OUTSIDE = "\0outside"
"""Stands for all sources of the queries around this one."""
_VISITS_OF_A_STEP = 2
# Tuples, because `A | B` inside isinstance() is built anew at each call.
_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery)
_READ_FROM_OTHERS = (exp.Lateral, exp.Unnest, exp.Func)


class _Groups:
    """Sources by what ties them; a union-find over their aliases."""

    def __init__(self, names: QueryScope) -> None:
        self._names = names
        self._above: dict[str, str] = {}
        self._one = False
        """Whether all are tied already."""

    def root(self, alias: str) -> str:
        while (above := self._above.get(alias, alias)) != alias:
            alias = above
        return alias

    def tie(self, aliases: Iterable[str]) -> None:
        first = ""
        for alias in aliases:
            if alias and not first:
                first = self.root(alias)
            elif alias:
                self._above[self.root(alias)] = first

    def read(self, items: Iterable[exp.Expr | None]) -> None:
        """Take the joins' conditions, and what LATERAL and functions read of other sources."""
        before: list[str] = []
        for item, join in sources_of(items):
            alias = (item.alias or item.name).lower()
            if isinstance(item, _READ_FROM_OTHERS) or isinstance(item.this, exp.Func):
                self.tie([alias, *self._spoken_of(item)[0]])
            if join is not None:
                if before and (join.args.get("using") or join.args.get("method")):
                    self.tie([before[0], alias])
                self.condition(join.args.get("on"))
            before.append(alias)

    def condition(self, condition: exp.Expr | None) -> None:
        """Take a condition; each part of an AND ties what it speaks of."""
        todo = [condition]
        while todo:
            part = todo.pop()
            while isinstance(part, exp.Paren):
                part = part.this
            if isinstance(part, exp.And):
                todo += [part.this, part.expression]
            elif isinstance(part, exp.EQ) and _is_named(part.this) and _is_named(part.expression):
                # Most conditions of joins: a column of each side.
                self.tie(self._meant(side.table.lower()) for side in (part.this, part.expression))
            elif part is not None:
                aliases, loose = self._spoken_of(part)
                if loose and len(aliases) + loose > 1:
                    # A column without its table's name may be any table's; of those that are tied
                    # already, the first stands for all.
                    own = list(self._names.sources)
                    aliases.update(own[:1] if self._one else own)
                    self._one = True
                self.tie(aliases)

    def _spoken_of(self, part: exp.Expr) -> tuple[set[str], int]:
        """What an expression speaks of.

        Returns:
            The sources that it names, and how many columns name none.
        """
        found: set[str] = set()
        loose = visited = 0
        todo: list[tuple[exp.Expr, frozenset[str], bool]] = [(part, frozenset(), False)]
        while todo:
            node, hidden, inner = todo.pop()
            visited += 1
            if isinstance(node, exp.Column):
                alias = node.table.lower()
                if not alias and not inner:
                    if self._is_outside(node.name.lower()):
                        found.add(_OUTSIDE)
                    else:
                        loose += 1
                elif alias and alias not in hidden:
                    found.add(self._meant(alias))
                continue
            if isinstance(node, exp.Select):
                hidden |= {
                    (item.alias or item.name).lower() for item, _ in sources_of(read_from(node))
                }
            if isinstance(node, _QUERIES):
                inner = True
            todo += [(child, hidden, inner) for child in node.iter_expressions()]
        # Of subqueries in each other, each walks over all below it.
        self._names.budget.spend(visited // _VISITS_OF_A_STEP)
        found.discard("")
        return found, loose

    def _is_outside(self, column: str) -> bool:
        """Whether the schema knows that no source here has a column."""
        vocabulary = self._names.vocabulary
        return vocabulary.schema is not None and not any(
            source.may_have(column, vocabulary) for source in self._names.sources.values()
        )

    def _meant(self, alias: str) -> str:
        if alias in self._names.sources:
            return alias
        names = self._names.parent
        while names is not None:
            if alias in names.sources:
                return _OUTSIDE
            names = names.parent
        return ""


def _is_named(side: exp.Expr) -> bool:
    return isinstance(side, exp.Column) and bool(side.table)


def reaches_outside(query: exp.Expr, names: QueryScope) -> bool:
    """Whether a subquery's conditions tie all its sources to the query around it.

    Args:
        query: The subquery; of a UNION, each branch has to.
        names: The sources around it.
    """
    todo = [query]
    while todo:
        node = unwrapped(todo.pop())
        if isinstance(node, exp.SetOperation):
            todo += [node.this, node.expression]
        elif not isinstance(node, exp.Select) or not _select_reaches(node, names):
            return False
    return True


def _select_reaches(select: exp.Select, names: QueryScope) -> bool:
    own = QueryScope(names, names.vocabulary)
    items = read_from(select)
    schema = names.vocabulary.schema
    for item, _ in sources_of(items):
        source = FromItem(next(names.numbers))
        is_query = select.args.get("with_") or names.cte(item.name.lower())
        if (item.args.get("db") or not is_query) and not alias_columns(item):
            source.table = facts_of(item, schema)
        own.add((item.alias or item.name).lower(), source)
    groups = _Groups(own)
    groups.read(items)
    for clause in ("where", "having"):
        if (condition := select.args.get(clause)) is not None:
            groups.condition(condition.this)
    outside = groups.root(_OUTSIDE)
    return all(groups.root(alias) == outside for alias in own.sources)


def is_by_a_parameter_outside(query: exp.Expr, budget: Budget) -> bool:
    """Whether a key in a subquery is equal to a parameter that a key outside is equal to.

    `l.order_id = :order AND EXISTS (SELECT 1 FROM orders o WHERE o.id = :order)` speaks of the
    order of the rows outside. The proof tells whether that closes their tables.

    Args:
        query: The subquery.
        budget: The steps that the analysis may take.
    """
    around = query.find_ancestor(exp.Select, exp.Update, exp.Delete)
    if around is None or not (inside := _parameters(unwrapped(query), budget)):
        return False
    return not inside.isdisjoint(_parameters(around, budget))


def _parameters(node: exp.Expr, budget: Budget) -> set[str]:
    """The parameters that keys are equal to in each row of a query or change."""
    where = node.args.get("where")
    found = set()
    for part, negated in conjuncts(where.this) if where is not None else ():
        budget.spend(1)
        if isinstance(part, exp.EQ) and not negated:
            column, value = bare(part.this), bare(part.expression)
            if isinstance(value, exp.Column):
                column, value = value, column
            if (
                isinstance(column, exp.Column)
                and is_key_name(column.name.lower())
                and isinstance(value, exp.Placeholder)
            ):
                found.add(value.name)
    return found
