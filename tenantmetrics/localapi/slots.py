"""PostgreSQL's slots for connections: one that was left a moment ago may still be taken."""

from __future__ import annotations

__all__ = ["LEAVES_WITHIN_S", "RETRY_S", "is_full"]

LEAVES_WITHIN_S = 5.0
"""A backend that was told to go leaves its slot within milliseconds; on a busy machine, seconds."""
RETRY_S = 0.02
_NO_SLOT = ("too many clients", "connection slots are reserved", "too many connections")
"""How PostgreSQL says that it takes no further connection (postinit.c, proc.c)."""


def is_full(error: Exception) -> bool:
    """Whether libpq's text says that PostgreSQL has no slot left for this connection."""
    return any(part in str(error) for part in _NO_SLOT)
