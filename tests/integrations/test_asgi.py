"""The tenant of an ASGI request, in everything that the request runs, and in nothing else."""

import asyncio
import contextvars
import gc
import http.client
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from tenantmetrics import tenant
from tenantmetrics.errors import ConfigError
from tenantmetrics.integrations.asgi import TenantMiddleware
from tenantmetrics.integrations.identity import (
    FromFunction,
    FromHeader,
    FromJwt,
    FromPath,
    FromSession,
    Identity,
    current_tenant,
)
from tenantmetrics.integrations.scope import apart, carried, inside

BY_HEADER = Identity(FromHeader("X-Tenant-Id"), exempt=("/health", "/static/*"))


class Harness:
    """Calls an ASGI application as a server does, and keeps what it sent."""

    def __init__(self, app):
        self.app = app
        self.sent = []

    def __call__(self, *headers, path="/", kind="http", **more):
        scope = {"type": kind, "method": "GET", "path": path, "headers": headers, **more}
        received = iter([{"type": f"{kind}.connect"}])

        async def receive():
            return next(received)

        async def send(message):
            self.sent.append(message)

        asyncio.run(self.app(scope, receive, send))


@pytest.fixture
def harness():
    """What the application saw as tenants, beside what it sent."""

    def make(identity=BY_HEADER):
        seen = []

        async def app(scope, receive, send):
            seen.append((scope["type"], current_tenant()))

        found = Harness(TenantMiddleware(app, identity))
        found.seen = seen
        return found

    return make


def test_the_servers_own_context_is_not_inherited(harness):
    """An exempt path, and the lifespan, are nobody's, whatever is around the server."""
    call = harness()
    with tenant("around"):
        call(path="/health")
        call(kind="lifespan")
        call((b"x-tenant-id", b"acme"))
        assert current_tenant() == "around"
    assert call.seen == [("http", None), ("lifespan", None), ("http", "acme")]


def test_what_is_refused_never_reaches_the_application(harness):
    """Twice, missing, in another encoding; the body does not say which tenants there are."""
    for headers, status in (
        ((), 401),
        (((b"x-tenant-id", b"acme"), (b"X-Tenant-Id", b"globex")), 400),
        (((b"x_tenant_id", b"acme"),), 401),
        (((b"x-tenant-id", "acmé".encode()),), 400),
        (((b"x-tenant-id", b"acme\x00"),), 400),
    ):
        call = harness()
        call(*headers)
        assert call.seen == []
        start, body = call.sent
        assert start["status"] == status
        assert body["body"] in {b'{"error":"bad request"}', b'{"error":"unauthorized"}'}
        assert ((b"www-authenticate", b"Bearer") in start["headers"]) is (status == 401)


def test_a_websocket_has_the_tenant_of_its_handshake(harness):
    """Or is closed before it is accepted."""
    call = harness()
    call((b"x-tenant-id", b"acme"), kind="websocket")
    assert call.seen == [("websocket", "acme")]
    call = harness()
    call(kind="websocket")
    assert call.seen == []
    assert call.sent == [{"type": "websocket.close", "code": 1008}]
    call = harness()
    call(kind="websocket", extensions={"websocket.http.response": {}})
    assert [message["type"] for message in call.sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert call.sent[0]["status"] == 401


def test_a_mounted_application_sees_its_own_paths(harness):
    """Whether or not the server leaves the mount in the path."""
    for path in ("/api/health", "/health"):
        call = harness()
        call(path=path, root_path="/api")
        assert call.seen == [("http", None)]
    call = harness()
    call(path="/apihealth", root_path="/api")
    assert call.seen == []


class Hidden:
    """A callable that does not look like a coroutine function."""

    def __init__(self, function):
        self.function = function

    def __call__(self, value):
        return self.function(value)


def test_functions_may_be_of_any_kind(harness, request_with):
    """Coroutine functions are awaited, others run on a thread, without a tenant."""

    async def awaited(request):
        await asyncio.sleep(0)
        assert current_tenant() is None
        return request.header("x-tenant-id")

    def plain(request):
        assert current_tenant() is None
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return request.header("x-tenant-id")

    async def known(name):
        await asyncio.sleep(0)
        return name == "acme"

    for function in (awaited, plain):
        call = harness(Identity(FromFunction(function), known=known))
        with tenant("around"):
            call((b"x-tenant-id", b"acme"))
        call((b"x-tenant-id", b"globex"))
        assert call.seen == [("http", "acme")]
    # What only turns out to be a coroutine when it is called is awaited too, and never just true.
    hidden = Identity(FromFunction(Hidden(awaited)), known=Hidden(known))
    call = harness(hidden)
    call((b"x-tenant-id", b"acme"))
    call((b"x-tenant-id", b"globex"))
    assert call.seen == [("http", "acme")]
    for identity in (hidden, Identity(FromHeader("X-Tenant-Id"), known=Hidden(known))):
        with pytest.raises(ConfigError, match="awaited"):
            identity.find(request_with(("X-Tenant-Id", "globex")))
    assert Identity(FromFunction(awaited)).needs_async
    assert not Identity(FromFunction(plain)).needs_async


def test_a_key_set_is_fetched_off_the_event_loop(harness, key_server, signer):
    """Other requests go on meanwhile."""
    key_server.keys = [signer.jwk()]
    call = harness(Identity(FromJwt(jwks_url=key_server.url, algorithms=["RS256"])))
    for _ in range(2):
        bearer = f"Bearer {signer.token(tenant_id='acme')}"
        call((b"authorization", bearer.encode()))
    assert call.seen == [("http", "acme")] * 2
    assert key_server.fetches == 1


class Through(BaseHTTPMiddleware):
    """What most applications have: it runs the application in a task of its own."""

    async def dispatch(self, request, call_next):
        return await call_next(request)


@pytest.fixture
def seen():
    return []


@pytest.fixture
def app(seen):
    """An application with everything that outlives a handler."""

    async def steps():
        for _ in range(3):
            yield f"{current_tenant()} "
            await asyncio.sleep(0)

    def steps_on_threads():
        for _ in range(3):
            yield f"{current_tenant()} "

    def blocking(request):
        return PlainTextResponse(str(current_tenant()))

    async def whose(request):
        found = [current_tenant(), await asyncio.to_thread(current_tenant)]
        found.append(await asyncio.create_task(asyncio.to_thread(current_tenant)))
        loop = asyncio.get_running_loop()
        found.append(await loop.run_in_executor(None, carried(current_tenant)))
        found.append(await asyncio.to_thread(apart(current_tenant)))
        return PlainTextResponse(" ".join(map(str, found)))

    async def later(request):
        return PlainTextResponse(
            "ok", background=BackgroundTask(lambda: seen.append(current_tenant()))
        )

    async def leaks(request):
        tenant("leaked").__enter__()
        return PlainTextResponse("ok")

    async def fails(request):
        raise LookupError(current_tenant())

    return Starlette(
        routes=[
            Route("/", whose),
            Route("/health", whose),
            Route("/blocking", blocking),
            Route("/stream", lambda _: StreamingResponse(steps())),
            Route("/stream/threads", lambda _: StreamingResponse(steps_on_threads())),
            Route("/later", later),
            Route("/leaks", leaks),
            Route("/fails", fails),
            Mount("/mounted", routes=[Route("/x", blocking)]),
        ],
        middleware=[Middleware(TenantMiddleware, identity=BY_HEADER), Middleware(Through)],
    )


def test_everything_of_a_request_has_its_tenant(app, seen, serve_asgi, connect, eventually):
    """On one connection that is kept alive, one tenant after the other, and nobody between."""
    port = serve_asgi(app)
    ask = connect(port)
    for name in ("acme", "globex", "acme"):
        assert ask(name) == (200, f"{name} {name} {name} {name} None")
        assert ask(path="/health") == (200, "None None None None None")
        assert ask(name, "/blocking") == (200, name)
        assert ask(name, "/mounted/x") == (200, name)
        assert ask(name, "/stream") == (200, f"{name} " * 3)
        assert ask(name, "/stream/threads") == (200, f"{name} " * 3)
        assert ask(name, "/leaks") == (200, "ok")
        assert ask(name, "/later") == (200, "ok")
        eventually(lambda: seen)
        assert seen.pop() == name
        assert ask()[0] == 401
        assert ask(path="/static/../") == (401, '{"error":"unauthorized"}')
        assert connect(port)(name, "/fails")[0] == 500  # the server closes the connection


def test_a_session_that_the_application_wrote_names_the_tenant(serve_asgi, connect):
    """Signed by Starlette; a cookie that somebody else wrote is no session."""

    async def login(request):
        request.session["tenant_id"] = "acme"
        return PlainTextResponse("in")

    async def whose(request):
        return PlainTextResponse(str(current_tenant()))

    app = Starlette(
        routes=[Route("/login", login), Route("/", whose)],
        middleware=[
            Middleware(SessionMiddleware, secret_key="k" * 32),
            Middleware(TenantMiddleware, identity=Identity(FromSession(), exempt=("/login",))),
        ],
    )
    port = serve_asgi(app)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/login")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    cookie = answer.getheader("set-cookie").partition(";")[0]
    ask = connect(port)
    assert ask(Cookie=cookie) == (200, "acme")
    assert ask(Cookie=cookie[:-3] + "abc")[0] == 401
    assert ask(Cookie="session=eyJ0ZW5hbnRfaWQiOiJhY21lIn0=.x.y")[0] == 401
    assert ask()[0] == 401


PATHS = {
    "/t/acme/x": 200,
    "/t/%61cme/x": 200,
    "/t/acme%2fx": 200,
    "/t/acme/../globex/x": 400,
    "/t/acme/%2e%2e/globex/x": 400,
    "/t/acme%2f..%2fglobex": 400,
    "/t/acme%00/x": 400,
    "/t/%2561cme/x": 400,
    "/t//acme": 400,
    "/t/acme%5c../x": 400,
    "/t/": 401,
}


def test_paths_are_read_as_the_application_reads_them(serve_asgi, connect):
    """Percent-encoding once, by the server; what could be read in two ways is refused."""

    async def app(scope, receive, send):
        await PlainTextResponse(str(current_tenant()))(scope, receive, send)

    by_path = TenantMiddleware(app, Identity(FromPath("/t/{tenant}")))
    ask = connect(serve_asgi(by_path, lifespan="off"))
    for path, status in PATHS.items():
        answer = ask(path=path)
        assert answer[0] == status, path
        assert status != 200 or answer[1] == "acme"


def test_a_body_that_nobody_closed_ends_in_its_own_name():
    """Of both kinds, collected in the middle of another tenant's request."""
    ends = []

    def steps():
        try:
            yield current_tenant()
        finally:
            ends.append(current_tenant())

    async def steps_async():
        try:
            yield current_tenant()
        finally:
            ends.append(current_tenant())

    async def main():
        for function in (steps, steps_async):
            with inside("acme"):
                body = carried(function)()
                first = next(body) if function is steps else await anext(body)
                held = [body]
                held.append(held)  # a cycle, as of an exception and its frames
                del body
            assert first == "acme"
            with inside("globex"):
                del held
                gc.collect()
                await asyncio.sleep(0)
                assert current_tenant() == "globex"
        await asyncio.get_running_loop().shutdown_asyncgens()

    asyncio.run(main())
    assert ends == ["acme", "acme"]


def test_threads_are_told_whose_work_it_is():
    """In pools whose threads have served others."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(tenant("before").__enter__).result()
        assert pool.submit(current_tenant).result() == "before"
        with tenant("acme"):
            assert list(pool.map(carried(lambda _: current_tenant()), range(3))) == ["acme"] * 3
            assert pool.submit(apart(current_tenant)).result() is None
        assert pool.submit(carried(current_tenant)).result() is None
        copied = contextvars.copy_context()
        assert pool.submit(copied.run, current_tenant).result() is None
