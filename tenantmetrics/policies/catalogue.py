"""What the catalogue says of tables, policies, keys, views, functions and roles.

Names are as PostgreSQL has them, without quotes. Nothing here is of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tenantmetrics.policies.names import qualified

__all__ = [
    "Catalogue",
    "CheckConstraint",
    "Column",
    "ForeignKey",
    "Function",
    "Grant",
    "Index",
    "Policy",
    "Role",
    "Sequence",
    "Table",
    "View",
]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name.
        number: Its place, from 1.
        type: As SQL writes it, with its length: "character varying(20)".
        base: The type under its domains, as SQL writes it.
        category: `pg_type.typcategory` of the base: "S" for texts, "N" for numbers.
        kind: `pg_type.typtype` of the base: "e" for an enum.
        not_null: It cannot be NULL, by itself or by its domain.
        default: The default's expression; empty for none.
        identity: "a" (always), "d" (by default) or empty.
        generated: Computed from other columns.
        checks: Definitions of the CHECKs of its domains.
    """

    name: str
    number: int
    type: str
    base: str
    category: str
    kind: str
    not_null: bool
    default: str
    identity: str
    generated: bool
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy: `command` is "*", "r", "a", "w" or "d"; PUBLIC is the role with the empty name."""

    name: str
    command: str
    permissive: bool
    roles: tuple[str, ...]
    using: str
    with_check: str


@dataclass(frozen=True, slots=True)
class Index:
    """An index; a key column that is an expression is None. `constraint` is its name, if any."""

    name: str
    columns: tuple[str | None, ...]
    expressions: str
    unique: bool
    primary: bool
    valid: bool
    partial: bool
    constraint: str
    nulls_not_distinct: bool


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key: `columns` of the table point at `parent_columns` of the table `parent`."""

    name: str
    columns: tuple[str, ...]
    parent: int
    parent_columns: tuple[str, ...]
    definition: str
    deferrable: bool


@dataclass(frozen=True, slots=True)
class CheckConstraint:
    """A CHECK constraint of a table, by the numbers of its columns."""

    name: str
    columns: tuple[int, ...]
    expression: str
    valid: bool


@dataclass(slots=True)
class Table:
    """A table: `kind` is "r", "p" (partitioned) or "f" (foreign)."""

    oid: int
    schema: str
    name: str
    kind: str
    owner: str
    rls: bool
    forced: bool
    is_partition: bool
    parents: tuple[int, ...] = ()
    columns: dict[str, Column] = field(default_factory=dict)
    policies: list[Policy] = field(default_factory=list)
    indexes: list[Index] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    checks: list[CheckConstraint] = field(default_factory=list)

    @property
    def sql(self) -> str:
        """Its name in SQL."""
        return qualified(self.schema, self.name)

    @property
    def pointing(self) -> set[str]:
        """Columns of its foreign keys."""
        return {name for key in self.foreign_keys for name in key.columns}


@dataclass(slots=True)
class View:
    """A view, or a materialised view; `reads` are the oids that its query names."""

    oid: int
    schema: str
    name: str
    materialised: bool
    owner: str
    invoker: bool
    reads: frozenset[int] = frozenset()

    @property
    def sql(self) -> str:
        """Its name in SQL."""
        return qualified(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Function:
    """A function or procedure of a user schema that no extension brought.

    Attributes:
        arguments: Identity arguments, as ALTER FUNCTION takes them.
        types: Types of the arguments that a call must give, as SQL writes them.
        volatility: "i", "s" or "v".
        kind: `pg_proc.prokind`.
        returns: The result's type.
        source: The body; of a body in standard SQL, the statement as PostgreSQL writes it.
        search_path: It sets a search_path of its own.
        grantees: Who may execute it: role names, PUBLIC as the empty name.
    """

    oid: int
    schema: str
    name: str
    arguments: str
    types: tuple[str, ...]
    owner: str
    definer: bool
    volatility: str
    kind: str
    language: str
    returns: str
    returns_set: bool
    source: str
    search_path: bool
    grantees: frozenset[str]

    @property
    def sql(self) -> str:
        """Its signature in SQL."""
        return f"{qualified(self.schema, self.name)}({self.arguments})"


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence, and the table whose column takes its values (0 for none)."""

    oid: int
    schema: str
    name: str
    owner: str
    table: int

    @property
    def sql(self) -> str:
        """Its name in SQL."""
        return qualified(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Role:
    """A role, and the roles that it is a member of, directly."""

    name: str
    superuser: bool
    bypass: bool
    login: bool
    bootstrap: bool
    member_of: frozenset[str]


@dataclass(frozen=True, slots=True)
class Grant:
    """A privilege on a relation, or on a column of it; the empty role is PUBLIC."""

    relation: int
    role: str
    privilege: str
    column: str = ""


@dataclass(slots=True)
class Catalogue:
    """One database, as one snapshot saw it."""

    version: int
    me: str
    tables: dict[int, Table]
    views: dict[int, View]
    functions: list[Function]
    sequences: list[Sequence]
    roles: dict[str, Role]
    grants: list[Grant]
    schema_users: dict[str, frozenset[str]]
    volatile: frozenset[str]
    """Names of PostgreSQL's own functions that are volatile, of those that policies call."""

    def descendants(self, oid: int) -> list[Table]:
        """Partitions and children of a table, theirs included."""
        found: list[Table] = []
        queue = [oid]
        seen = {oid}
        while queue:
            parent = queue.pop()
            for table in self.tables.values():
                if parent in table.parents and table.oid not in seen:
                    seen.add(table.oid)
                    found.append(table)
                    queue.append(table.oid)
        return found

    def ancestors(self, table: Table) -> list[Table]:
        """What a table is a partition or a child of, theirs included."""
        found: list[Table] = []
        queue = list(table.parents)
        while queue:
            parent = self.tables.get(queue.pop())
            if parent is not None and parent not in found:
                found.append(parent)
                queue.extend(parent.parents)
        return found
