"""The tenant of a piece of work: a request's, another thread's, or nobody's.

pool.submit(carried(work), booking)     the thread has the caller's tenant
pool.submit(apart(work), booking)       the thread has none, whatever the pool's thread had
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import Any, TypeVar, cast

from tenantmetrics.tenant.identity.tenant_context import _current, _entered, current_tenant, tenant

__all__ = ["apart", "carried", "inside"]

_F = TypeVar("_F", bound=Callable[..., Any])


class _Work(tenant):
    """A block that ends whatever was left open in it too: work that is over leaves nothing.

    Args:
        name: The tenant; None for nobody, whatever is around the block.
    """

    __slots__ = ()

    def __init__(self, name: str | None) -> None:
        if name is not None:
            super().__init__(name)
        else:
            self._name = cast("str", None)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        entry = _entered.get()
        while entry is not None and entry.block is not self:
            entry = entry.outer
        if entry is not None:
            _entered.set(entry.outer)
            _current.set(entry.before)


def inside(name: str | None) -> tenant:
    """A block for one tenant, or for nobody where there is none: nothing is inherited.

    Blocks that are still open in it when it ends, end with it.

    Args:
        name: The tenant, or None.
    """
    return _Work(name)


def carried(func: _F) -> _F:
    """The function, to be called in another thread with the tenant of this one.

    A generator function too: each step of its generator is the tenant's, and so is its end, even if
    nobody closes it and Python does when it collects it, in the middle of another's request.

    Args:
        func: A function of any kind.
    """
    return _in_block(func, inside(current_tenant()))


def apart(func: _F) -> _F:
    """The function, to be called without a tenant.

    Args:
        func: A function of any kind.
    """
    return _in_block(func, inside(None))


def _in_block(func: _F, block: tenant) -> _F:
    return cast("_F", wraps(func)(block(func)))
