"""What a query is known to restrict, and the node that follows from it.

Tables by alias, tenant columns that are equal, and what they are compared with.

A *key* is one tenant column of one table in the query. Keys that the query equates form a class;
what one of them is compared with holds for all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from sqlglot import exp

from tenantmetrics.tenant.operands import Operand
from tenantmetrics.tenant.plan import (
    Also,
    Either,
    Fixed,
    Found,
    Guarded,
    Joined,
    Named,
    Node,
    Same,
    State,
)
from tenantmetrics.tenant.vocabulary import Vocabulary

__all__ = [
    "CLEAR",
    "OPEN",
    "UNKNOWN",
    "Analysis",
    "Derived",
    "Facts",
    "Key",
    "Names",
    "Sink",
    "Source",
    "finish",
    "is_tenants",
]

OPEN = Fixed(Found(State.OPEN))
UNKNOWN = Fixed(Found(State.UNDECIDED))
CLEAR = Fixed(Found(State.CLEAR))

Key = tuple[int, str]
"""Number of the source, name of the column."""
_OTHER = "\0"
"""Begins the name in the key of a column that is no tenant's, such as tenants.id: where it equals
one that is, what it is compared with is the tenant."""


@dataclass(slots=True)
class Source:
    """One entry of FROM.

    Attributes:
        number: Unique in the statement.
        columns: What a derived table's columns are; None for a real table.
            True: a tenant column; False: something else.
        star: The derived table passes on columns that are not listed.
        open: Its rows may be any tenant's, unless a condition says otherwise.
        restricted: It restricts its rows itself.
    """

    number: int
    columns: dict[str, bool] | None = None
    star: bool = False
    open: bool = False
    restricted: bool = False


@dataclass(slots=True)
class Derived:
    """A common table expression, analysed once for all its uses."""

    node: Node
    columns: dict[str, bool]
    star: bool
    values: dict[str, Node] = field(default_factory=dict)
    """Columns that are plain values: `WITH p AS (SELECT :t AS tenant_id)`."""


class Names:
    """Which alias and which CTE a name means; looks outward.

    Args:
        parent: The query around this one, None at the top.
        vocabulary: The tenant's names.
        numbers: Gives each source its number.
    """

    def __init__(
        self,
        parent: Names | None,
        vocabulary: Vocabulary,
        numbers: Iterator[int] | None = None,
    ) -> None:
        self.parent = parent
        self.vocabulary = vocabulary
        self.numbers: Iterator[int] = (
            numbers or (parent.numbers if parent is not None else None) or itertools.count()
        )
        self.sources: dict[str, Source] = {}
        self.ctes: dict[str, Derived] = {}

    def add(self, alias: str, source: Source) -> None:
        """Enter a source of FROM; an unnamed one gets a name that SQL cannot write."""
        self.sources[alias or f"\0{source.number}"] = source

    def cte(self, name: str) -> Derived | None:
        """The CTE of a name, the innermost first."""
        names: Names | None = self
        while names is not None:
            if name in names.ctes:
                return names.ctes[name]
            names = names.parent
        return None

    def key(self, column: exp.Column) -> Key | None:
        """The tenant column that an expression names, None if it is none."""
        name = column.name.lower()
        qualifier = column.table.lower()
        if qualifier:
            names: Names | None = self
            while names is not None:
                source = names.sources.get(qualifier)
                if source is not None:
                    return self._key_in(source, name)
                names = names.parent
            return (-1 - len(qualifier), name) if name in self.vocabulary.columns else None
        return self._unqualified(name)

    def key_at(self, index: int) -> Key | None:
        """The tenant column that `*` has at a place, where all columns of FROM are known."""
        if len(self.sources) != 1:
            return None
        (source,) = self.sources.values()
        columns = list((source.columns or {}).items())
        if source.star or index >= len(columns) or not columns[index][1]:
            return None
        return (source.number, columns[index][0])

    def other_key(self, column: exp.Column) -> Key | None:
        """The key of a real table's column that is no tenant's, where it is sure whose it is."""
        qualifier = column.table.lower()
        names: Names | None = self
        while names is not None:
            sources = names.sources
            only = next(iter(sources.values())) if not qualifier and len(sources) == 1 else None
            source = sources.get(qualifier, only)
            if source is not None:
                return (source.number, _OTHER + column.name.lower()) if source.open else None
            names = names.parent if qualifier else None
        return None

    def has_several(self) -> bool:
        """Whether a column may be equal to one of another source."""
        return len(self.sources) > 1 or (self.parent is not None and bool(self.parent.sources))

    def _key_in(self, source: Source, name: str) -> Key | None:
        if source.columns is not None and name in source.columns:
            return (source.number, name) if source.columns[name] else None
        if source.columns is not None and not source.star:
            return None
        return (source.number, name) if name in self.vocabulary.columns else None

    def _unqualified(self, name: str) -> Key | None:
        names: Names | None = self
        while names is not None:
            keys = [key for s in names.sources.values() if (key := self._key_in(s, name))]
            if len(keys) == 1:
                return keys[0]
            if keys:
                # One of several tables has it. A derived table that lists it is sure to.
                sure = [
                    (s.number, name)
                    for s in names.sources.values()
                    if s.columns is not None and s.columns.get(name)
                ]
                first = min(source.number for source in names.sources.values())
                return sure[0] if len(sure) == 1 else (-1_000_000 - first, name)
            names = names.parent
        return None


@dataclass(slots=True)
class Sink:
    """Restrictions that hold together.

    Attributes:
        constraints: A key and what it is restricted to.
        links: Two keys that are equal.
        choices: ORs, each a list of branches.
        parts: Restrictions that belong to no key of this query: an EXISTS over a UNION.
        guards: Tests of parameters alone.
    """

    constraints: list[tuple[Key, Node]] = field(default_factory=list)
    links: list[tuple[Key, Key]] = field(default_factory=list)
    choices: list[list[Sink]] = field(default_factory=list)
    parts: list[Node] = field(default_factory=list)
    guards: list[tuple[Operand, bool]] = field(default_factory=list)

    def take(self, other: Sink) -> None:
        """Take over all that another holds, and leave it empty."""
        self.constraints += other.constraints
        self.links += other.links
        self.choices += other.choices
        self.parts += other.parts
        other.constraints, other.links, other.choices, other.parts = [], [], [], []


def is_tenants(key: Key) -> bool:
    """Whether a key is a tenant column's."""
    return not key[1].startswith(_OTHER)


class Facts:
    """All that is known of one query.

    Args:
        parent: The query around it, if it may refer to that one's columns.
    """

    def __init__(self, parent: Facts | None = None) -> None:
        self.parent = parent
        self.main = Sink()
        self.optional = Sink()
        """Restrictions of outer joins' nullable sides: they restrict no row that comes back."""
        self.later: list[Callable[[], Node]] = []
        """Subqueries that restrict nothing; analysed when all else is known."""
        self.beside: list[Node] = []
        """Parts that are read or written beside the query: data-changing CTEs, functions."""
        self.tables = False
        self.constants: set[Key] = set()


class Analysis(Protocol):
    """What conditions need of the analysis around them."""

    def restrict(self, query: exp.Expr, names: Names, facts: Facts, sink: Sink) -> bool:
        """Enter a subquery that must give a row; False where it always gives one."""
        ...

    def projected(
        self, query: exp.Expr, names: Names, facts: Facts, sink: Sink, key: Key
    ) -> Node | None:
        """Enter a subquery whose only column `key` equals; a node, or None where it is linked."""
        ...

    def outside_subqueries(self, node: exp.Expr, names: Names, facts: Facts) -> Iterator[exp.Expr]:
        """All parts of an expression but its subqueries, which are left for later."""
        ...


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

    def unite(self, one: Key, other: Key) -> None:
        one, other = self.root(one), self.root(other)
        if one != other:
            self._parent[one] = other


def finish(facts: Facts, vocabulary: Vocabulary) -> Node:
    """The node that follows from what is known of a query."""
    classes = _Classes()
    constants = set(facts.constants)
    around: list[tuple[Key, Node]] = []
    outer = facts.parent
    for one, other in facts.main.links + facts.optional.links:
        classes.unite(one, other)
    while outer is not None:
        for one, other in outer.main.links:
            classes.unite(one, other)
        around += outer.main.constraints
        constants |= outer.constants
        outer = outer.parent
    own = [*facts.main.constraints]
    for choice in facts.main.choices:
        own += _choice(choice, classes)
    own = _preferred(own, vocabulary)
    main = _by_class(own, classes)
    # Of a correlated subquery's keys, those that equal a column outside are restricted there.
    linked = {classes.root(key) for pair in facts.main.links for key in pair}
    for key, node in around:
        root = classes.root(key)
        if root in linked:
            main.setdefault(root, []).append(node)
    roots_of_constants = {classes.root(key) for key in constants}
    tenants = {
        classes.root(key)
        for key in [
            *(key for pair in facts.main.links + facts.optional.links for key in pair),
            *(key for key, _ in own + facts.optional.constraints),
        ]
        if is_tenants(key)
    }
    real = {
        classes.root(key)
        for pair in [*facts.main.links, *facts.optional.links]
        for key in pair
        if key not in constants and is_tenants(key)
    }
    real |= {classes.root(key) for key, _ in own if key not in constants and is_tenants(key)}
    parts: list[Node] = [
        _same(nodes)
        for root, nodes in main.items()
        # A value in a derived table names nobody until a table's tenant column equals it.
        if root in tenants and (root in real or root not in roots_of_constants)
    ]
    parts += facts.main.parts
    if facts.tables and not any(isinstance(part, Named) for part in parts):
        parts.append(OPEN)
    whole: Node = parts[0] if len(parts) == 1 else Joined(tuple(parts)) if parts else CLEAR
    beside = [later() for later in facts.later] + facts.beside + facts.optional.parts
    optional = [*facts.optional.constraints]
    for choice in facts.optional.choices:
        optional += _choice(choice, classes)
    beside += [
        _same(nodes)
        for root, nodes in _by_class(optional, classes).items()
        # What only narrows a class that all rows restrict says nothing new.
        if root in tenants and not (root in main and all(node is UNKNOWN for node in nodes))
    ]
    beside = [part for part in beside if part not in (CLEAR, OPEN)]
    return Also(whole, tuple(beside)) if beside else whole


def _same(nodes: list[Node]) -> Node:
    return nodes[0] if len(nodes) == 1 else Same(tuple(nodes))


def _by_class(constraints: list[tuple[Key, Node]], classes: _Classes) -> dict[Key, list[Node]]:
    found: dict[Key, list[Node]] = {}
    for key, node in constraints:
        found.setdefault(classes.root(key), []).append(node)
    return found


def _preferred(
    constraints: list[tuple[Key, Node]],
    vocabulary: Vocabulary,
) -> list[tuple[Key, Node]]:
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


def _choice(branches: list[Sink], classes: _Classes) -> list[tuple[Key, Node]]:
    """What an OR restricts: only classes of columns that each branch restricts."""
    found: list[dict[Key, list[Node]]] = []
    for branch in branches:
        constraints = list(branch.constraints)
        for nested in branch.choices:
            constraints += _choice(nested, classes)
        found.append(_by_class(constraints, classes))
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
