"""Flask: views, streamed bodies, teardown functions and its session."""

import threading

import flask
import pytest

from tenantmetrics.errors import ConfigError
from tenantmetrics.integrations.flask import init_app
from tenantmetrics.integrations.identity import (
    FromHeader,
    FromSession,
    Identity,
    current_tenant,
)


@pytest.fixture
def seen():
    return []


@pytest.fixture
def app(seen):
    app = flask.Flask("work")
    app.secret_key = "k" * 32

    @app.get("/")
    def whose():
        return str(current_tenant())

    @app.get("/stream")
    def stream():
        return flask.Response(f"{current_tenant()} " for _ in range(3))

    @app.get("/stream/context")
    def stream_with_context():
        @flask.stream_with_context
        def steps():
            for _ in range(3):
                yield f"{current_tenant()} {flask.request.path} "

        return flask.Response(steps())

    @app.get("/login/<name>")
    def login(name):
        flask.session["tenant_id"] = name
        return str(current_tenant())

    @app.get("/fails")
    def fails():
        raise LookupError(current_tenant())

    @app.teardown_request
    def end(_error):
        seen.append(current_tenant())

    return app


def test_everything_of_a_request_has_its_tenant(app, seen, serve_wsgi, connect):
    """On one connection, one tenant after the other."""
    init_app(app, Identity(FromHeader("X-Tenant-Id")))
    ask = connect(serve_wsgi(app))
    for name in ("acme", "globex", "acme"):
        assert ask(name) == (200, name)
        assert ask(name, "/stream") == (200, f"{name} " * 3)
        assert ask(name, "/stream/context") == (200, f"{name} /stream/context " * 3)
        assert ask(name, "/fails")[0] == 500
        assert ask(None) == (401, '{"error":"unauthorized"}')
        assert set(seen) == {name}
        seen.clear()


def test_flasks_session_names_the_tenant(app):
    """As Flask signed it; a cookie of somebody else's is no session."""
    init_app(app, Identity(FromSession(), exempt=("/login/*",)))
    client = app.test_client()
    assert client.get("/").status_code == 401
    assert client.get("/login/acme").text == "None"
    assert client.get("/").text == "acme"
    cookie = client.get_cookie("session").value
    client.set_cookie("session", cookie[:-2] + "xx")
    assert client.get("/").status_code == 401
    other = flask.Flask("other")
    other.secret_key = "o" * 32
    signed = other.session_interface.get_signing_serializer(other).dumps({"tenant_id": "acme"})
    client.set_cookie("session", signed)
    assert client.get("/").status_code == 401
    with pytest.raises(ConfigError, match="twice"):
        init_app(app, Identity(FromSession()))


def test_a_thread_of_a_view_starts_without_a_tenant(app):
    """As every ContextVar; `carried` says otherwise."""
    init_app(app, Identity(FromHeader("X-Tenant-Id")))
    found = []

    @app.get("/thread")
    def start():
        thread = threading.Thread(target=lambda: found.append(current_tenant()))
        thread.start()
        thread.join()
        return "ok"

    assert app.test_client().get("/thread", headers={"X-Tenant-Id": "acme"}).text == "ok"
    assert found == [None]
