"""OpenTelemetry's stock OTLP exporter over HTTP, watched: what became of a request.

The stock exporter retries by itself and answers only success or failure. Here each attempt is
looked at: an outcome that may have been a delivery ends the attempts, and the exporter above says
whether a repeat is safe.
"""

from __future__ import annotations

import netrc  # noqa: F401 - requests loads it with its first request, when a fork may come
from collections.abc import Callable
from typing import Any

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.session import Session as BotocoreSession
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData

from tenantmetrics.export.resume import Fate, Undelivered
from tenantmetrics.logs import not_ours

__all__ = ["HttpSender", "Signer"]

_CONNECT_TIMEOUT_S = 2.0
_READ_TIMEOUT_S = 5.0
_NOT_TAKEN = frozenset({401, 403, 404, 405, 407, 408})
"""Credentials, routes and proxies get repaired; 408 is a request that did not arrive whole."""

not_ours("opentelemetry.exporter.otlp.proto.http.metric_exporter")


class HttpSender:
    """One export's HTTP requests.

    Args:
        url: The signal's URL.
        deadline_s: On the clock: no request goes on longer.
        clock: Monotonic seconds.
        signer: Signs each request for AWS; None signs nothing.
    """

    def __init__(
        self,
        url: str,
        deadline_s: float,
        clock: Callable[[], float],
        signer: Signer | None = None,
    ) -> None:
        self._session = _Session(deadline_s, clock)
        if signer is not None:
            self._session.auth = signer
        self._exporter = OTLPMetricExporter(
            endpoint=url,
            session=self._session,
            timeout=max(0.1, deadline_s - clock()),
            # CloudWatch takes gzip or none, and says so; elsewhere the environment decides.
            compression=Compression.Gzip if signer is not None else None,
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
        # Followed, a redirected POST becomes a GET without its body, whose 200 is no delivery.
        kwargs["allow_redirects"] = False
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
    if status in _NOT_TAKEN:
        return Undelivered(Fate.FAILED, error)
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


class Signer(requests.auth.AuthBase):
    """Signs for CloudWatch's OTLP endpoint with boto's own credential chain.

    Kept from one export to the next: what the chain asked a metadata service or STS for is good for
    hours, and botocore renews it in time.

    Args:
        region: AWS region of the endpoint.
    """

    def __init__(self, region: str) -> None:
        self._region = region
        self._session = BotocoreSession()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the signature of the body as it goes out."""
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
