"""Django: `"tenantmetrics.integrations.django.TenantMiddleware"` in MIDDLEWARE, for WSGI and ASGI.

    TENANTMETRICS_IDENTITY = Identity(FromSession("tenant_id"), exempt=("/login/",))

Contract: views, template responses and streamed bodies are the request's tenant's, or nobody's;
between two steps of a body the thread has what it had. For `FromSession` it stands behind
`SessionMiddleware`. Middleware that stands before it in the list runs without a tenant.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpResponse
from django.utils.decorators import sync_and_async_middleware
from django.utils.module_loading import import_string

from tenantmetrics.errors import ConfigError
from tenantmetrics.integrations import refusal
from tenantmetrics.integrations.identity import Identity
from tenantmetrics.integrations.refusal import RefusedRequestError
from tenantmetrics.integrations.request import WebRequest
from tenantmetrics.integrations.scope import inside
from tenantmetrics.integrations.wsgi import folds_underscores
from tenantmetrics.tenant.identity.tenant_context import tenant as tenant_block

__all__ = ["TenantMiddleware", "request_of"]


def TenantMiddleware(  # noqa: N802 - Django's names of middleware are those of classes
    get_response: Callable[[Any], Any],
) -> Callable[[Any], Any]:
    """Run views with the tenant of each request, found by `settings.TENANTMETRICS_IDENTITY`.

    Args:
        get_response: The rest of the application, of either kind.

    Raises:
        ConfigError: The setting is missing, or is no `Identity`.
    """
    identity = _identity()
    if inspect.iscoroutinefunction(get_response):

        async def in_async(request: Any) -> Any:
            try:
                with inside(None):
                    name = await identity.find_async(request_of(request), _on_thread)
            except RefusedRequestError as refused:
                return _answer(refused)
            block = inside(name)
            with block:
                response = await get_response(request)
            return _in_block(response, block)

        return in_async

    if identity.needs_async:
        raise ConfigError("TENANTMETRICS_IDENTITY has a coroutine function, which needs ASGI")

    def in_sync(request: Any) -> Any:
        try:
            with inside(None):
                name = identity.find(request_of(request))
        except RefusedRequestError as refused:
            return _answer(refused)
        block = inside(name)
        with block:
            response = get_response(request)
        return _in_block(response, block)

    return in_sync


TenantMiddleware = sync_and_async_middleware(TenantMiddleware)


async def _on_thread(function: Callable[..., Any], argument: Any) -> Any:
    """On the thread whose database connections Django closes at the request's end."""
    return await sync_to_async(function)(argument)


def _identity() -> Identity:
    found = getattr(settings, "TENANTMETRICS_IDENTITY", None)
    if isinstance(found, str):
        found = import_string(found)
    if not isinstance(found, Identity):
        raise ConfigError("TENANTMETRICS_IDENTITY must be an Identity, or the dotted path of one")
    return found


def request_of(request: Any) -> WebRequest:
    """What ways may look at of a request of Django.

    Args:
        request: Django's.
    """
    headers = [
        (name[5:].replace("_", "-").lower(), str(value))
        for name, value in request.META.items()
        if name.startswith("HTTP_")
    ]
    # Django's own development server calls itself by wsgiref's name, and drops such headers.
    own_server = type(request.META.get("wsgi.input")).__module__.startswith("django.")
    return WebRequest(
        method=request.method or "",
        path=request.path_info,
        headers=tuple(headers),
        session=(lambda: request.session) if hasattr(request, "session") else None,
        native=request,
        folds_underscores=not own_server and folds_underscores(request.META),
    )


def _answer(refused: RefusedRequestError) -> Any:
    refusal.log(refused)
    return HttpResponse(refused.body, status=refused.status, headers=dict(refusal.headers(refused)))


def _in_block(response: Any, block: tenant_block) -> Any:
    """The response, each step of whose body is in the block if it is still to be made."""
    if getattr(response, "streaming", False):
        body = response.streaming_content
        if getattr(response, "is_async", False):
            response.streaming_content = _each_async(body, block)
        elif getattr(response, "file_to_stream", None) is None:
            response.streaming_content = _each(body, block)
    return response


def _each(body: Iterable[Any], block: tenant_block) -> Iterator[Any]:
    with block:
        steps = iter(body)
    try:
        while True:
            try:
                with block:
                    part = next(steps)
            except StopIteration:
                return
            yield part
    finally:
        close = getattr(steps, "close", None)
        if close is not None:
            with block:
                close()


async def _each_async(body: Any, block: tenant_block) -> AsyncIterator[Any]:
    with block:
        steps = aiter(body)
    try:
        while True:
            try:
                with block:
                    part = await anext(steps)
            except StopAsyncIteration:
                return
            yield part
    finally:
        close: Callable[[], Awaitable[Any]] | None = getattr(steps, "aclose", None)
        if close is not None:
            with block:
                await close()
