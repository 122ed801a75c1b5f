"""FastAPI: the dependency, for the routes that are tenants'."""

import asyncio
import threading
from typing import Annotated

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.responses import StreamingResponse

from tenantmetrics.integrations.asgi import TenantMiddleware
from tenantmetrics.integrations.fastapi import TenantDependency
from tenantmetrics.integrations.identity import FromHeader, Identity, current_tenant

IDENTITY = Identity(FromHeader("X-Tenant-Id"))


@pytest.fixture
def seen():
    return []


@pytest.fixture
def app(seen):
    app = FastAPI()
    tenant = TenantDependency(IDENTITY)
    Tenant = Annotated[str, Depends(tenant)]  # noqa: N806 - a type

    @app.get("/async")
    async def in_async(name: Tenant):
        await asyncio.sleep(0)
        return [name, current_tenant()]

    @app.get("/sync")
    def in_sync(name: Tenant):
        assert threading.current_thread() is not threading.main_thread()
        return [name, current_tenant()]

    @app.get("/public")
    async def public():
        return [current_tenant()]

    @app.get("/stream", dependencies=[Depends(tenant)])
    def stream():
        def steps():
            for _ in range(3):
                yield f"{current_tenant()} "

        return StreamingResponse(steps())

    @app.get("/later")
    def later(name: Tenant, tasks: BackgroundTasks):
        tasks.add_task(lambda: seen.append(current_tenant()))
        return [name]

    return app


def test_the_tenant_holds_from_the_dependency_to_the_end(
    app, seen, serve_asgi, connect, eventually
):
    """In endpoints of both kinds, a streamed body, a background task; elsewhere there is none."""
    ask = connect(serve_asgi(app))
    for name in ("acme", "globex"):
        assert ask(name, "/async") == (200, f'["{name}","{name}"]')
        assert ask(name, "/sync") == (200, f'["{name}","{name}"]')
        assert ask(name, "/stream") == (200, f"{name} " * 3)
        assert ask(name, "/later") == (200, f'["{name}"]')
        eventually(lambda: seen)
        assert seen.pop() == name
        assert ask(name, "/public") == (200, "[null]")
        assert ask(None, "/async") == (401, '{"detail":"unauthorized"}')
        assert ask("a b", "/async") == (400, '{"detail":"bad request"}')


def test_the_middleware_serves_fastapi_too(app, serve_asgi, connect):
    """And what is in its place twice agrees with itself."""
    app.add_middleware(TenantMiddleware, identity=IDENTITY)
    ask = connect(serve_asgi(app))
    assert ask("acme", "/async") == (200, '["acme","acme"]')
    assert ask("acme", "/public") == (200, '["acme"]')
    assert ask(None, "/public") == (401, '{"error":"unauthorized"}')
    assert ask("acme", "/openapi.json")[0] == 200
