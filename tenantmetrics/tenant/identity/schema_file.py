"""What the database's own schema says of tenants: the file that `tenant_schema` names.

The file is JSON, or TOML where its name ends in `.toml`:

    {"tables": {"public.bookings": {
        "tenant": "tenant_id",              the tenant column; null where there is none
        "shared": false,                    its rows are everybody's, such as those of `countries`
        "guarded": true,                    row-level security holds for everybody
        "columns": ["id", "tenant_id", "room_id", "code"],
        "keys": {"bookings_pkey": ["id"]},  unique without NULLs' exceptions, by constraint or index
        "foreign_keys": [{"columns": ["room_id"], "parent": "public.rooms",
                          "parent_columns": ["id"]}]}}}

A table that is not in it is one of which nothing is known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tenantmetrics.errors import ConfigError, why_unreadable

__all__ = ["ForeignKey", "Root", "TableFacts", "TenantSchema", "load_schema"]

_MAX_CHAIN = 8
"""Foreign keys that are followed from a column; the keys of keys end long before."""
_ENTRIES = frozenset({"tenant", "shared", "guarded", "columns", "keys", "foreign_keys"})

_SYSTEM_COLUMNS = frozenset({"ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"})
"""Every table has them, and no list of columns names them."""

Root = tuple[str, str]
"""Table and column of a key that a column's values are."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`columns` of a table point at `parent_columns` of the table `parent`."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class TableFacts:
    """What is known of one table; names in lower case.

    Attributes:
        name: With its schema.
        tenant: Its tenant column; empty for none.
        shared: Its rows are everybody's: reading them is no tenant's business.
        guarded: Row-level security holds whoever connects.
        columns: Its columns.
        complete: They are all that it has.
        keys: Columns that are unique together, by the name of their constraint or index.
        foreign_keys: Its foreign keys.
        roots: Of each column the keys whose values it has, filled once all tables are known.
    """

    name: str
    tenant: str
    shared: bool
    guarded: bool
    columns: frozenset[str]
    keys: Mapping[str, tuple[str, ...]]
    foreign_keys: tuple[ForeignKey, ...]
    complete: bool = False
    roots: dict[str, frozenset[Root]] = field(default_factory=dict)

    def may_have(self, column: str) -> bool:
        """Whether a column without a table's name may be this one's.

        Args:
            column: In lower case.
        """
        return not self.complete or column in self.columns or column in _SYSTEM_COLUMNS

    def in_part(self, column: str) -> bool:
        """Whether a column is a key only together with others, as in `(tenant_id, id)`."""
        groups = [*self.keys.values(), *(key.columns for key in self.foreign_keys)]
        return any(column in group and len(group) > 1 for group in groups)


class TenantSchema:
    """The tables of a schema.

    Args:
        tables: By their names with schema, lower case.
    """

    def __init__(self, tables: Mapping[str, TableFacts]) -> None:
        self._tables = dict(tables)
        self._by_name: dict[str, TableFacts | None] = {}
        for table in tables.values():
            name = table.name.rpartition(".")[2]
            # Of two tables of one name the search path decides, which nobody knows here.
            self._by_name[name] = None if name in self._by_name else table
        self._owned = self._with_owners()
        for table in tables.values():
            for column in table.columns:
                table.roots[column] = self._roots(table, column)

    def table(self, name: str, schema: str = "") -> TableFacts | None:
        """A table by its name; None where nothing is known of it.

        Args:
            name: Without its schema, lower case.
            schema: Its schema, where the statement says it.
        """
        return self._tables.get(f"{schema}.{name}") if schema else self._by_name.get(name)

    def tenant_columns(self) -> Iterator[tuple[str, str]]:
        """Tables without their schema, and the tenant column of each."""
        for name, table in self._by_name.items():
            if table is not None and table.tenant:
                yield name, table.tenant

    def _roots(self, table: TableFacts, column: str) -> frozenset[Root]:
        found: set[Root] = set()
        todo = [(table, column, 0)]
        while todo:
            at, name, depth = todo.pop()
            if (name,) in at.keys.values():
                found.add((at.name, name))
            for key in at.foreign_keys if depth < _MAX_CHAIN else ():
                parent = self._tables.get(key.parent)
                if parent is not None and name in key.columns:
                    other = key.parent_columns[key.columns.index(name)]
                    # Of several columns one alone is a key only where the parent says so too.
                    if (other,) in parent.keys.values():
                        todo.append((parent, other, depth + 1))
        return frozenset(found)

    def is_owned(self, root: Root) -> bool:
        """Whether a key is one of rows of which each is one tenant's."""
        return root[0] in self._owned

    def _with_owners(self) -> frozenset[str]:
        """The tables with a tenant column, and those whose foreign keys lead to one."""
        found = {table.name for table in self._tables.values() if table.tenant}
        while True:
            more = {
                table.name
                for table in self._tables.values()
                if table.name not in found
                and not table.shared
                and any(key.parent in found for key in table.foreign_keys)
            }
            if not more:
                return frozenset(found)
            found |= more


def load_schema(path: str) -> TenantSchema | None:
    """Read the file of the setting `tenant_schema`.

    Args:
        path: Where it is; empty for none.

    Raises:
        ConfigError: It cannot be read, or says something that is not known.
    """
    if not path:
        return None
    try:
        described = _parsed(path)
        tables = [_table(name, entry) for name, entry in described["tables"].items()]
    except (OSError, UnicodeDecodeError) as error:
        why = why_unreadable(error)
        raise ConfigError(f"tenant_schema = {path!r} cannot be read: {why}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"tenant_schema = {path!r} is no schema of tables: {error}") from None
    names = [table.name for table in tables]
    # Two names that differ only in case: which of them is meant cannot be told in a statement.
    return TenantSchema({table.name: table for table in tables if names.count(table.name) == 1})


def _parsed(path: str) -> Any:
    text = Path(path).read_text(encoding="utf-8")
    if not path.endswith(".toml"):
        return json.loads(text)
    import tomllib  # noqa: PLC0415 - 5 ms: only where it is TOML

    return tomllib.loads(text)


def _table(name: str, entry: Mapping[str, Any]) -> TableFacts:
    if unknown := sorted(set(entry) - _ENTRIES):
        raise ValueError(f"table {name!r} has unknown entries {', '.join(unknown)}")
    columns = _names(entry.get("columns", ()))
    keys = {key.lower(): _names(of_key) for key, of_key in entry.get("keys", {}).items()}
    foreign = tuple(
        ForeignKey(_names(key["columns"]), _qualified(key["parent"]), _names(key["parent_columns"]))
        for key in entry.get("foreign_keys", ())
    )
    if any(len(key.columns) != len(key.parent_columns) for key in foreign):
        raise ValueError(f"table {name!r} has a foreign key of unequal length")
    tenant = str(entry.get("tenant") or "").lower()
    spoken = {tenant, *columns, *(c for key in keys.values() for c in key)} - {""}
    spoken |= {column for key in foreign for column in key.columns}
    return TableFacts(
        _qualified(name),
        tenant,
        bool(entry.get("shared", False)) and not tenant,
        bool(entry.get("guarded", False)),
        frozenset(spoken),
        keys,
        foreign,
        complete=bool(entry.get("columns")),
    )


def _names(values: Sequence[str]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise TypeError(f"{values!r} has to be a list")
    return tuple(value.lower() for value in values)


def _qualified(name: str) -> str:
    return name.lower() if "." in name else f"public.{name.lower()}"
