"""Whose a request is: an ordered list of ways, and what is done with what they say.

    identity = Identity(
        FromJwt(jwks_url="https://id.example.com/jwks", algorithms=["RS256"], audience="api"),
        FromHost("{tenant}.example.com"),
        exempt=("/health", "/static/*"),
    )

Contract: the first way that finds a tenant decides. What a way finds wrong (a token that does not
hold, a header that was sent twice) refuses the request: no other way is asked. Two ways that find
two tenants refuse it too. What was found is validated before anything runs in its name.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import Any

from tenantmetrics.errors import ConfigError, RlsError
from tenantmetrics.integrations.jwt import FromJwt
from tenantmetrics.integrations.refusal import RefusedRequestError
from tenantmetrics.integrations.request import WebRequest, is_plain
from tenantmetrics.integrations.ways import (
    FromAuthorizer,
    FromFunction,
    FromHeader,
    FromHost,
    FromPath,
    FromSession,
    Way,
    name_of,
)
from tenantmetrics.rls.rules import Context, Rules, settings
from tenantmetrics.tenant.identity.tenant_context import current_tenant

__all__ = [
    "FromAuthorizer",
    "FromFunction",
    "FromHeader",
    "FromHost",
    "FromJwt",
    "FromPath",
    "FromSession",
    "Identity",
    "RefusedRequestError",
    "WebRequest",
    "current_tenant",
]

_Steps = Generator[tuple[Callable[..., Any], Any], Any, str | None]


class Identity:
    """How a request's tenant is found; one object may serve any number of threads and tasks.

    Args:
        *ways: Asked in this order.
        exempt: Paths that need no tenant and get none: "/health", or "/static/*" with all below.
        strict: Whether a request without a tenant is refused (401). Without, it is nobody's.
        agree: Whether ways after the one that found a tenant are asked too, and two tenants refuse
            the request (400). Without, the first is believed.
        rules: What a tenant may look like; those of `tenantmetrics.rls` by default.
        known: Says whether there is such a tenant; one that is not is refused like one without
            credentials (401). A coroutine function in ASGI applications, if you like.

    Raises:
        ConfigError: No way is given, or an exempt path is none.
    """

    def __init__(
        self,
        *ways: Way,
        exempt: Iterable[str] = (),
        strict: bool = True,
        agree: bool = True,
        rules: Rules | None = None,
        known: Callable[[str], bool | Awaitable[bool]] | None = None,
    ) -> None:
        if not ways:
            raise ConfigError("Identity needs a way of finding the tenant, such as FromJwt(…)")
        self._ways = ways
        self._exact, self._below = _exemptions(exempt)
        self._strict, self._agree = strict, agree
        self._rules = rules or Rules()
        self._known = known

    @property
    def needs_async(self) -> bool:
        """Whether a way, or `known`, is a coroutine function, which only ASGI can wait for."""
        functions = [way.tenant for way in self._ways] + [self._known]
        return any(inspect.iscoroutinefunction(function) for function in functions)

    def is_exempt(self, path: str) -> bool:
        """Whether a path needs no tenant; a path that can be read in two ways always does.

        Args:
            path: Decoded, without what the application is mounted at.
        """
        if not (self._exact or self._below) or not is_plain(path):
            return False
        return path in self._exact or path.startswith(self._below)

    def find(self, request: WebRequest) -> str | None:
        """The tenant of a request; None for an exempt path, or where none is needed.

        Args:
            request: The request.

        Raises:
            RefusedRequestError: It is to be answered, and the application not called.
        """
        steps = self._steps(request)
        answer = None
        while True:
            try:
                function, argument = steps.send(answer)
            except StopIteration as done:
                return _name(done.value)
            answer = function(argument)
            if inspect.isawaitable(answer):
                # Taken for an answer, it would be true whatever it says.
                getattr(answer, "close", lambda: None)()
                raise ConfigError(f"{function!r} has to be awaited, which only ASGI can do")

    async def find_async(
        self,
        request: WebRequest,
        on_thread: Callable[..., Awaitable[Any]] = asyncio.to_thread,
    ) -> str | None:
        """The same on an event loop, which nothing here blocks. As `find`.

        Args:
            request: The request.
            on_thread: Calls a function, given after it its argument, on a thread.
        """
        steps = self._steps(request)
        answer = None
        while True:
            try:
                function, argument = steps.send(answer)
            except StopIteration as done:
                return _name(done.value)
            if inspect.iscoroutinefunction(function):
                answer = await function(argument)
            else:
                answer = await on_thread(function, argument)
            if inspect.isawaitable(answer):
                answer = await answer

    def _steps(self, request: WebRequest) -> _Steps:
        """Yields what may take time, and is sent what it gave."""
        if self.is_exempt(request.path):
            return None
        found: str | None = None
        for way in self._ways:
            said = (yield way.tenant, request) if way.waits(request) else way.tenant(request)
            tenant = self._valid(name_of(said))
            if tenant is not None and found is not None and tenant != found:
                raise RefusedRequestError("two ways found two tenants")
            found = found or tenant
            if found is not None and not self._agree:
                break
        if found is None:
            if self._strict:
                raise RefusedRequestError("no tenant was found", 401)
            return None
        if self._known is not None and not (yield self._known, found):
            raise RefusedRequestError("there is no such tenant", 401)
        return found

    def _valid(self, tenant: str | None) -> str | None:
        if tenant is None:
            return None
        try:
            return settings(Context(tenant=tenant), self._rules)[0]
        except RlsError:
            raise RefusedRequestError("the tenant is not one that the rules allow") from None


def _name(value: Any) -> str | None:
    return value if value is None else str(value)


def _exemptions(paths: Iterable[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Exempt paths as they are, and beginnings of exempt paths."""
    given = [paths] if isinstance(paths, str) else list(paths)
    for path in given:
        if not is_plain(path) or "*" in path.removesuffix("/*") or path == "/*":
            raise ConfigError(
                f"exempt path {path!r}: must be like '/health', or '/static/*' for all below it; "
                "strict=False exempts all"
            )
    exact = frozenset(path for path in given if not path.endswith("/*"))
    return exact, tuple(path[:-1] for path in given if path.endswith("/*"))
