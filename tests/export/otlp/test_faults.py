"""What may have arrived is not counted twice, whatever the receiver answers."""

import time

import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service

from tenantmetrics.export.base import ExportError
from tests.export.otlp.points import decoded, expected, exporter, in_s, totals

FAULTS = {
    "500": ((500,), "uncertain"),
    "502": ((502,), "uncertain"),
    "503": ((503,), "failed"),
    "throttled": ((429,), "failed"),
    "400": ((400,), "rejected"),
    "redirect": ((302,), "rejected"),
    "expired credentials": ((403,), "failed"),
    "points refused": (
        (
            200,
            service.ExportMetricsServiceResponse(
                partial_success={"rejected_data_points": 3}
            ).SerializeToString(),
        ),
        "rejected",
    ),
    "reset": ("reset", "uncertain"),
    "no answer": ("hang", "uncertain"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_over_http_is_read_for_what_it_says(server, answer, make_window, fault):
    """The stock exporter retries by itself; what may have arrived is not sent a second time."""
    what, fate = FAULTS[fault]
    server.standing = answer(trouble=what) if isinstance(what, str) else answer(*what)
    window = make_window("acme")
    sink = exporter(server.url)
    started = time.monotonic()
    with pytest.raises(ExportError) as caught:
        sink.export([window], in_s(1))
    sink.close()
    assert time.monotonic() - started < 5
    became = {name: getattr(caught.value, name) for name in ("failed", "uncertain", "rejected")}
    assert became == {name: (window,) if name == fate else () for name in became}
    if fate != "failed":
        assert len(server.seen) == 1


def test_nobody_listening_is_a_failure_that_may_be_tried_again(server, make_window):
    """Connection refused, over HTTP and over gRPC."""
    server.close()
    window = make_window("acme")
    for url in (server.url, server.url.replace("http", "grpc")):
        sink = exporter(url)
        with pytest.raises(ExportError) as caught:
            sink.export([window], in_s(3))
        sink.close()
        assert caught.value.failed == (window,)


def test_a_second_try_sends_only_the_requests_that_are_not_done(server, answer, real_window):
    """Delta points that arrived are not sent again."""
    window = real_window(400)
    sink = exporter(server.url)
    server.answers = [answer(), answer(403)]
    with pytest.raises(ExportError):
        sink.export([window], in_s(10))
    taken = server.seen[0].content
    server.seen.clear()
    sink.export([window], in_s(10))
    sink.close()
    bodies = [taken, *(seen.content for seen in server.seen)]
    assert totals(decoded(bodies)) == expected(window)
