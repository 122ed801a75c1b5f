"""The explicit tenant: `with tenantmetrics.tenant("acme"):`, right under threads and asyncio.

What a block changes, it changes in the context that it is entered in. A block that is left in
another context undoes nothing there and raises nothing: the two halves of a generator may run in
two threads (FastAPI's synchronous dependencies), and an async generator may be closed by the
garbage collector.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import ContextDecorator
from contextvars import ContextVar
from functools import wraps
from types import TracebackType
from typing import Any, NamedTuple, TypeVar, cast

from tenantmetrics.tenant.identity.tenant_ids import from_text

__all__ = ["current_tenant", "tenant"]

_F = TypeVar("_F", bound=Callable[..., Any])

_current: ContextVar[str | None] = ContextVar("tenantmetrics_tenant", default=None)

current = _current.get
"""The tenant of the running context, or None; bound once because every call asks for it."""


class _Entered(NamedTuple):
    """A block that this context is in, and what was there before."""

    block: tenant
    before: str | None
    outer: _Entered | None


# State stands in the context and not in the block: one block may be entered by many threads.
_entered: ContextVar[_Entered | None] = ContextVar("tenantmetrics_entered", default=None)


class tenant(ContextDecorator):  # noqa: N801 - reads as a word in a with statement
    """Every call in the block, or in the decorated function, is this tenant's.

    It follows the context: an asyncio task or `contextvars.copy_context()` carries it along, a new
    thread starts without one. Blocks nest; the innermost counts. It decorates functions, coroutine
    functions, and generators of both kinds, whose consumer does not see the tenant.

    Args:
        name: The tenant; any string but the empty one. `tenant_ids` says how it is kept.

    Raises:
        TypeError: The name is not a string.
        ValueError: The name is empty.
    """

    __slots__ = ("_name",)

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

    def __enter__(self) -> str:
        """Start the block; gives the name as it is kept."""
        _entered.set(_Entered(self, _current.get(), _entered.get()))
        _current.set(self._name)
        return self._name

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the block: the tenant of before is the current one again."""
        top = _entered.get()
        if top is not None and top.block is self:
            _entered.set(top.outer)
            _current.set(top.before)
        elif top is not None:
            _entered.set(_without(top, self))

    def __call__(self, func: _F) -> _F:
        """Decorate a function of any kind."""
        if inspect.isasyncgenfunction(func):
            return cast("_F", _each_step_of_async(self, func))
        if inspect.isgeneratorfunction(func):
            return cast("_F", _each_step(self, func))
        if inspect.iscoroutinefunction(func):

            @wraps(func)
            async def inside(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await func(*args, **kwargs)

            return cast("_F", inside)
        return super().__call__(func)


def _without(top: _Entered, block: tenant) -> _Entered:
    """The blocks of a context after one below the innermost has ended; the same if it is not there.

    What was before it is now before the one above it.
    """
    above: list[_Entered] = []
    below: _Entered | None = top
    while below is not None and below.block is not block:
        above.append(below)
        below = below.outer
    if below is None:
        return top
    lowest = above.pop()
    rest = _Entered(lowest.block, below.before, below.outer)
    for entry in reversed(above):
        rest = _Entered(entry.block, entry.before, rest)
    return rest


def _each_step(block: tenant, func: Callable[..., Any]) -> Callable[..., Any]:
    """A generator that is in the block while it runs, and out of it while it waits."""

    @wraps(func)
    def inside(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = func(*args, **kwargs)
        advance: Callable[[], Any] = generator.__next__
        try:
            while True:
                try:
                    with block:
                        value = advance()
                except StopIteration as stop:
                    return stop.value
                try:
                    sent = yield value
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001 - it is the generator's to handle
                    thrown = error
                    advance = lambda: generator.throw(thrown)  # noqa: E731, B023 - called next
                else:
                    advance = lambda: generator.send(sent)  # noqa: E731, B023 - called next
        finally:
            with block:
                generator.close()

    return inside


def _each_step_of_async(block: tenant, func: Callable[..., Any]) -> Callable[..., Any]:
    """The same for an asynchronous generator."""

    @wraps(func)
    async def inside(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = func(*args, **kwargs)
        advance: Callable[[], Any] = generator.__anext__
        try:
            while True:
                try:
                    with block:
                        value = await advance()
                except StopAsyncIteration:
                    return
                try:
                    sent = yield value
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001 - it is the generator's to handle
                    thrown = error
                    advance = lambda: generator.athrow(thrown)  # noqa: E731, B023 - called next
                else:
                    advance = lambda: generator.asend(sent)  # noqa: E731, B023 - called next
        finally:
            with block:
                await generator.aclose()

    return inside


def current_tenant() -> str | None:
    """The tenant of the innermost `with tenant(...)` around the caller, or None."""
    return _current.get()
