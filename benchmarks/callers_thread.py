"""What a call costs its caller: plain boto3, tenantmetrics, OpenTelemetry's botocore hooks.

HTTP is answered in the process, so the whole of a call is Python on the caller's thread. The
variants take turns in short blocks within one process, in another order every round and each after
a few calls that are not timed; a block's median is compared with that of the plain block of its
round, and the median over all rounds is printed: drift of the machine and of its caches cancels.

Budget: at most 5 µs a call at the median on a cached statement, and at most a tenth of what
OpenTelemetry adds.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from statistics import median, quantiles
from time import perf_counter_ns
from typing import Any

from benchmarks._stub import CLUSTER, SECRET, client

ROUNDS = 120
CALLS = 100
WARM_UP_CALLS = 20
BUDGET_US = 5.0

CALL: dict[str, Any] = {
    "resourceArn": CLUSTER,
    "secretArn": SECRET,
    "database": "hotel",
    "sql": "SELECT id, guest, total FROM bookings WHERE tenant_id = :tenant AND id = :id",
    "parameters": [
        {"name": "tenant", "value": {"stringValue": "acme"}},
        {"name": "id", "value": {"longValue": 42}},
    ],
}


def _block(call: Callable[..., Any]) -> float:
    """Median microseconds of one call over a block."""
    for _ in range(WARM_UP_CALLS):
        call(**CALL)
    times = []
    for _ in range(CALLS):
        started = perf_counter_ns()
        call(**CALL)
        times.append(perf_counter_ns() - started)
    return median(times) / 1e3


def _opentelemetry() -> Callable[[], AbstractContextManager[Any]]:
    """Instrumentation switched on and off again around a block; spans batched and thrown away."""
    from contextlib import contextmanager

    from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, _spans: Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    instrumentor = BotocoreInstrumentor()

    @contextmanager
    def switched_on() -> Any:
        instrumentor.instrument(tracer_provider=provider)
        try:
            yield
        finally:
            instrumentor.uninstrument()

    return switched_on


def main() -> None:
    """Print the table."""
    import tenantmetrics
    from tenantmetrics.config import load
    from tenantmetrics.instrumentation.botocore import BotocoreInstrumentation
    from tenantmetrics.pipeline import Pipeline

    with tempfile.TemporaryDirectory() as ledger:
        # OpenTelemetry is loaded here for the peer's sake. Without it there is no span to look
        # for; with it, looking for one is part of the price, and a line of its own.
        tenantmetrics.configure(exporters=[f"ledger:{ledger}/a"], trace_link=False)
        plain = client().execute_statement
        metered = tenantmetrics.instrument(client()).execute_statement
        linked = Pipeline(load(exporters=[f"ledger:{ledger}/b"], trace_link=True))
        traced = client()
        BotocoreInstrumentation(linked.recorder).register(traced.meta.events)
        variants: dict[
            str, tuple[Callable[..., Any], Callable[[], AbstractContextManager[Any]]]
        ] = {
            "boto3": (plain, nullcontext),
            "boto3 again (the noise)": (client().execute_statement, nullcontext),
            "tenantmetrics, tenant from SQL": (metered, nullcontext),
            "tenantmetrics, tenant from context": (metered, lambda: tenantmetrics.tenant("acme")),
            "the same, trace link at work": (traced.execute_statement, nullcontext),
            "OpenTelemetry botocore": (client().execute_statement, _opentelemetry()),
        }
        for call, around in variants.values():
            with around():
                _block(call)
        times: dict[str, list[float]] = {name: [] for name in variants}
        order = list(variants)
        shuffle = random.Random(1).shuffle
        for _ in range(ROUNDS):
            shuffle(order)
            for name in order:
                call, around = variants[name]
                with around():
                    times[name].append(_block(call))
        linked.shutdown(5)
        tenantmetrics.shutdown()

    added = {
        name: [mine - base for mine, base in zip(times[name], times["boto3"], strict=True)]
        for name in variants
    }
    peer = median(added["OpenTelemetry botocore"])
    print(f"{'':38}{'a call':>10}{'added':>10}{'quartiles':>18}{'of OpenTelemetry':>18}")
    for name in variants:
        low, _, high = quantiles(added[name], n=4)
        print(
            f"{name:38}{median(times[name]):7.1f} µs{median(added[name]):7.2f} µs"
            f"{f'{low:.2f} to {high:.2f}':>18}{median(added[name]) / peer:17.1%}"
        )
    print(f"budget: {BUDGET_US} µs and 10 % of OpenTelemetry's, medians of {ROUNDS}x{CALLS} calls")
