"""The public API: locked by name, light to import."""

import subprocess
import sys

import tenantmetrics


def test_the_public_names_are_these():
    """What is added here is promised to users; what goes is a breaking change."""
    assert sorted(tenantmetrics.__all__) == [
        "ConfigError",
        "TenantMetricsError",
        "TenantRefusedError",
        "client",
        "configure",
        "flush",
        "instrument",
        "lambda_handler",
        "shutdown",
        "stats",
        "tenant",
        "uninstrument",
    ]
    for name in tenantmetrics.__all__:
        assert getattr(tenantmetrics, name).__doc__


def test_importing_loads_no_extra_and_starts_no_thread():
    """Light enough for a Lambda zip; nothing happens before the first call."""
    program = "import sys, threading, tenantmetrics; print(threading.active_count(), *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    threads, *modules = done.stdout.split()
    extras = {"pyarrow", "duckdb", "jinja2", "xlsxwriter", "babel", "psycopg", "uvicorn"}
    extras |= {"starlette", "typer", "rich", "sqlglot", "grpc", "opentelemetry"}

    assert threads == "1"
    assert extras.isdisjoint(modules)
