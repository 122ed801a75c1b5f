"""FastAPI: a dependency, for applications only some of whose routes are tenants'.

    tenant = TenantDependency(identity)

    @app.get("/bookings")
    def bookings(name: Annotated[str, Depends(tenant)]): ...

For a whole application, `asgi.TenantMiddleware` is the better place: it is there before anything
else runs. Contract: the tenant holds from the dependency until the response is sent, its body and
its background tasks included (FastAPI 0.118 and later), in endpoints of both kinds; dependencies
that are resolved before it run without. What is refused is answered as by the middleware.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from fastapi import HTTPException
from starlette.requests import HTTPConnection

from tenantmetrics.integrations import refusal
from tenantmetrics.integrations.asgi import request_of
from tenantmetrics.integrations.identity import Identity
from tenantmetrics.integrations.refusal import RefusedRequestError
from tenantmetrics.integrations.scope import inside

__all__ = ["TenantDependency"]


class TenantDependency:
    """Finds the tenant of a request; its value is the tenant's name, or None.

    Args:
        identity: How the tenant is found.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def __call__(self, connection: HTTPConnection) -> AsyncGenerator[str | None]:
        """As a dependency with `yield`.

        Raises:
            fastapi.HTTPException: 400 or 401.
        """
        try:
            with inside(None):
                tenant = await self._identity.find_async(request_of(connection.scope))
        except RefusedRequestError as refused:
            refusal.log(refused)
            challenge = {"WWW-Authenticate": refusal.CHALLENGE} if refused.status == 401 else None  # noqa: PLR2004 - HTTP's
            detail = "unauthorized" if challenge else "bad request"
            raise HTTPException(refused.status, detail, challenge) from None
        with inside(tenant):
            yield tenant
