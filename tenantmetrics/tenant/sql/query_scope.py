"""What a query is known to restrict.

Tables by alias, tenant columns that are equal, and what they are compared with.

A *key* is one tenant column of one table in the query. Keys that the query equates form a class;
what one of them is compared with holds for all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field

from sqlglot import exp

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.identity.schema_file import TableFacts
from tenantmetrics.tenant.sql.budget import Budget
from tenantmetrics.tenant.sql.evaluate_parameters import Computed
from tenantmetrics.tenant.sql.restrictions import (
    CLEAR,
    OPEN,
    UNKNOWN,
    Restriction,
)

__all__ = [
    "CLEAR",
    "MAX_STEPS",
    "OPEN",
    "UNKNOWN",
    "Derived",
    "Facts",
    "FromItem",
    "Key",
    "QueryScope",
    "Sink",
    "is_tenants",
]

Key = tuple[int, str]
"""Number of the source, name of the column."""
MAX_STEPS = 1_900
"""Steps that the analysis of one statement may take, 2 µs each. The statements of the corpus
take 160 at most."""
_OTHER = "\0"
"""Begins the name in the key of a column that is no tenant's, such as tenants.id: where it equals
one that is, what it is compared with is the tenant."""


@dataclass(slots=True)
class FromItem:
    """One entry of FROM.

    Attributes:
        number: Unique in the statement.
        columns: What a derived table's columns are; None for a real table.
            True: a tenant column; False: something else.
        star: The derived table passes on columns that are not listed.
        open: Its rows may be any tenant's, unless a condition says otherwise.
        restricted: It restricts its rows itself.
        table: What the schema knows of the table that it is.
    """

    number: int
    columns: dict[str, bool] | None = None
    star: bool = False
    open: bool = False
    restricted: bool = False
    table: TableFacts | None = None

    def may_have(self, column: str, vocabulary: Vocabulary) -> bool:
        """Whether the schema allows that a column without a table's name is this source's.

        Args:
            column: In lower case.
            vocabulary: The tenant's names.
        """
        return self.table is None or vocabulary.may_have(self.table, column)


@dataclass(slots=True)
class Derived:
    """A common table expression, analysed once for all its uses."""

    node: Restriction
    columns: dict[str, bool]
    star: bool
    values: dict[str, Restriction] = field(default_factory=dict)
    """Columns that are plain values: `WITH p AS (SELECT :t AS tenant_id)`."""


class QueryScope:
    """Which alias and which CTE a name means; looks outward.

    Args:
        parent: The query around this one, None at the top.
        vocabulary: The tenant's names.
        budget: The steps that the analysis may take; at the top of a statement alone.

    Attributes:
        numbers: Gives each source its number.
    """

    def __init__(
        self,
        parent: QueryScope | None,
        vocabulary: Vocabulary,
        budget: Budget | None = None,
    ) -> None:
        self.parent = parent
        self.vocabulary = vocabulary
        self.numbers: Iterator[int] = parent.numbers if parent is not None else itertools.count()
        self.budget: Budget = budget or (parent.budget if parent is not None else Budget(MAX_STEPS))
        self.sources: dict[str, FromItem] = {}
        self.listed: list[FromItem] = []
        """The sources whose columns are listed."""
        self.ctes: dict[str, Derived] = {}

    def add(self, alias: str, source: FromItem) -> None:
        """Enter a source of FROM; an unnamed one gets a name that SQL cannot write."""
        self.sources[alias or f"\0{source.number}"] = source
        if source.columns is not None:
            self.listed.append(source)

    def cte(self, name: str) -> Derived | None:
        """The CTE of a name, the innermost first."""
        names: QueryScope | None = self
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
            names: QueryScope | None = self
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

    def listed_values(self, constants: Container[Key]) -> list[tuple[str, Key]] | None:
        """The columns of the only source, where it is one of plain values, as `unnest` is."""
        if len(self.sources) != 1:
            return None
        (source,) = self.sources.values()
        if source.columns is None or source.star:
            return None
        keys = [(name, (source.number, name)) for name in source.columns]
        return keys if any(key in constants for _, key in keys) else None

    def other_key(self, column: exp.Column) -> Key | None:
        """The key of a real table's column that is no tenant's, where it is sure whose it is."""
        qualifier = column.table.lower()
        names: QueryScope | None = self
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

    def _key_in(self, source: FromItem, name: str) -> Key | None:
        if source.columns is not None and name in source.columns:
            return (source.number, name) if source.columns[name] else None
        if source.columns is not None and not source.star:
            return None
        return (source.number, name) if name in self.vocabulary.columns else None

    def _unqualified(self, name: str) -> Key | None:
        names: QueryScope | None = self
        vocabulary = self.vocabulary
        usual = name in vocabulary.columns
        fallback: Key | None = None
        while names is not None:
            # A real table has a tenant column only by its usual names.
            sources = names.sources.values() if usual else names.listed
            self.budget.spend(len(sources) // 8)
            keys = [key for s in sources if (key := self._key_in(s, name))]
            if keys and vocabulary.schema is not None:
                fallback = fallback or keys[0]
                keys = [
                    key
                    for s in sources
                    if s.may_have(name, vocabulary) and (key := self._key_in(s, name))
                ]
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
        return fallback


class Sink:
    """Restrictions that hold together.

    Args:
        guards: Tests of parameters alone, without which they need not hold.

    Attributes:
        constraints: A key and what it is restricted to.
        links: Two keys that are equal.
        choices: ORs, each a list of branches.
        parts: Restrictions that belong to no key of this query: an EXISTS over a UNION.
        guards: Tests of parameters alone.
    """

    __slots__ = ("choices", "constraints", "guards", "links", "parts")

    def __init__(self, guards: list[tuple[Computed, bool]] | None = None) -> None:
        self.constraints: list[tuple[Key, Restriction]] = []
        self.links: list[tuple[Key, Key]] = []
        self.choices: list[list[Sink]] = []
        self.parts: list[Restriction] = []
        self.guards: list[tuple[Computed, bool]] = [] if guards is None else guards

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
        self.later: list[Callable[[], Restriction]] = []
        """Subqueries that restrict nothing; analysed when all else is known."""
        self.beside: list[Restriction] = []
        """Parts that are read or written beside the query: data-changing CTEs, functions."""
        self.changes_all = False
        """A data-changing CTE restricts its rows to nobody, whatever the rest says."""
        self.tables = False
        self.constants: set[Key] = set()
        self.given: list[tuple[Key, Restriction]] = []
        """What the constants are, which LATERAL reads before the rest of FROM is known."""
