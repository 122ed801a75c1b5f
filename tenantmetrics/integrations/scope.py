"""The tenant of a piece of work: a request's, another thread's, or nobody's.

pool.submit(carried(work), booking)     the thread has the caller's tenant
pool.submit(apart(work), booking)       the thread has none, whatever the pool's thread had
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from tenantmetrics.tenant.identity.context import current_tenant, tenant

__all__ = ["apart", "carried", "inside"]

_F = TypeVar("_F", bound=Callable[..., Any])


class _Nobody(tenant):
    """A block in which there is no tenant, whatever is around it."""

    __slots__ = ()

    def __init__(self) -> None:
        self._name = cast("str", None)


def inside(name: str | None) -> tenant:
    """A block for one tenant, or for nobody where there is none: nothing is inherited.

    Args:
        name: The tenant, or None.
    """
    return _Nobody() if name is None else tenant(name)


def carried(func: _F) -> _F:
    """The function, to be called in another thread with the tenant of this one.

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
