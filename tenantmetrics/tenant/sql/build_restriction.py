"""From what is known of a query to the node of its plan."""

from __future__ import annotations

from collections.abc import Sequence

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.query_scope import (
    CLEAR,
    OPEN,
    UNKNOWN,
    Facts,
    Key,
    QueryScope,
    Sink,
    is_tenants,
)
from tenantmetrics.tenant.sql.restrictions import (
    Also,
    Either,
    Guarded,
    Joined,
    Named,
    Restriction,
    Same,
)

__all__ = ["are_one", "build_restriction"]

_Constraints = list[tuple[Key, Restriction]]


def build_restriction(facts: Facts, names: QueryScope) -> Restriction:
    """The node that follows from what is known of a query.

    Args:
        facts: All that is known.
        names: What its names mean.
    """
    sink, optional = facts.main, facts.optional
    only = _only_value(facts)
    if only is not None:
        beside = [later() for later in facts.later] + facts.beside
        return _with(only, beside)
    classes = _Classes()
    links = sink.links + optional.links
    names.budget.spend(_weight(sink) + _weight(optional))
    for left, right in links:
        classes.unite(left, right)
    around, constants = _around(facts, classes, names)
    own = _chosen(sink, classes)
    if len(own) > 1:
        own = _preferred(own, names.vocabulary)
    narrowed = _chosen(optional, classes)
    main = _by_class(own, classes)
    # Of a correlated subquery's keys, those that equal a column outside are restricted there.
    linked = {classes.root(key) for pair in sink.links for key in pair} if around else ()
    for key, node in around:
        root = classes.root(key)
        if root in linked:
            main.setdefault(root, []).append(node)
    spoken = [key for pair in links for key in pair]
    spoken += [key for key, _ in own]
    tenants = {classes.root(key) for key in spoken if is_tenants(key) and key not in constants}
    unmet = {classes.root(key) for key in constants} - tenants
    tenants.update(classes.root(key) for key, _ in narrowed if is_tenants(key))
    parts: list[Restriction] = [
        _same(nodes)
        for root, nodes in main.items()
        # A value in a derived table names nobody until a table's tenant column equals it.
        if root in tenants and root not in unmet
    ]
    parts += sink.parts
    if facts.tables and not any(isinstance(part, Named) for part in parts):
        parts.append(OPEN)
    whole: Restriction = CLEAR
    if parts:
        whole = parts[0] if len(parts) == 1 or are_one(parts) else Joined(tuple(parts))
    if facts.changes_all and whole is not OPEN and whole is not CLEAR:
        return UNKNOWN
    beside = [later() for later in facts.later] + facts.beside + optional.parts
    beside += [
        _same(nodes)
        for root, nodes in _by_class(narrowed, classes).items()
        # What only narrows a class that all rows restrict says nothing new.
        if root in tenants and not (root in main and all(node is UNKNOWN for node in nodes))
    ]
    return _with(whole, beside)


def _with(whole: Restriction, beside: list[Restriction]) -> Restriction:
    """What a query names, with what is read beside it."""
    # Open parts beside rows of nobody's are all that is read: `SELECT EXISTS (SELECT …)`.
    dropped = (CLEAR,) if whole is CLEAR else (CLEAR, OPEN)
    beside = [part for part in beside if part not in dropped]
    return Also(whole, tuple(beside)) if beside else whole


def _only_value(facts: Facts) -> Named | None:
    """The one value that the query is restricted to, where nothing else is said of any.

    However its tables are tied then, that is what it names. None where more is said than what
    tenant columns equal, or where the ties alone tell whether the value restricts this query.
    """
    sink, optional = facts.main, facts.optional
    if (
        sink.choices
        or sink.parts
        or optional.constraints
        or optional.links
        or optional.choices
        or optional.parts
        or facts.changes_all
        or facts.constants
    ):
        return None
    said = sink.constraints
    holds = bool(said)
    outer = facts.parent
    while outer is not None:
        if outer.constants:
            return None
        around = outer.main.constraints
        if not holds and around:
            linked = {key for pair in sink.links for key in pair}
            holds = any(key in linked for key, _ in around)
        said = said + around
        outer = outer.parent
    if not holds or not are_one([node for _, node in said]):
        return None
    if not all([is_tenants(key) for key, _ in said]):  # noqa: C419 - half of the time
        return None
    first = said[0][1]
    return first if isinstance(first, Named) else None


def _around(facts: Facts, classes: _Classes, names: QueryScope) -> tuple[_Constraints, set[Key]]:
    """What the queries around restrict, and the constants of all."""
    found: _Constraints = []
    constants = facts.constants
    outer = facts.parent
    while outer is not None:
        names.budget.spend(len(outer.main.links) + len(outer.main.constraints) // 8)
        for left, right in outer.main.links:
            classes.unite(left, right)
        found += outer.main.constraints or outer.given
        constants = constants | outer.constants
        outer = outer.parent
    return found, constants


def _weight(sink: Sink) -> int:
    """About how many microseconds a sink's restrictions take."""
    return len(sink.constraints) + len(sink.links)


def _chosen(sink: Sink, classes: _Classes) -> _Constraints:
    """A sink's restrictions, those of its ORs included."""
    found = sink.constraints
    for choice in sink.choices:
        found = found + _choice(choice, classes)
    return found


class _Classes:
    """Union-find over keys."""

    def __init__(self) -> None:
        self._parent: dict[Key, Key] = {}

    def root(self, key: Key) -> Key:
        path = []
        while (above := self._parent.get(key, key)) != key:
            path.append(key)
            key = above
        for passed in path:
            self._parent[passed] = key
        return key

    def unite(self, left: Key, right: Key) -> None:
        left, right = self.root(left), self.root(right)
        if left != right:
            self._parent[left] = right


def _same(nodes: list[Restriction]) -> Restriction:
    return nodes[0] if len(nodes) == 1 or are_one(nodes) else Same(tuple(nodes))


def are_one(nodes: Sequence[Restriction]) -> bool:
    """Whether all are the same value: most statements name their tenant once for each table.

    Args:
        nodes: Restrictions, one at least.
    """
    first = nodes[0]
    return isinstance(first, Named) and all(node is first or node == first for node in nodes)


def _by_class(constraints: _Constraints, classes: _Classes) -> dict[Key, list[Restriction]]:
    found: dict[Key, list[Restriction]] = {}
    for key, node in constraints:
        found.setdefault(classes.root(key), []).append(node)
    return found


def _preferred(
    constraints: _Constraints,
    vocabulary: Vocabulary,
) -> _Constraints:
    """Where a table is restricted by two tenant columns, the one that is configured first.

    `tenant_id = 7 AND tenant = 'acme'` names one tenant twice, in two alphabets.
    """
    best: dict[int, int] = {}
    for (source, column), node in constraints:
        if node is not UNKNOWN and column in vocabulary.columns:
            rank = vocabulary.columns[column]
            best[source] = min(rank, best.get(source, rank))
    return [
        ((source, column), node)
        for (source, column), node in constraints
        if column not in vocabulary.columns
        or vocabulary.columns[column] <= best.get(source, len(vocabulary.columns))
    ]


def _choice(branches: list[Sink], classes: _Classes) -> _Constraints:
    """What an OR restricts: only classes of columns that each branch restricts."""
    found = [_by_class(_chosen(branch, classes), classes) for branch in branches]
    roots = dict.fromkeys(root for branch in found for root in branch)
    return [
        (
            root,
            Either(
                tuple(
                    Guarded(
                        _same(nodes[root]) if root in nodes else OPEN,
                        tuple(branch.guards),
                    )
                    for branch, nodes in zip(branches, found, strict=True)
                ),
            ),
        )
        for root in roots
    ]
