"""What delivery costs a process: CPU a call with the background work, an export, an import.

Each variant runs in processes of its own, in turns; HTTP is answered in the process, so all of a
call is Python. Wall time is the caller's alone, at the median; CPU is the whole process's,
background threads and the last flush included, divided by the calls. Peers that are not installed
are left out by name.

Budgets: 5 µs a call for the caller, 10 µs of CPU a call in all, 1 s of CPU for 10,000 tenants to
CloudWatch, 30 ms of import beside boto3.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from statistics import median

ROUNDS = 5
CALLS = 6_000
TENANTS = 200
EXPORT_TENANTS = 10_000

_COMMON = f"""
import json, sys, tempfile, time
from statistics import median
from benchmarks._stub import client
from benchmarks.callers_thread import CALL
CALLS, TENANTS = {CALLS}, {TENANTS}
names = ["tenant-%d" % n for n in range(TENANTS)]
# The statement's tenant is the one around it: two that disagree would be measured as a conflict.
_, of_booking = CALL["parameters"]
CALL_OF = {{}}
for name in names:
    of_tenant = {{"name": "tenant", "value": {{"stringValue": name}}}}
    CALL_OF[name] = {{**CALL, "parameters": [of_tenant, of_booking]}}
"""
_MEASURE = """
    def call(n):
        return around(names[n % TENANTS])
    for n in range(300):
        call(n)
    finish()
    times = []
    cpu = time.process_time()
    for n in range(CALLS):
        started = time.perf_counter_ns()
        call(n)
        times.append(time.perf_counter_ns() - started)
    finish()
    cpu = time.process_time() - cpu
    print(json.dumps([median(times) / 1e3, cpu / CALLS * 1e6]))
"""

# What each variant does around one call; `finish` brings everything out that is still inside.
_VARIANTS: dict[str, tuple[tuple[str, ...], str]] = {
    "boto3": (
        (),
        """
    run = client().execute_statement
    def around(tenant):
        return run(**CALL_OF[tenant])
    def finish(): pass
    """,
    ),
    "tenantmetrics, ledger": (
        (),
        """
    import tenantmetrics
    tenantmetrics.configure(exporters=["ledger:" + tempfile.mkdtemp()])
    run = tenantmetrics.instrument(client()).execute_statement
    enter = tenantmetrics.tenant
    def around(tenant):
        with enter(tenant):
            return run(**CALL_OF[tenant])
    def finish():
        assert tenantmetrics.flush(30)
    """,
    ),
    "OpenTelemetry botocore, a metric a call": (
        ("opentelemetry.instrumentation.botocore",),
        """
    from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import (
        MetricExporter, MetricExportResult, PeriodicExportingMetricReader)
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    class Spans(SpanExporter):
        def export(self, spans): return SpanExportResult.SUCCESS
    class Metrics(MetricExporter):
        def export(self, data, timeout_millis=0, **kwargs): return MetricExportResult.SUCCESS
        def shutdown(self, timeout_millis=0, **kwargs): pass
        def force_flush(self, timeout_millis=0): return True
    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(Spans()))
    BotocoreInstrumentor().instrument(tracer_provider=tracers)
    meters = MeterProvider([PeriodicExportingMetricReader(Metrics())])
    duration = meters.get_meter("bench").create_histogram("db.client.operation.duration", "s")
    run = client().execute_statement
    def around(tenant):
        started = time.perf_counter()
        answer = run(**CALL_OF[tenant])
        duration.record(time.perf_counter() - started,
            {"tenant.id": tenant, "db.operation.name": "ExecuteStatement"})
        return answer
    def finish():
        meters.force_flush(); tracers.force_flush()
    """,
    ),
    "ddtrace": (
        ("ddtrace",),
        """
    import os
    os.environ["DD_TRACE_AGENT_URL"] = "http://127.0.0.1:9"
    os.environ["DD_INSTRUMENTATION_TELEMETRY_ENABLED"] = "false"
    import logging; logging.disable(logging.CRITICAL)
    import ddtrace
    ddtrace.patch(botocore=True)
    run = client().execute_statement
    def around(tenant):
        return run(**CALL_OF[tenant])
    def finish():
        ddtrace.tracer.flush()
    """,
    ),
    "X-Ray SDK": (
        ("aws_xray_sdk",),
        """
    from aws_xray_sdk.core import patch, xray_recorder
    xray_recorder.configure(sampling=False, context_missing="LOG_ERROR",
        daemon_address="127.0.0.1:9")
    patch(["botocore"])
    run = client().execute_statement
    def around(tenant):
        with xray_recorder.in_segment("bench") as segment:
            segment.put_annotation("tenant", tenant)
            return run(**CALL_OF[tenant])
    def finish(): pass
    """,
    ),
    "Powertools Metrics": (
        ("aws_lambda_powertools",),
        """
    import contextlib, io
    from aws_lambda_powertools import Metrics
    from aws_lambda_powertools.metrics import MetricUnit
    metrics = Metrics(namespace="bench", service="bench")
    run = client().execute_statement
    def around(tenant):
        started = time.perf_counter()
        answer = run(**CALL_OF[tenant])
        metrics.add_dimension(name="TenantId", value=tenant)
        metrics.add_metric(name="DatabaseDuration", unit=MetricUnit.Milliseconds,
            value=(time.perf_counter() - started) * 1e3)
        with contextlib.redirect_stdout(io.StringIO()):
            metrics.flush_metrics()
        return answer
    def finish(): pass
    """,
    ),
}

_SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *_): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""

_EXPORT = """
    import random
    from tenantmetrics.catalog import Level
    from tenantmetrics.export.cloudwatch import CloudWatchExporter
    from tenantmetrics.histogram import record
    from tenantmetrics.records import Series, SeriesKey, Source, Window
    rng = random.Random(1)
    def window(tenants, sequence):
        series = {}
        for n in range(tenants):
            one = series[SeriesKey(f"tenant-{n:06d}", "ExecuteStatement", "ok", Source.STATEMENT,
                "arn:aws:rds:us-east-1:123456789012:cluster:bench", "app")] = Series()
            for _ in range(20):
                ns = int(rng.lognormvariate(16.5, 0.5))
                record(one, ns); one.calls += 1; one.duration_ns += ns; one.billed_requests += 1
        return Window(int(time.time()) // 60 * 60, 60, "bench", sequence, series, {})
    tenants, kept = int(sys.argv[1]), int(sys.argv[2])
    sink = CloudWatchExporter(namespace="Bench", level=Level.ESSENTIAL, max_tenants=kept)
    sink.export([window(10, 0)], time.monotonic() + 60)
    given = window(tenants, 1)
    cpu = time.process_time()
    sink.export([given], time.monotonic() + 60)
    print(time.process_time() - cpu)
"""


def _run(script: str, *arguments: str, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environ},
    )
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def _calls() -> None:
    present = {
        name: body
        for name, (needs, body) in _VARIANTS.items()
        if all(_installed(module) for module in needs)
    }
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in present}
    for _ in range(ROUNDS):
        for name, body in present.items():
            script = _COMMON + textwrap.dedent(body) + textwrap.dedent(_MEASURE)
            wall_us, cpu_us = json.loads(_run(script))
            figures[name].append((wall_us, cpu_us))
    base = figures["boto3"]
    print(f"{'':42}{'caller, added':>16}{'CPU, added':>14}{'CPU in all':>14}")
    for name, mine in figures.items():
        wall = median(one[0] - plain[0] for one, plain in zip(mine, base, strict=True))
        cpu = median(one[1] - plain[1] for one, plain in zip(mine, base, strict=True))
        total = median(one[1] for one in mine)
        print(f"{name:42}{wall:13.1f} µs{cpu:11.1f} µs{total:11.1f} µs")
    if missing := sorted(set(_VARIANTS) - set(present)):
        print(f"not installed: {', '.join(missing)}")
    print(f"budget: 5 µs and 10 µs; medians of {ROUNDS} processes of {CALLS:,} calls each")


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _export() -> None:
    server = subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}" if server.stdout else ""
        environ = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        for kept in (EXPORT_TENANTS, 500):
            times = [
                float(
                    _run(
                        _COMMON + textwrap.dedent(_EXPORT),
                        str(EXPORT_TENANTS),
                        str(kept),
                        **environ,
                    )
                )
                for _ in range(ROUNDS)
            ]
            print(
                f"{EXPORT_TENANTS:,} tenants to CloudWatch, {kept:,} with metrics of their own:"
                f" {median(times):.2f} s of CPU a minute (budget 1 s)"
            )
    finally:
        server.terminate()
        server.wait()
        if server.stdout:
            server.stdout.close()


def _import() -> None:
    timed = "import time; s = time.perf_counter(); import {}; print(time.perf_counter() - s)"
    added = []
    for _ in range(3 * ROUNDS):
        plain = float(_run(timed.format("boto3")))
        ours = float(_run(timed.format("boto3, tenantmetrics")))
        added.append((ours - plain) * 1e3)
    print(f"import tenantmetrics: {median(added):.0f} ms over import boto3 (budget 30 ms)")


def main() -> None:
    """Print the tables."""
    _calls()
    _export()
    _import()
