"""The same numbers and the same care over gRPC."""

import socket
import time
from concurrent import futures

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as service_grpc

from tenantmetrics.export.base import ExportError
from tests.export.otlp.points import expected, exporter, in_s, totals


class Receiver(service_grpc.MetricsServiceServicer):
    def __init__(self):
        self.requests = []
        self.trouble = []

    def Export(self, request, context):  # noqa: N802 - the RPC
        if self.trouble:
            context.abort(self.trouble.pop(0), "no")
        self.requests.append(request)
        return service.ExportMetricsServiceResponse()


@pytest.fixture
def grpc_receiver():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    receiver = Receiver()
    service_grpc.add_MetricsServiceServicer_to_server(receiver, server)
    receiver.url = f"grpc://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield receiver
    server.stop(None).wait()


def test_tenants_arrive_over_grpc(grpc_receiver, real_window):
    """The same numbers through the other stock exporter."""
    window = real_window(500)
    sink = exporter(grpc_receiver.url)
    sink.export([window], in_s(30))
    sink.close()
    assert totals(grpc_receiver.requests) == expected(window)


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ""),
        (grpc.StatusCode.UNAUTHENTICATED, "failed"),
        (grpc.StatusCode.INVALID_ARGUMENT, "rejected"),
        (grpc.StatusCode.INTERNAL, "uncertain"),
        (grpc.StatusCode.UNAVAILABLE, "uncertain"),
    ],
)
def test_each_grpc_status_is_read_for_what_it_says(grpc_receiver, make_window, status, fate):
    """Only throttling is tried again at once."""
    grpc_receiver.trouble = [status]
    window = make_window("acme")
    sink = exporter(grpc_receiver.url)
    if fate:
        with pytest.raises(ExportError) as caught:
            sink.export([window], in_s(5))
        assert getattr(caught.value, fate) == (window,)
        assert grpc_receiver.requests == []
    else:
        sink.export([window], in_s(5))
        assert len(grpc_receiver.requests) == 1
    sink.close()


def test_a_grpc_receiver_that_never_answers_costs_no_more_than_the_deadline(make_window):
    """A port that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sink = exporter(f"grpc://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(ExportError):
            sink.export([make_window("acme")], in_s(0.5))
        sink.close()
        assert time.monotonic() - started < 4
