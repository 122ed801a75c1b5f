"""The explicit tenant: `with tenantmetrics.tenant("acme"):`, right under threads and asyncio."""

from __future__ import annotations

from contextlib import ContextDecorator
from contextvars import ContextVar, Token
from types import TracebackType

from tenantmetrics.tenant.identity.tenant_ids import from_text

__all__ = ["current_tenant", "tenant"]

_current: ContextVar[str | None] = ContextVar("tenantmetrics_tenant", default=None)

current = _current.get
"""The tenant of the running context, or None; bound once because every call asks for it."""


class tenant(ContextDecorator):  # noqa: N801 - reads as a word in a with statement
    """Every call in the block, or in the decorated function, is this tenant's.

    It follows the context: an asyncio task or `contextvars.copy_context()` carries it along, a new
    thread starts without one. Blocks nest; the innermost counts. A decorated coroutine function
    keeps it only until the coroutine is created, so use the `with` form inside coroutines.

    Args:
        name: The tenant; any text but the empty one. `tenant_ids` says how it is kept.

    Raises:
        TypeError: The name is not a text.
        ValueError: The name is empty.
    """

    __slots__ = ("_name", "_tokens")

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(
                f"tenant() takes the tenant's name as str, not {type(name).__name__}: "
                "convert numbers and UUIDs with str()",
            )
        found = from_text(name)
        if found is None:
            raise ValueError(
                "tenant() needs a name that is not empty: leave the block out for calls "
                "that are nobody's",
            )
        self._name = found
        # A stack, because one object may be entered again inside itself (a recursive function).
        self._tokens: list[Token[str | None]] = []

    def _recreate_cm(self) -> tenant:
        return type(self)(self._name)

    def __enter__(self) -> str:
        """Start the block; gives the name as it is kept."""
        self._tokens.append(_current.set(self._name))
        return self._name

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the block: the tenant of before is the current one again."""
        _current.reset(self._tokens.pop())


def current_tenant() -> str | None:
    """The tenant of the innermost `with tenant(...)` around the caller, or None."""
    return _current.get()
