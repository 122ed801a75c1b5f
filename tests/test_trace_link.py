"""Traces: the current span learns the tenant, histograms point back at the trace."""

from types import SimpleNamespace

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import tenantmetrics
from benchmarks._stub import CLUSTER, SECRET, client
from tenantmetrics import process
from tenantmetrics.capture.trace import link
from tenantmetrics.records import Claim, Claims, Source

CALL = {"resourceArn": CLUSTER, "secretArn": SECRET, "sql": "SELECT 1"}


@pytest.fixture
def spans():
    """A tracer of its own, not the process's: (tracer, what it exported)."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("test"), exporter


@pytest.fixture
def metered(monkeypatch):
    """(client, windows that the pipeline exports), for some settings."""

    def make(**settings):
        tenantmetrics.configure(exporters=[], **settings)
        windows = []
        monkeypatch.setattr(
            process.current()._fanout, "offer", lambda given, *_, **__: windows.extend(given)
        )
        return tenantmetrics.instrument(client()), windows

    yield make
    tenantmetrics.configure(exporters=[])


def test_the_current_span_gets_the_tenant(spans, metered):
    """The application's own span, without the application doing anything."""
    tracer, exporter = spans
    rds, _ = metered()
    with tracer.start_as_current_span("request"), tenantmetrics.tenant("acme"):
        rds.execute_statement(**CALL)
    (span,) = exporter.get_finished_spans()
    assert span.attributes["tenant.id"] == "acme"


def test_the_slowest_traced_call_is_the_exemplar(spans, metered):
    """With the ids of the span that was current and the duration of that very call."""
    tracer, exporter = spans
    rds, windows = metered()
    for _ in range(5):
        with tracer.start_as_current_span("request"), tenantmetrics.tenant("acme"):
            rds.execute_statement(**CALL)
    with tenantmetrics.tenant("acme"):
        rds.execute_statement(**CALL)
    assert tenantmetrics.flush(5)
    ids = {(span.context.trace_id, span.context.span_id) for span in exporter.get_finished_spans()}
    series = [one for window in windows for one in window.series.values()]
    for one in series:
        assert (one.exemplar.trace_id, one.exemplar.span_id) in ids
        assert one.duration_min_ns <= one.exemplar.duration_ns <= one.duration_max_ns
    assert sum(one.calls for one in series) == 6


def test_switched_off_nothing_touches_the_span(spans, metered):
    """`trace_link=False`."""
    tracer, exporter = spans
    rds, windows = metered(trace_link=False)
    with tracer.start_as_current_span("request"), tenantmetrics.tenant("acme"):
        rds.execute_statement(**CALL)
    assert tenantmetrics.flush(5)
    (span,) = exporter.get_finished_spans()
    assert "tenant.id" not in span.attributes
    assert all(one.exemplar is None for window in windows for one in window.series.values())


def test_a_span_that_is_not_sampled_gives_no_exemplar():
    """A link to a trace that nobody keeps leads nowhere."""
    tracer = TracerProvider(sampler=ALWAYS_OFF).get_tracer("test")
    with tracer.start_as_current_span("request"):
        assert link(Claims()) is None


def test_without_a_span_there_is_nothing_to_link():
    """And nothing is made up."""
    assert not trace.get_current_span().get_span_context().is_valid
    assert link(Claims()) is None


def test_two_tenants_in_one_call_are_not_put_on_the_span(spans):
    """Neither would be right."""
    tracer, exporter = spans
    both = Claims(named=(Claim(Source.STATEMENT, (("acme", 1), ("bee", 1))),))
    with tracer.start_as_current_span("request") as span:
        context = span.get_span_context()
        assert link(SimpleNamespace(claims=both)) == (context.trace_id, context.span_id)
    (span,) = exporter.get_finished_spans()
    assert "tenant.id" not in span.attributes


def test_a_tracer_that_fails_does_not_fail_the_query(metered, monkeypatch):
    """Counted as a hook error; the caller gets the answer."""
    rds, _ = metered()

    def broken():
        raise RuntimeError("tracer")

    monkeypatch.setattr(trace, "get_current_span", broken)
    assert rds.execute_statement(**CALL)["records"]
    assert tenantmetrics.stats()["losses"] == {"hook_error": 1}
    assert tenantmetrics.stats()["calls"] == 1
