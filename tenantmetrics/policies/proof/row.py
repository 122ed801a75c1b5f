"""A row that was made for a tenant, and the INSERT that makes one."""

from __future__ import annotations

from dataclasses import dataclass

from tenantmetrics.policies.catalogue import Table
from tenantmetrics.policies.names import quoted

__all__ = ["Row", "inserting"]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of one tenant's.

    Attributes:
        tenant: As the variable has it.
        given: Column → value, as it was inserted.
        known: Column → value, as the database has it: keys, defaults included.
        place: `tableoid` and `ctid`.
    """

    tenant: str
    given: dict[str, str]
    known: dict[str, str | None]
    place: tuple[int, str]


def inserting(table: Table, values: dict[str, str]) -> tuple[str, dict[str, str]]:
    """INSERT of a row, and its parameters.

    Args:
        table: The table.
        values: Column → value as text.
    """
    if not values:
        return f"INSERT INTO {table.sql} DEFAULT VALUES", {}
    names = ", ".join(quoted(name) for name in values)
    casts = ", ".join(
        f"CAST(CAST(:v{n} AS text) AS {table.columns[name].type})" for n, name in enumerate(values)
    )
    # Identity columns that are always generated take a value with these words alone.
    words = " OVERRIDING SYSTEM VALUE" if any(table.columns[n].identity for n in values) else ""
    parameters = {f"v{n}": value for n, value in enumerate(values.values())}
    return f"INSERT INTO {table.sql} ({names}){words} VALUES ({casts})", parameters  # noqa: S608
