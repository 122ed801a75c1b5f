"""Requests as ways see them, and tokens that hold and that do not."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import django
import jwt
import pytest
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from werkzeug.serving import WSGIRequestHandler, make_server

from tenantmetrics import testing
from tenantmetrics.integrations.identity import WebRequest
from tenantmetrics.localapi import serve


@pytest.fixture
def request_with():
    """Makes a request from headers, a path and so on."""

    def make(*headers, path="/", **more):
        pairs = tuple((name.lower(), value) for name, value in headers)
        return WebRequest(path=path, headers=pairs, **more)

    return make


class Signer:
    """An issuer of tokens with one RSA key."""

    def __init__(self, kid: str = "k1") -> None:
        self.kid = kid
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.public = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def token(self, *, headers=None, algorithm="RS256", key=None, **claims):
        """A token with an expiry, unless the claims have another."""
        whole = {"exp": dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)} | claims
        whole = {name: value for name, value in whole.items() if value is not None}
        headers = {"kid": self.kid} if headers is None else headers
        return jwt.encode(whole, key or self.private, algorithm=algorithm, headers=headers)

    def jwk(self, **more):
        found = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key()))
        return found | {"kid": self.kid, "use": "sig", "alg": "RS256"} | more


@pytest.fixture(scope="session")
def signer():
    return Signer()


@pytest.fixture(scope="session")
def other_signer():
    return Signer("k2")


class KeyServer:
    """Serves a key set, and counts how often it was asked."""

    def __init__(self) -> None:
        self.keys, self.fetches, self.status = [], 0, 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.fetches += 1
                body = json.dumps({"keys": outer.keys}).encode()
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/jwks"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def key_server():
    with contextlib.closing(KeyServer()) as server:
        yield server


@pytest.fixture
def serve_asgi():
    """Runs an ASGI application in uvicorn on a thread; gives its port."""
    running = []

    def start(app, **settings):
        server = uvicorn.Server(
            uvicorn.Config(app, port=0, log_level="error", ws="none", **settings)
        )
        thread = threading.Thread(target=server.run)
        running.append((server, thread))
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server does not start"
            threading.Event().wait(0.005)
        return server.servers[0].sockets[0].getsockname()[1]

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def serve_wsgi():
    """Runs a WSGI application in werkzeug's server on threads; gives its port."""
    running = []

    def start(app):
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        running.append((server, thread))
        thread.start()
        return server.server_port

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join(30)
        server.server_close()


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: object) -> None:
        pass


@pytest.fixture
def connect():
    """Opens a connection that is kept alive; gives what asks on it: status and body."""
    with contextlib.ExitStack() as stack:

        def open_(port):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            stack.callback(connection.close)

            def ask(tenant=None, path="/", method="GET", **headers):
                headers |= {"X-Tenant-Id": tenant} if tenant is not None else {}
                connection.request(method, path, headers=headers)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()

            return ask

        yield open_


data_api = testing.data_api


@pytest.fixture(scope="session")
def data_api_endpoint():
    """A pool that keeps what was set would show what outlives its transaction."""
    with serve(roles=["app"], pool="leaky") as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def django_is_set_up():
    """Django's settings are one a process; tests override what they need."""
    if not settings.configured:
        settings.configure(SECRET_KEY="k" * 50, USE_TZ=True, LOGGING_CONFIG=None)
        django.setup()
