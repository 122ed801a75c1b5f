"""The client of a call, which may go away before its answer.

The application makes one for each request and says when the client has gone, or when the endpoint
stops; whoever waits for PostgreSQL on the call's behalf asks to be told, and ends its statement.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from tenantmetrics.dataapi.errors import ApiError

__all__ = ["CALLER", "Caller"]


class Caller:
    """Whoever waits for a call's answer."""

    __slots__ = ("_reason", "_told")

    def __init__(self) -> None:
        self._reason: ApiError | None = None
        self._told: Callable[[], None] | None = None

    @property
    def reason(self) -> ApiError | None:
        """Why nobody waits any more, as the Data API would say it; None while somebody does."""
        return self._reason

    def leave(self, reason: ApiError) -> None:
        """Nobody waits any more; only the first reason counts."""
        if self._reason is None:
            self._reason = reason
            if self._told is not None:
                self._told()

    def tell(self, told: Callable[[], None] | None) -> None:
        """Have something done when the client leaves; None: nothing any more."""
        self._told = told


CALLER: ContextVar[Caller | None] = ContextVar("tenantmetrics_local_caller", default=None)
"""The caller of the call that this task carries out."""
