"""Django: views of both kinds, streamed bodies, its session, under WSGI and ASGI."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from tenantmetrics.errors import ConfigError
from tenantmetrics.integrations.identity import (
    FromFunction,
    FromHeader,
    FromSession,
    Identity,
    current_tenant,
)

BY_HEADER = Identity(FromHeader("X-Tenant-Id"), exempt=("/login/acme",))


def whose(request):
    return HttpResponse(str(current_tenant()))


async def whose_async(request):
    await asyncio.sleep(0)
    threaded = await asyncio.to_thread(current_tenant)
    return HttpResponse(f"{current_tenant()} {threaded}")


def stream(request):
    return StreamingHttpResponse(f"{current_tenant()} " for _ in range(3))


async def stream_async(request):
    async def steps():
        for _ in range(3):
            yield f"{current_tenant()} "
            await asyncio.sleep(0)

    return StreamingHttpResponse(steps())


def login(request, name):
    request.session["tenant_id"] = name
    return HttpResponse(str(current_tenant()))


def fails(request):
    raise LookupError(current_tenant())


def file(request):
    return FileResponse(Path(__file__).open("rb"))


@pytest.fixture(autouse=True, scope="module")
def _configured(django_is_set_up):
    urls = ModuleType("urls")
    urls.urlpatterns = [
        path("", whose),
        path("async", whose_async),
        path("stream", stream),
        path("stream/async", stream_async),
        path("login/<name>", login),
        path("fails", fails),
        path("file", file),
    ]
    with override_settings(
        ROOT_URLCONF=urls,
        TENANTMETRICS_IDENTITY=BY_HEADER,
        ALLOWED_HOSTS=["127.0.0.1", "testserver"],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "tenantmetrics.integrations.django.TenantMiddleware",
        ],
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    ):
        yield


def check(ask):
    for name in ("acme", "globex", "acme"):
        assert ask(name) == (200, name)
        assert ask(name, "/async") == (200, f"{name} {name}")
        assert ask(name, "/stream") == (200, f"{name} " * 3)
        assert ask(name, "/stream/async") == (200, f"{name} " * 3)
        assert ask(name, "/login/acme") == (200, "None")
        assert ask(name, "/fails")[0] == 500
        assert "def whose" in ask(name, "/file")[1]
        assert ask(None) == (401, '{"error":"unauthorized"}')
        assert ask("a,b") == (400, '{"error":"bad request"}')


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
def test_everything_of_a_request_has_its_tenant_under_wsgi(serve_wsgi, connect):
    """On one connection, one tenant after the other."""
    check(connect(serve_wsgi(get_wsgi_application())))


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
def test_everything_of_a_request_has_its_tenant_under_asgi(serve_asgi, connect):
    """The same."""
    check(connect(serve_asgi(get_asgi_application(), lifespan="off")))


def test_djangos_session_names_the_tenant(serve_wsgi, serve_asgi, connect):
    """Under both."""
    identity = Identity(FromSession(), exempt=("/login/acme",))
    with override_settings(TENANTMETRICS_IDENTITY=identity):
        from django.test import Client  # noqa: PLC0415 - after the settings

        client = Client()
        assert client.get("/").status_code == 401
        assert client.get("/login/acme").content == b"None"
        assert client.get("/").content == b"acme"
        cookie = f"sessionid={client.cookies['sessionid'].value}"
        for start in (
            lambda: serve_wsgi(get_wsgi_application()),
            lambda: serve_asgi(get_asgi_application(), lifespan="off"),
        ):
            ask = connect(start())
            assert ask(Cookie=cookie) == (200, "acme")
            assert ask(Cookie=cookie[:-2] + "xx")[0] == 401


def test_the_setting_is_checked_when_the_application_is_made():
    """And not at the first request."""

    async def awaited(request):
        return "acme"

    for wrong in (None, "acme", 7):
        with (
            override_settings(TENANTMETRICS_IDENTITY=wrong),
            pytest.raises((ConfigError, ImportError)),
        ):
            get_wsgi_application()
    awaits = Identity(FromFunction(awaited))
    with override_settings(TENANTMETRICS_IDENTITY=awaits), pytest.raises(ConfigError, match="ASGI"):
        get_wsgi_application()


LAZY = """
import tenantmetrics
from benchmarks._stub import CLUSTER, SECRET, client
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage

settings.configure()
tenantmetrics.configure(exporters=["ledger:ledger"])
rds = tenantmetrics.instrument(client())
with tenantmetrics.tenant("acme"):
    rds.execute_statement(resourceArn=CLUSTER, secretArn=SECRET, sql="SELECT 1")
"""


def test_the_end_of_a_process_loads_no_lazy_object_of_django(tmp_path):
    """One that cannot be loaded must not cost the delivery."""
    done = subprocess.run(
        [sys.executable, "-c", LAZY],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "ledger").rglob("*.parquet"))
