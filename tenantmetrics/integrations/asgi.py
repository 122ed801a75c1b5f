"""Middleware for ASGI applications: Starlette, FastAPI, Django, Quart, Litestar.

    app.add_middleware(TenantMiddleware, identity=identity)     # Starlette, FastAPI
    app = TenantMiddleware(app, identity)                       # any other

Contract: the application runs with the request's tenant, or with none, whatever the server's own
context holds; what it streams and its background tasks are in it too. Tasks that it starts inherit
the tenant, as every `ContextVar`. A WebSocket has the tenant of its handshake until it is closed.
The lifespan is nobody's. What is refused never reaches the application.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from tenantmetrics.integrations import refusal
from tenantmetrics.integrations.identity import Identity
from tenantmetrics.integrations.refusal import RefusedRequestError
from tenantmetrics.integrations.request import WebRequest, lowered
from tenantmetrics.integrations.scope import inside

__all__ = ["TenantMiddleware", "request_of"]

_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]
_App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

_POLICY_VIOLATION = 1008
"""Close code of a WebSocket (RFC 6455, 7.4.1); before it is accepted, servers answer 403."""


class TenantMiddleware:
    """Runs an ASGI application with the tenant of each request.

    Args:
        app: The application.
        identity: How the tenant is found.
    """

    def __init__(self, app: _App, identity: Identity) -> None:
        self.app = app
        self._identity = identity

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """ASGI."""
        if scope["type"] not in {"http", "websocket"}:
            with inside(None):
                await self.app(scope, receive, send)
            return
        try:
            with inside(None):
                tenant = await self._identity.find_async(request_of(scope))
        except RefusedRequestError as refused:
            refusal.log(refused)
            await _refuse(scope, receive, send, refused)
            return
        with inside(tenant):
            await self.app(scope, receive, send)


def request_of(scope: Any) -> WebRequest:
    """What ways may look at of an ASGI request.

    Args:
        scope: ASGI's.
    """
    path, root = scope["path"], scope.get("root_path", "")
    # Servers differ in whether the path still has what the application is mounted at.
    if root and (path == root or path.startswith(root.rstrip("/") + "/")):
        path = path[len(root.rstrip("/")) :] or "/"
    session = scope.get("session")
    return WebRequest(
        method=scope.get("method", ""),
        path=path,
        headers=lowered(scope["headers"]),
        session=None if session is None else lambda: session,
        native=scope,
    )


async def _refuse(
    scope: _Message, receive: _Receive, send: _Send, refused: RefusedRequestError
) -> None:
    kind = "http"
    if scope["type"] == "websocket":
        await receive()  # `websocket.connect`, before which nothing may be sent
        if "websocket.http.response" not in (scope.get("extensions") or {}):
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
        kind = "websocket.http"
    headers = [(name.encode(), value.encode()) for name, value in refusal.headers(refused)]
    await send({"type": f"{kind}.response.start", "status": refused.status, "headers": headers})
    await send({"type": f"{kind}.response.body", "body": refused.body})
