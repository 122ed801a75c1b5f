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
    shown: dict[str, list[str]] = {}
    for tenant in tenants:
        for form in _forms(tenant):
            shown.setdefault(form, []).append(tenant)
    found: dict[str, float] = {}
    for name, ns in names.items():
        owners = shown.get(name, ())
        if name and len(owners) == 1:
            found[owners[0]] = found.get(owners[0], 0.0) + ns
    return found


def _forms(tenant: str) -> set[str]:
    """How PostgreSQL may show a tenant: what is beyond ASCII as `?`, from version 16 on as hex."""
    raw = tenant.encode("utf-8", "replace")
    marks = "".join(chr(byte) if _is_plain(byte) else "?" for byte in raw)
    codes = "".join(chr(byte) if _is_plain(byte) else f"\\x{byte:02x}" for byte in raw)
    whole = raw[:NAME_BYTES].decode("utf-8", "ignore")
    return {whole, marks[:NAME_BYTES], codes[:NAME_BYTES]}


def _is_plain(byte: int) -> bool:
    """Whether PostgreSQL keeps a byte of a name (pg_clean_ascii)."""
    return 32 <= byte <= 126  # noqa: PLR2004 - printable ASCII
