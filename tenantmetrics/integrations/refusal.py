"""The answer to a request that names no tenant, or names one badly.

The body is the same whatever the reason: it tells nobody which tenants there are. The reason goes
to the log, without any value of the request.
"""

from __future__ import annotations

import contextlib
import threading

from tenantmetrics.errors import TenantMetricsError
from tenantmetrics.life import in_children
from tenantmetrics.logs import LineBudget, logger

__all__ = ["BODIES", "CHALLENGE", "RefusedRequestError", "headers", "log"]

BODIES = {400: b'{"error":"bad request"}', 401: b'{"error":"unauthorized"}'}
"""Status → the whole body."""
CHALLENGE = "Bearer"
"""`WWW-Authenticate` of a 401 (RFC 9110, 11.6.1: a 401 has one)."""

_budget = LineBudget()
_lock = threading.Lock()


class RefusedRequestError(TenantMetricsError):
    """A request names no tenant, or names one badly; adapters answer it.

    Args:
        reason: What is wrong, without any value of the request.
        status: 400, or 401 where credentials are missing or wrong.

    Attributes:
        reason: As given.
        status: As given.
    """

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(f"the request was refused: {reason}")
        self.reason = reason
        self.status = status

    @property
    def body(self) -> bytes:
        """What the client gets, JSON; it does not depend on the reason."""
        return BODIES[self.status]


def headers(refused: RefusedRequestError) -> list[tuple[str, str]]:
    """The response's headers.

    Args:
        refused: What to answer.
    """
    found = [
        ("content-type", "application/json"),
        ("content-length", str(len(refused.body))),
        ("cache-control", "no-store"),
    ]
    return [*found, ("www-authenticate", CHALLENGE)] if refused.status == 401 else found  # noqa: PLR2004 - HTTP's number


def log(refused: RefusedRequestError) -> None:
    """Log why a request was refused; at most `LINES_PER_MINUTE`.

    Args:
        refused: What is answered.
    """
    with _lock:
        left_out = _budget.take()
    if left_out is None:
        return
    # The application's own structlog processors run here; theirs may fail, and the client must get
    # its answer.
    with contextlib.suppress(Exception):
        logger().warning(
            "tenantmetrics.request_refused",
            reason=refused.reason,
            status=refused.status,
            left_out=left_out,
        )


def _after_fork() -> None:
    """Replace the lock: another thread of the parent may have held it."""
    global _lock
    _lock = threading.Lock()


in_children(_after_fork)
