"""OpenTelemetry's stock OTLP exporter over gRPC, watched: what became of a request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import grpc  # type: ignore[import-untyped] # publishes no types
import grpc._channel  # type: ignore[import-untyped] # loaded with the first channel otherwise, when a fork may come
import grpc.experimental  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData

from tenantmetrics.export.resume import Fate, Undelivered
from tenantmetrics.logs import not_ours

__all__ = ["GrpcSender"]

_READ_TIMEOUT_S = 5.0

not_ours("opentelemetry.exporter.otlp.proto.grpc.exporter")


class GrpcSender:
    """One export's gRPC requests.

    Args:
        url: `http(s)://host:port`.
        deadline_s: On the clock.
        clock: Monotonic seconds.
    """

    def __init__(self, url: str, deadline_s: float, clock: Callable[[], float]) -> None:
        self._exporter = _Watched(url, deadline_s, clock)

    def send(self, data: MetricsData) -> None:
        """Deliver one request or raise `Undelivered`."""
        if self._exporter.export(data) is not MetricExportResult.SUCCESS:
            raise Undelivered(Fate.REJECTED, ValueError("not encodable"))

    def close(self) -> None:
        """Close the channel."""
        self._exporter.shutdown()


class _Watched(OTLPMetricExporter):
    """The stock exporter with its stub wrapped: each failure ends as `Undelivered`."""

    def __init__(self, url: str, deadline_s: float, clock: Callable[[], float]) -> None:
        self._ends_s = deadline_s
        self._now = clock
        super().__init__(endpoint=url, timeout=max(0.1, deadline_s - clock()))

    def _initialize_channel_and_stub(self) -> None:
        super()._initialize_channel_and_stub()  # type: ignore[no-untyped-call]
        self._client: Any = _Stub(self._client, self._ends_s, self._now)


class _Stub:
    def __init__(self, stub: Any, deadline_s: float, clock: Callable[[], float]) -> None:
        self._stub = stub
        self._deadline_s = deadline_s
        self._clock = clock
        self._pause = threading.Event()

    def Export(self, request: Any, metadata: Any = None, **_: Any) -> Any:  # noqa: N802 - the RPC
        wait_s = 0.2
        while True:
            left_s = self._deadline_s - self._clock()
            if left_s <= 0:
                raise Undelivered(Fate.FAILED, TimeoutError("out of time"))
            try:
                answer = self._stub.Export(
                    request=request, metadata=metadata, timeout=min(left_s, _READ_TIMEOUT_S)
                )
            except grpc.RpcError as error:
                fate = _status(error)
                if fate is not Fate.THROTTLED or self._clock() + wait_s >= self._deadline_s:
                    raise Undelivered(fate, error) from None
                self._pause.wait(wait_s)
                wait_s = min(2 * wait_s, _READ_TIMEOUT_S)
            else:
                refused = answer.partial_success.rejected_data_points
                if refused:
                    raise Undelivered(Fate.REJECTED, ValueError(f"{refused} points refused"))
                return answer


_NOT_CONNECTED = ("failed to connect", "errors resolving", "dns resolution failed")
"""gRPC's own words where no connection, or no address, was to be had (grpcio 1.60 to 1.76)."""
_FATES = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: Fate.THROTTLED,
    grpc.StatusCode.UNAUTHENTICATED: Fate.FAILED,
    grpc.StatusCode.PERMISSION_DENIED: Fate.FAILED,
    grpc.StatusCode.UNIMPLEMENTED: Fate.FAILED,
    grpc.StatusCode.NOT_FOUND: Fate.FAILED,
    grpc.StatusCode.INVALID_ARGUMENT: Fate.REJECTED,
    grpc.StatusCode.OUT_OF_RANGE: Fate.REJECTED,
    grpc.StatusCode.FAILED_PRECONDITION: Fate.REJECTED,
}


def _status(error: Any) -> Fate:
    """What a gRPC status says of the request."""
    code = error.code()
    if code is grpc.StatusCode.UNAVAILABLE:
        # The receiver's own "not now" carries RetryInfo; gRPC's failure to connect says so.
        metadata = dict(error.trailing_metadata() or ())
        if "google.rpc.retryinfo-bin" in metadata:
            return Fate.THROTTLED
        said = (error.details() or "").lower()
        if any(words in said for words in _NOT_CONNECTED):
            return Fate.FAILED
        return Fate.UNCERTAIN
    return _FATES.get(code, Fate.UNCERTAIN)
