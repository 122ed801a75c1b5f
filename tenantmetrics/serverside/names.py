r"""How a tenant looks as PostgreSQL's `application_name`.

PostgreSQL writes what is not printable ASCII as `\xc3\xa4` (16 and later) or as `??` (before),
and shows 63 bytes (manual, "application_name"). Two tenants may look alike then; neither is to be
guessed.
"""

from __future__ import annotations

from tenantmetrics.limits import APPLICATION_NAME_MAX_BYTES

__all__ = ["application_names"]

_PRINTABLE = range(32, 127)


def application_names(tenant: str) -> tuple[str, ...]:
    """The names that a tenant's sessions may have, by PostgreSQL's version; mostly one.

    Args:
        tenant: What the application set `application_name` to.
    """
    # Cut as a name first, between characters; what the escapes make longer is cut again.
    whole = tenant.encode("utf-8", "backslashreplace")[:APPLICATION_NAME_MAX_BYTES]
    raw = whole.decode("utf-8", "ignore").encode()
    escaped = "".join(chr(byte) if byte in _PRINTABLE else f"\\x{byte:02x}" for byte in raw)
    marked = "".join(chr(byte) if byte in _PRINTABLE else "?" for byte in raw)
    shown = (name[:APPLICATION_NAME_MAX_BYTES] for name in (escaped, marked))
    return tuple(dict.fromkeys(shown))
