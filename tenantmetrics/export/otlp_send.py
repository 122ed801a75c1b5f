"""OpenTelemetry's stock OTLP exporters, watched: what became of a request, and no blind repeats.

The stock exporters retry by themselves and answer only success or failure. Here each attempt is
looked at: an outcome that may have been a delivery ends the attempts, and the exporter above says
whether a repeat is safe. Imported at the first export, not before.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import grpc  # type: ignore[import-untyped] # publishes no types
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session as BotocoreSession
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
    OTLPMetricExporter as GrpcExporter,
)
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
    OTLPMetricExporter as HttpExporter,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData

from tenantmetrics.export.resume import Fate, Undelivered

__all__ = ["GrpcSender", "HttpSender"]

_CONNECT_TIMEOUT_S = 2.0
_READ_TIMEOUT_S = 5.0


class _NotOurs(logging.Filter):
    """Keeps the stock exporters' error lines out of the log where it is us they speak of.

    Losses are logged once a minute by `health`; the application's own OTLP exporters, which share
    these loggers, are left alone.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.threadName or "").startswith("tenantmetrics")


_FILTER = _NotOurs()
for _name in (
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
):
    logging.getLogger(_name).addFilter(_FILTER)


class HttpSender:
    """One export's HTTP requests.

    Args:
        url: The signal's URL.
        deadline_s: On the clock: no request goes on longer.
        clock: Monotonic seconds.
        region: AWS region to sign for; empty signs nothing.
    """

    def __init__(
        self, url: str, deadline_s: float, clock: Callable[[], float], region: str
    ) -> None:
        self._session = _Session(deadline_s, clock)
        if region:
            self._session.auth = _SigV4(region)
        self._exporter = HttpExporter(
            endpoint=url,
            session=self._session,
            timeout=max(0.1, deadline_s - clock()),
            # CloudWatch takes gzip or none, and says so; elsewhere the environment decides.
            compression=Compression.Gzip if region else None,
        )

    def send(self, data: MetricsData) -> None:
        """Deliver one request or raise `Undelivered`."""
        self._session.undelivered = None
        result = self._exporter.export(data)
        if self._session.undelivered is not None:
            raise self._session.undelivered
        if result is not MetricExportResult.SUCCESS:
            raise Undelivered(Fate.REJECTED, ValueError("not encodable"))

    def close(self) -> None:
        """Close the connection."""
        self._exporter.shutdown()


class _StopError(Exception):
    """Not one of the errors that the stock exporter would try again after."""


class _Session(requests.Session):
    """Remembers how the last request ended; lets only what is safe be tried again."""

    def __init__(self, deadline_s: float, clock: Callable[[], float]) -> None:
        super().__init__()
        self._deadline_s = deadline_s
        self._clock = clock
        self.undelivered: Undelivered | None = None

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        left_s = self._deadline_s - self._clock()
        if left_s <= 0:
            self._stop(Fate.FAILED, TimeoutError("out of time before the request was sent"))
        connect_s = min(_CONNECT_TIMEOUT_S, left_s / 2)
        kwargs["timeout"] = (connect_s, min(_READ_TIMEOUT_S, left_s - connect_s))
        try:
            response = super().request(method, url, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - told to the fanout
            self._stop(Fate.FAILED if _never_sent(error) else Fate.UNCERTAIN, error)
        self.undelivered = _read(response)
        if self.undelivered is not None and self.undelivered.fate is not Fate.THROTTLED:
            raise _StopError
        return response

    def _stop(self, fate: Fate, error: BaseException) -> None:
        self.undelivered = Undelivered(fate, error)
        raise _StopError from error


def _read(response: requests.Response) -> Undelivered | None:
    """What a status says; None for a delivery of every point."""
    status = response.status_code
    if status < 300:  # noqa: PLR2004 - a redirect is no delivery
        partial = _rejected_points(response)
        if partial:
            return Undelivered(Fate.REJECTED, ValueError(f"{partial} points refused"))
        return None
    error = requests.HTTPError(f"status {status}")
    if status in {429, 503}:
        return Undelivered(Fate.THROTTLED, error)
    if status in {401, 403, 404}:
        return Undelivered(Fate.FAILED, error)  # credentials and routes get repaired
    return Undelivered(Fate.UNCERTAIN if status >= 500 else Fate.REJECTED, error)  # noqa: PLR2004


def _rejected_points(response: requests.Response) -> int:
    try:
        answer = ExportMetricsServiceResponse.FromString(response.content)
    except Exception:  # noqa: BLE001 - a receiver that answers in JSON, or nothing at all, took it
        return 0
    return int(answer.partial_success.rejected_data_points)


def _never_sent(error: BaseException) -> bool:
    """Whether no request can have gone out: no connection was made, or no credentials found."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError):
        return True
    if isinstance(error, requests.ConnectionError):
        reason = getattr(error.args[0] if error.args else None, "reason", None)
        # NameResolutionError is one too.
        return type(reason).__name__ in {"NewConnectionError", "NameResolutionError"}
    return not isinstance(error, requests.RequestException)


class _SigV4(requests.auth.AuthBase):
    """Signs for CloudWatch's OTLP endpoint with boto's own credential chain."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._session = BotocoreSession()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        credentials = self._session.get_credentials()
        if credentials is None:
            raise LookupError("no AWS credentials")
        frozen = credentials.get_frozen_credentials()
        signed = AWSRequest(
            method=request.method,
            url=request.url,
            data=request.body,
            headers={"content-type": request.headers.get("content-type", "")},
        )
        SigV4Auth(frozen, "monitoring", self._region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


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


class _Watched(GrpcExporter):
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
        if "failed to connect" in (error.details() or "").lower():
            return Fate.FAILED
        return Fate.UNCERTAIN
    return _FATES.get(code, Fate.UNCERTAIN)
