"""Middleware for WSGI applications: Flask, Django, Bottle, Pyramid.

    app = TenantMiddleware(app, identity)

Contract: the application runs with the request's tenant, or with none, whatever the server's
thread had before; each step of its body and its `close` are in it too, and between them the thread
has what it had. What is refused never reaches the application.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from tenantmetrics.errors import ConfigError
from tenantmetrics.integrations import refusal
from tenantmetrics.integrations.identity import Identity
from tenantmetrics.integrations.refusal import RefusedRequestError
from tenantmetrics.integrations.request import WebRequest
from tenantmetrics.integrations.scope import inside
from tenantmetrics.tenant.identity.tenant_context import tenant as tenant_block

__all__ = ["TenantMiddleware", "folds_underscores", "request_of"]

_Session = Callable[[dict[str, Any]], Mapping[str, Any]]

_DROPS = re.compile(r"gunicorn|gevent|waitress|werkzeug|cheroot|apache", re.IGNORECASE)
"""`SERVER_SOFTWARE` of servers that drop `X_Tenant_Id`. wsgiref, Granian and uWSGI, which says
nothing of itself there, hand it over as `HTTP_X_TENANT_ID`; so may those that nobody has tried."""


class TenantMiddleware:
    """Runs a WSGI application with the tenant of each request.

    Args:
        app: The application.
        identity: How the tenant is found.
        session: Opens the session of a request, given its environ; for `FromSession`.

    Raises:
        ConfigError: The identity has a coroutine function.
    """

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
        identity: Identity,
        session: _Session | None = None,
    ) -> None:
        if identity.needs_async:
            raise ConfigError("a WSGI application cannot wait for a coroutine function of Identity")
        self.app = app
        self._identity = identity
        self._session = session

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """WSGI."""
        try:
            with inside(None):
                tenant = self._identity.find(request_of(environ, self._session))
        except RefusedRequestError as refused:
            refusal.log(refused)
            status = HTTPStatus(refused.status)
            start_response(f"{status.value} {status.phrase}", refusal.headers(refused))
            return [refused.body]
        block = inside(tenant)
        with block:
            body = self.app(environ, start_response)
        # What is complete runs nothing of the application's; servers also look at its length.
        return body if type(body) in {list, tuple} else _Body(body, block)


class _Body:
    """A response's body, each step of which is in the tenant's block."""

    def __init__(self, body: Iterable[bytes], block: tenant_block) -> None:
        self._body, self._block = body, block
        self._steps: Iterator[bytes] | None = None
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._block:
            if self._steps is None:
                self._steps = iter(self._body)
            return next(self._steps)

    def close(self) -> None:
        """End the body, in the block."""
        if self._closed:
            return
        self._closed = True
        close = getattr(self._body, "close", None)
        if close is not None:
            with self._block:
                close()

    def __del__(self) -> None:
        """A server that forgot to close it: a generator must not end in the next request's name."""
        self.close()


def request_of(environ: dict[str, Any], session: _Session | None = None) -> WebRequest:
    """What ways may look at of a WSGI request.

    Args:
        environ: WSGI's.
        session: Opens its session.
    """
    headers = [
        (name[5:].replace("_", "-").lower(), value)
        for name, value in environ.items()
        if name.startswith("HTTP_") and isinstance(value, str)
    ]
    path = environ.get("PATH_INFO", "").encode("latin-1", "replace").decode("utf-8", "replace")
    return WebRequest(
        method=environ.get("REQUEST_METHOD", ""),
        path=path or "/",
        headers=tuple(headers),
        session=None if session is None else lambda: session(environ),
        native=environ,
        folds_underscores=folds_underscores(environ),
    )


def folds_underscores(environ: Mapping[str, Any]) -> bool:
    """Whether the server may have made `HTTP_X_TENANT_ID` of `X_Tenant_Id`.

    Args:
        environ: WSGI's.
    """
    software = environ.get("SERVER_SOFTWARE", "")
    return "uwsgi.version" in environ or (software != "" and not _DROPS.match(software))
