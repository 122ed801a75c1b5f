"""Whether a query's conditions tie its tables together.

A restricted table restricts another one only through conditions between the two. In `FROM a, b, c
WHERE a.id = b.aid AND c.tenant_id = :t` all rows of a and b come back, whosever they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from sqlglot import exp

from tenantmetrics.tenant.sql.query_scope import (
    CLEAR,
    OPEN,
    UNKNOWN,
    Facts,
    FromItem,
    Key,
    QueryScope,
    Sink,
    is_tenants,
)
from tenantmetrics.tenant.sql.restrictions import Either, Restriction
from tenantmetrics.tenant.sql.sqlglot_trees import read_from, sources_of, unwrapped

__all__ = ["reaches_outside", "require_connection", "restricts"]

_OUTSIDE = "\0outside"
"""Stands for all sources of the queries around this one."""
# Tuples, because `A | B` inside isinstance() is built anew at each call.
_QUERIES = (exp.Select, exp.SetOperation, exp.Subquery)
_RESTRICTING = (exp.In, exp.Exists, exp.EQ)
_READ_FROM_OTHERS = (exp.Lateral, exp.Unnest, exp.Func)


class _Groups:
    """Sources by what ties them; a union-find over their aliases."""

    def __init__(self, names: QueryScope, restricting: Collection[int] = ()) -> None:
        self._names = names
        self._restricting = restricting
        self._above: dict[str, str] = {}
        self._one = False
        """Whether all are tied already."""
        self.asked: set[str] = set()
        """Sources that a subquery restricts."""

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
                aliases, loose, query = self._spoken_of(part)
                if loose and len(aliases) + loose > 1 and not self._one:
                    # A column without its table's name may be any table's.
                    aliases |= self._names.sources.keys()
                    self._one = True
                self.tie(aliases)
                if query and isinstance(part, _RESTRICTING):
                    self.asked |= aliases

    def _spoken_of(self, part: exp.Expr) -> tuple[set[str], int, bool]:
        """What an expression speaks of.

        Returns:
            The sources that it names, how many columns name none, whether it holds a query that
            restricts its rows.
        """
        found: set[str] = set()
        loose, queries = 0, False
        todo: list[tuple[exp.Expr, frozenset[str], bool]] = [(part, frozenset(), False)]
        while todo:
            node, hidden, inner = todo.pop()
            if isinstance(node, exp.Column):
                alias = node.table.lower()
                if not alias:
                    loose += not inner
                elif alias not in hidden:
                    found.add(self._meant(alias))
                continue
            if isinstance(node, exp.Select):
                hidden |= {
                    (item.alias or item.name).lower() for item, _ in sources_of(read_from(node))
                }
            if isinstance(node, _QUERIES):
                inner = True
                queries = queries or id(node) in self._restricting
            todo += [(child, hidden, inner) for child in node.iter_expressions()]
        found.discard("")
        return found, loose, queries

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


def require_connection(
    items: Sequence[exp.Expr | None],
    conditions: Sequence[exp.Expr | None],
    names: QueryScope,
    facts: Facts,
    sink: Sink,
) -> None:
    """Nothing is known of a statement one of whose tables stands beside the restricted ones.

    Args:
        items: What the statement reads from, its joins included.
        conditions: What all its rows meet.
        names: Its sources.
        facts: Has the restrictions of nullable sides.
        sink: Has the restrictions that hold for every row; gets one that nothing is known of.
    """
    speaks = sink.parts or next(_restricted_keys(sink), None) is not None
    if len(names.sources) < 2 or not speaks:  # noqa: PLR2004
        return
    if not _all_reached(items, conditions, names, facts, sink):
        sink.constraints.append(((next(names.numbers), ""), UNKNOWN))


def _all_reached(
    items: Iterable[exp.Expr | None],
    conditions: Iterable[exp.Expr | None],
    names: QueryScope,
    facts: Facts,
    sink: Sink,
) -> bool:
    """Whether each table is restricted itself or tied to one that is."""
    groups = _Groups(names, facts.restricting)
    groups.read(items)
    for condition in conditions:
        groups.condition(condition)
    numbers = {key[0] for held in (sink, facts.optional) for key in _restricted_keys(held)}
    own = {source.number for source in names.sources.values()}
    for left, right in sink.links:
        if (left[0] in own) != (right[0] in own):
            # What equals a tenant column outside is restricted there, if anywhere.
            numbers |= {left[0], right[0]}
    restricted = {groups.root(alias) for alias in groups.asked}
    open_ones = set()
    for alias, source in names.sources.items():
        if source.restricted or source.number in numbers:
            restricted.add(groups.root(alias))
        if source.open:
            open_ones.add(groups.root(alias))
    unreached = open_ones - restricted
    return not unreached or (not restricted and len(unreached) == 1)


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
    for item, _ in sources_of(items):
        own.add((item.alias or item.name).lower(), FromItem(next(names.numbers)))
    groups = _Groups(own)
    groups.read(items)
    for clause in ("where", "having"):
        if (condition := select.args.get(clause)) is not None:
            groups.condition(condition.this)
    outside = groups.root(_OUTSIDE)
    return all(groups.root(alias) == outside for alias in own.sources)


def restricts(sink: Sink) -> bool:
    """Whether anything in a sink restricts rows to tenants that are known."""
    if any(is_tenants(key) and node is not UNKNOWN for key, node in sink.constraints):
        return True
    if any(map(_restricts_rows, sink.parts)):
        return True
    return any(all(map(restricts, choice)) for choice in sink.choices)


def _restricts_rows(node: Restriction) -> bool:
    if isinstance(node, Either):
        return all(map(_restricts_rows, node.branches))
    return node is not OPEN and node is not CLEAR and node is not UNKNOWN


def _restricted_keys(sink: Sink) -> Iterator[Key]:
    """The tenant columns that a sink restricts, under OR too."""
    for key, _ in sink.constraints:
        if is_tenants(key):
            yield key
    for choice in sink.choices:
        for branch in choice:
            yield from _restricted_keys(branch)
