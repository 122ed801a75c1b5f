"""The tenant of a WSGI request, in everything that the request runs, and in nothing else."""

import contextlib
import gc
import http.client
import os
import socket
import subprocess
import sys
import textwrap
import threading

import pytest

from tenantmetrics import tenant
from tenantmetrics.errors import ConfigError
from tenantmetrics.integrations.identity import (
    FromFunction,
    FromHeader,
    FromPath,
    FromSession,
    Identity,
    current_tenant,
)
from tenantmetrics.integrations.wsgi import TenantMiddleware

BY_HEADER = Identity(FromHeader("X-Tenant-Id"), exempt=("/health",))


@pytest.fixture
def call():
    """Calls a WSGI application as a server does; gives its status and its body, not yet read."""

    def call(app, *, path="/", **headers):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path}
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        status = []
        body = app(environ, lambda line, _headers, _error=None: status.append(line))
        return status, body

    return call


def plain(environ, start_response):
    start_response("200 OK", [])
    return [str(current_tenant()).encode()]


def test_the_threads_own_tenant_is_not_inherited(call):
    """An exempt path is nobody's; what a request leaves behind is gone for the next."""
    app = TenantMiddleware(plain, BY_HEADER)
    with tenant("around"):
        assert call(app, path="/health")[1] == [b"None"]
        assert call(app, x_tenant_id="acme")[1] == [b"acme"]
        assert current_tenant() == "around"

    def leaks(environ, start_response):
        tenant("leaked").__enter__()
        return plain(environ, start_response)

    def on_a_thread():
        assert call(TenantMiddleware(leaks, BY_HEADER), x_tenant_id="acme")[1] == [b"leaked"]
        found.append(current_tenant())
        found.extend(call(app, path="/health")[1] + call(app, x_tenant_id="globex")[1])

    found = []
    thread = threading.Thread(target=on_a_thread)
    thread.start()
    thread.join()
    assert found == [None, b"None", b"globex"]


class Steps:
    """A body that says whose each of its steps is."""

    def __init__(self, seen, fail_at=9):
        self.seen, self.left, self.fail_at = seen, 3, fail_at

    def __iter__(self):
        self.seen.append(("iter", current_tenant()))
        return self

    def __next__(self):
        self.seen.append(("next", current_tenant()))
        if self.left == self.fail_at:
            raise LookupError
        if not self.left:
            raise StopIteration
        self.left -= 1
        return b"x"

    def close(self):
        self.seen.append(("close", current_tenant()))


@pytest.fixture
def streaming():
    """An application whose body is the one that is given."""

    def make(body):
        def app(environ, start_response):
            start_response("200 OK", [])
            return body

        return TenantMiddleware(app, BY_HEADER)

    return make


def test_every_step_of_a_body_is_the_tenants_and_none_between(call, streaming):
    """Two bodies read in turns on one thread, as a server with greenlets does."""
    seen = {"acme": [], "globex": []}
    bodies = [call(streaming(Steps(found)), x_tenant_id=name)[1] for name, found in seen.items()]
    for _ in range(3):
        for body in bodies:
            assert next(body) == b"x"
            assert current_tenant() is None
    for body in bodies:
        assert list(body) == []
        body.close()
        body.close()
    for name, steps in seen.items():
        assert [kind for kind, _ in steps] == ["iter", *["next"] * 4, "close"]
        assert {found for _, found in steps} == {name}


def test_a_body_that_fails_or_is_left_ends_in_its_own_name(call, streaming):
    """GeneratorExit, an error in the middle, and a server that forgets to close."""
    seen = []
    body = call(streaming(Steps(seen, fail_at=2)), x_tenant_id="acme")[1]
    next(body)
    with pytest.raises(LookupError):
        next(body)
    body.close()
    assert current_tenant() is None
    assert {found for _, found in seen} == {"acme"}

    def generator(ends):
        try:
            yield b"x"
            yield b"y"
        finally:
            ends.append(current_tenant())

    for closes in (True, False):
        ends = []
        body = call(streaming(generator(ends)), x_tenant_id="acme")[1]
        next(body)
        with tenant("globex"):  # the thread has gone on to the next request
            if closes:
                body.close()
            del body
            gc.collect()
            assert current_tenant() == "globex"
        assert ends == ["acme"]


def test_what_is_refused_never_reaches_the_application(call):
    """A header that was sent twice arrives joined; none at all is 401."""
    app = TenantMiddleware(lambda *_: pytest.fail("it was called"), BY_HEADER)
    for headers, status in (
        ({}, "401 Unauthorized"),
        ({"x_tenant_id": "acme,globex"}, "400 Bad Request"),
        ({"x_tenant_id": "acm\u00c3\u00a9"}, "400 Bad Request"),
        ({"x_tenant_id": "acme\n"}, "400 Bad Request"),
        ({"x_tenant_id": "a" * 300}, "400 Bad Request"),
    ):
        statuses, body = call(app, **headers)
        assert statuses == [status]
        assert b"acme" not in b"".join(body)


def test_a_path_in_another_encoding_is_no_path(call):
    """WSGI hands bytes over as Latin-1."""
    app = TenantMiddleware(plain, Identity(FromPath("/t/{tenant}")))
    assert call(app, path="/t/m\u00c3\u00bcller")[1] == ["müller".encode()]
    assert call(app, path="/t/m\u00fcller")[0] == ["400 Bad Request"]


def test_it_needs_what_wsgi_can_give():
    """No coroutine function, and no session without what opens it."""

    async def awaited(request):
        return "acme"

    with pytest.raises(ConfigError, match="coroutine"):
        TenantMiddleware(plain, Identity(FromFunction(awaited)))
    with pytest.raises(ConfigError, match="session"):
        TenantMiddleware(plain, Identity(FromSession()))({"PATH_INFO": "/"}, lambda *_: None)


SERVED = """
    from tenantmetrics.integrations.identity import FromHeader, Identity, current_tenant
    from tenantmetrics.integrations.wsgi import TenantMiddleware

    def plain(environ, start_response):
        start_response("200 OK", [("content-type", "text/plain"), ("content-length", "4")])
        return [current_tenant().encode()]

    application = TenantMiddleware(plain, Identity(FromHeader("X-Tenant-Id")))
"""
SERVERS = {
    "gunicorn": ("gunicorn", "-b", "{address}", "--graceful-timeout", "1", "served"),
    "uWSGI": ("uwsgi", "--http-socket", "{address}", "--die-on-term", "--wsgi", "served"),
    "granian": ("granian", "--interface", "wsgi", "--port", "{port}", "served:application"),
}


@pytest.fixture
def running(tmp_path, unused_port):
    """Starts a server with the application; waits until it listens."""
    processes = []

    def start(server):
        (tmp_path / "served.py").write_text(textwrap.dedent(SERVED))
        module, *arguments = SERVERS[server]
        address = f"127.0.0.1:{unused_port}"
        filled = [part.format(address=address, port=unused_port) for part in arguments]
        launch = ["-c", _UWSGI] if module == "uwsgi" else ["-m", module]
        process = subprocess.Popen(
            [sys.executable, *launch, *filled],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        processes.append(process)
        for _ in range(2_000):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", unused_port)):
                return unused_port
            assert process.poll() is None, "the server does not start"
            threading.Event().wait(0.01)
        pytest.fail("the server does not listen")

    yield start
    for process in processes:
        process.terminate()
        process.wait(30)


_UWSGI = "import pyuwsgi, sys; pyuwsgi.run(sys.argv[1:])"


@pytest.mark.parametrize("server", SERVERS)
def test_a_header_with_underscores_is_not_taken_for_the_other(server, running, connect):
    """Neither by servers that drop it, nor by those that make one of both: these are refused."""
    port = running(server)

    def status(tenant, **headers):
        try:
            return connect(port)(tenant, **headers)
        except http.client.RemoteDisconnected:  # uWSGI's answer to an exception
            return 500, ""

    plain = status("acme")
    smuggled = status(None, X_Tenant_Id="acme")
    both = status("acme", X_Tenant_Id="globex")
    if server == "gunicorn":
        assert plain == both == (200, "acme")
        assert smuggled[0] == 401
    else:
        assert plain[0] == smuggled[0] == 500
        assert both[0] in {400, 500}
