"""Calls that went through the aggregator, rehearsed: noise, and an incident in it."""

import random

from tenantmetrics.aggregate.window import Aggregator
from tenantmetrics.catalog import NAMESPACE, Level
from tenantmetrics.console.rehearsal import recordings
from tenantmetrics.export.emf import documents
from tenantmetrics.health import Health, Loss
from tenantmetrics.records import OK, Attribution, Call, Claims, Misuse, Source
from tests.console.rehearsing import START_S, fired


def call(tenant, at_s, *, latency_ms=20.0, failed=False, crossing=False, workless=False):
    """One call as capture makes it, and whose it was found to be."""
    made = Call(
        operation="BeginTransaction" if workless else "ExecuteStatement",
        ended_at_ns=int(at_s * 1e9),
        duration_ns=int(latency_ms * 1e6),
        outcome="DatabaseErrorException" if failed else OK,
        sqlstate="",
        http_status=400 if failed else 200,
        attempts=1,
        request_bytes=200,
        response_bytes=900,
        billed_requests=1,
        rows_returned=3,
        rows_written=0,
        session="",
        resource_arn="arn:aws:rds:us-east-1:123456789012:cluster:bookings",
        database="app",
        claims=Claims(fingerprint=2 if workless else 1, workless=workless),
    )
    misuses = (Misuse.OTHER_TENANTS_ROWS,) if crossing else ()
    return made, Attribution(((tenant, 1),), Source.CONTEXT, misuses)


def recorded(tmp_path, *, incident):
    """Two hours of calls through the aggregator, exported minute by minute as EMF documents."""
    rng = random.Random(7)
    health = Health()
    aggregator = Aggregator(
        window_s=60, max_series=1_000, health=health, writer="host-1", clock_ns=lambda: 0
    )
    path = tmp_path / "recorded.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for minute in range(120):
            at_s = START_S + 60 * minute
            now = minute if incident else -1
            flood, failing, crossing = 20 <= now < 35, 45 <= now < 60, 70 <= now < 72
            # acme runs a job, bee's deployment is broken, cat reads what is not its own.
            for tenant, calls in (("acme", 600 if flood else 12), ("bee", 12), ("cat", 12)):
                for _ in range(calls):
                    latency_ms = rng.lognormvariate(0, 0.3) * (700 if flood else 20)
                    failed = rng.random() < (0.5 if failing and tenant == "bee" else 0.005)
                    aggregator.add(
                        *call(
                            tenant,
                            at_s + rng.random() * 59,
                            latency_ms=latency_ms,
                            failed=failed,
                            crossing=crossing and tenant == "cat" and rng.random() < 0.3,
                        )
                    )
                # Calls without work tell how much of the time is not the server's.
                for _ in range(4):
                    overhead_ms = rng.lognormvariate(0, 0.2) * 5
                    begin = call(
                        tenant, at_s + rng.random() * 59, latency_ms=overhead_ms, workless=True
                    )
                    aggregator.add(*begin)
            outage = 80 <= now < 100
            if outage:
                health.count(Loss.EXPORT_FAILED, where="cloudwatch")
            for window in aggregator.close():
                if not outage:
                    file.writelines(
                        f"{document}\n"
                        for document in documents(
                            window,
                            namespace=NAMESPACE,
                            level=Level.ESSENTIAL,
                            max_tenants=500,
                            meta={},
                        )
                    )
    return recordings.load(path)


def test_a_workload_recorded_through_the_aggregator_fires_for_the_right_tenants(tmp_path, promql):
    """Calls with their own noise: a flood, a broken tenant, a crossing, an exporter's outage."""
    found = fired(recorded(tmp_path, incident=True), OtlpMetrics="true")
    who = {}
    for _, name, names in found:
        who[name] = who.get(name, set()) | set(names)
    assert who == {
        "fleet-latency": set(),
        "fleet-error-rate": set(),
        "tenant-error-rate": {"bee"},
        "tenant-database-time": {"acme"},
        "largest-share": set(),
        "latency-raised": set(),
        "noisy-neighbour": {"acme"},
        "noisy-neighbour-exact": {"acme"},
        "tenant-conflicts": set(),
        "no-data": set(),
        "page": {"acme"},
    }


def test_the_same_workload_without_the_incident_is_silent(tmp_path, promql):
    """Half a percent of failures and the noise of latencies are a calm day."""
    assert fired(recorded(tmp_path, incident=False), OtlpMetrics="true") == []
