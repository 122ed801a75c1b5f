"""The server's load by `application_name`, where transactions set it to the tenant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["NAME_BYTES", "named_ns"]

NAME_BYTES = 63
"""PostgreSQL cuts `application_name` at NAMEDATALEN - 1 bytes (its manual, "Error Reporting and
Logging")."""


def named_ns(names: Mapping[str, float], tenants: Iterable[str]) -> dict[str, float]:
    """What is named as a tenant's; a name that two tenants share when cut is nobody's.

    Args:
        names: Load by name.
        tenants: The tenants of the record.
    """
    cut: dict[str, list[str]] = {}
    for tenant in tenants:
        cut.setdefault(_cut(tenant), []).append(tenant)
    found = {}
    for name, ns in names.items():
        owners = cut.get(name, ())
        if name and len(owners) == 1:
            found[owners[0]] = ns
    return found


def _cut(tenant: str) -> str:
    """The name as PostgreSQL keeps it: ASCII other than printable is shown as `?` there."""
    return tenant.encode()[:NAME_BYTES].decode("utf-8", "ignore")
