"""Two tenants at once through every framework, on one database: nothing of the other is seen."""

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import celery
import fastapi
import flask
import psycopg
import pytest
from botocore.config import Config
from celery.contrib.testing.worker import start_worker
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.test import override_settings
from django.urls import path

import tenantmetrics
from tenantmetrics.dataapi.responses import rows_of
from tenantmetrics.integrations.asgi import TenantMiddleware
from tenantmetrics.integrations.awslambda import http_handler
from tenantmetrics.integrations.celery import carry_tenants
from tenantmetrics.integrations.flask import init_app
from tenantmetrics.integrations.identity import FromHeader, Identity, current_tenant
from tests.integrations.test_celery import OPTIONS

IDENTITY = Identity(FromHeader("X-Tenant-Id"))
SCHEMA = """
CREATE TABLE b (tenant_id text NOT NULL, note text);
INSERT INTO b SELECT t, n::text FROM unnest(ARRAY['acme', 'globex']) t, generate_series(1, 20) n;
ALTER TABLE b ENABLE ROW LEVEL SECURITY;
ALTER TABLE b FORCE ROW LEVEL SECURITY;
CREATE POLICY isolated ON b
    USING (tenant_id = (SELECT current_setting('app.current_tenant_id', true)));
GRANT SELECT ON b TO app;
"""
ALONE = {"acme": 1, "globex": 2}
"""Calls outside of a transaction, which have their tenant from the request alone."""
IN_TRANSACTION = 4


class Calls:
    """An exporter that adds up calls by tenant."""

    name = "calls"

    def __init__(self):
        self.by_tenant = Counter()

    def export(self, windows, deadline_s):
        for window in windows:
            for key, series in window.series.items():
                self.by_tenant[key.tenant] += series.calls

    def close(self):
        pass


@pytest.fixture
def calls():
    exporter = Calls()
    tenantmetrics.configure(exporters=[exporter])
    yield exporter
    tenantmetrics.configure(exporters=["none"])


@pytest.fixture
def work(data_api, calls):
    """What each framework's handler does: whose rows it sees, and whose it is."""
    config = Config(max_pool_connections=64, retries={"total_max_attempts": 1})
    with psycopg.connect(data_api.psycopg_url, autocommit=True) as connection:
        connection.execute(SCHEMA)
    client = tenantmetrics.instrument(data_api.endpoint.client(config=config))
    target = data_api.arguments | {"secretArn": data_api.endpoint.secret_arns["app"]}

    def work(alone):
        with tenantmetrics.rls(client, **target) as tx:
            seen = rows_of(tx.execute("SELECT tenant_id, count(*) FROM b GROUP BY 1"))
        for _ in range(alone):
            nobodys = rows_of(client.execute_statement(**target, sql="SELECT note FROM b"))
            assert nobodys == [], "a setting outlived its transaction"
        return {"rows": seen, "tenant": current_tenant()}

    yield work
    client.close()


@pytest.fixture
def asks(work, serve_asgi, serve_wsgi, connect, django_is_set_up):
    """Framework → makes what asks it, as a tenant, for one thread."""
    by_fastapi = fastapi.FastAPI()
    by_fastapi.add_middleware(TenantMiddleware, identity=IDENTITY)
    by_fastapi.get("/{alone}")(lambda alone: work(int(alone)))

    by_flask = flask.Flask("two")
    by_flask.get("/<int:alone>")(work)
    init_app(by_flask, IDENTITY)

    by_celery = celery.Celery("two", set_as_current=False)
    by_celery.conf.update(OPTIONS, task_default_queue="two")
    carry_tenants(by_celery)

    @by_celery.task(shared=False, name="two")
    def two(alone):
        return work(alone)

    @http_handler(IDENTITY)
    def by_lambda(event, context):
        return work(event["alone"])

    def http(port):
        ask = connect(port)

        def asking(name):
            status, body = ask(name, f"/{ALONE[name]}")
            assert status == 200, body
            return json.loads(body)

        return asking

    def message(name):
        with tenantmetrics.tenant(name):
            sent = two.delay(ALONE[name])
        return sent.get(timeout=60, interval=0.005)

    def event(name):
        request = {"http": {"method": "GET"}, "stage": "$default"}
        sent = {"rawPath": "/", "headers": {"x-tenant-id": name}, "requestContext": request}
        return by_lambda(sent | {"alone": ALONE[name]}, None)

    urls = ModuleType("urls")
    urls.urlpatterns = [path("<int:alone>", lambda _, alone: JsonResponse(work(alone)))]
    of_django = override_settings(
        ROOT_URLCONF=urls,
        TENANTMETRICS_IDENTITY=IDENTITY,
        ALLOWED_HOSTS=["127.0.0.1"],
        MIDDLEWARE=["tenantmetrics.integrations.django.TenantMiddleware"],
    )
    worker = start_worker(
        by_celery, pool="threads", concurrency=8, perform_ping_check=False,
        shutdown_timeout=20, loglevel="ERROR", without_heartbeat=True,
    )  # fmt: skip
    with of_django, worker:
        ports = {
            "FastAPI": serve_asgi(by_fastapi),
            "Flask": serve_wsgi(by_flask),
            "Django": serve_wsgi(get_wsgi_application()),
        }
        of_http = {name: lambda port=port: http(port) for name, port in ports.items()}
        yield of_http | {"Lambda": lambda: event, "Celery": lambda: message}


@pytest.mark.parametrize(
    ("threads", "seconds"), [(20, 0), pytest.param(64, 60, marks=pytest.mark.long)]
)
def test_no_row_and_no_call_is_of_the_other(asks, calls, data_api, threads, seconds):
    """Each thread is one tenant and then the other, on a connection that is kept alive."""
    together = threading.Barrier(threads)
    frameworks = list(asks)

    def ask(number):
        framework = frameworks[number % len(frameworks)]
        asking, served = asks[framework](), Counter()
        together.wait(60)
        end_s = time.monotonic() + seconds
        for turn in range(1_000_000):
            name = ("acme", "globex")[(number // len(frameworks) + turn) % 2]
            found = asking(name)
            assert found == {"rows": [[name, 20]], "tenant": name}, framework
            assert current_tenant() is None
            served[name] += 1
            if turn >= 4 and time.monotonic() >= end_s:
                break
        return served

    with ThreadPoolExecutor(threads) as pool:
        served = sum(pool.map(ask, range(threads)), Counter())
    assert tenantmetrics.flush(30)
    assert calls.by_tenant == {
        name: number * (IN_TRANSACTION + ALONE[name]) for name, number in served.items()
    }
    assert sum(served.values()) >= threads * 5
    assert data_api.endpoint.open_transactions == 0
