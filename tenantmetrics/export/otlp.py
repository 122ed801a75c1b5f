"""OpenTelemetry metrics over OTLP, HTTP or gRPC, with the stock exporters, CloudWatch included.

Delivery contract: with cumulative temporality (OpenTelemetry's default) a request may be repeated
without harm, so whatever did not surely arrive is sent again with the next export. With delta
temporality at most once: a request that surely was not taken (no connection, 429, 503) is sent
again; one that may have been (another 5xx, a connection that broke, no answer in time) is not, and
its window is counted as `export_uncertain`. Points that the receiver refuses for good are given up
and counted. Numbers are lost when the process dies before they were exported. A series starts anew,
with a new start time, in each process and after each fork (`service.instance.id`).

Read from OpenTelemetry's own environment: OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _PROTOCOL,
_COMPRESSION, _CERTIFICATE and their METRICS_ forms, OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME,
OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

from tenantmetrics import limits
from tenantmetrics.errors import ConfigError
from tenantmetrics.export.base import ExportError
from tenantmetrics.export.resume import Fate, Resumable, Undelivered
from tenantmetrics.life import unforked
from tenantmetrics.records import Window

__all__ = ["OtlpExporter", "Target", "target"]

_CLOUDWATCH = re.compile(r"monitoring\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?")
_HEADER = re.compile(r"[\w!#$%&'*+.^`|~-]+\s*=[^,]*")
_PREFIX = "OTEL_EXPORTER_OTLP_"


class Target:
    """Where to send and how.

    Args:
        url: Full URL for HTTP, `http(s)://host:port` for gRPC.
        grpc: gRPC rather than HTTP.
        region: AWS region whose CloudWatch it is; empty for any other receiver.
        cumulative: Temporality.
    """

    def __init__(self, url: str, *, grpc: bool, region: str, cumulative: bool) -> None:
        self.url = url
        self.grpc = grpc
        self.region = region
        self.cumulative = cumulative


def target(url: str, environ: Mapping[str, str] = os.environ) -> Target:
    """Read where to send from an exporter's argument and OpenTelemetry's environment.

    Args:
        url: `http(s)://host:4318[/v1/metrics]`, `grpc(s)://host:4317`, or empty for the
            environment's endpoint.
        environ: OTEL_EXPORTER_OTLP_*.

    Raises:
        ConfigError: The URL, or one of the environment's settings, is none that can work.
    """
    protocol = _setting(environ, "PROTOCOL") or "http/protobuf"
    source = ""
    if not url:
        url = environ.get(f"{_PREFIX}METRICS_ENDPOINT", "")
        base = environ.get(f"{_PREFIX}ENDPOINT", "")
        source = f" (from environment {_PREFIX}{'METRICS_' if url else ''}ENDPOINT)"
        if not url and protocol == "grpc":
            url = base or "http://localhost:4317"
        elif not url:
            url = f"{(base or 'http://localhost:4318').rstrip('/')}/v1/metrics"
    parts = _split(url)
    if parts is None:
        raise ConfigError(
            f"otlp endpoint {url!r}{source}: must be http://, https://, grpc:// or grpcs:// and a"
            " host, with or without a port"
        )
    if parts.scheme in {"grpc", "grpcs"}:
        protocol = "grpc"
        url = url.replace("grpc", "http", 1)
    _check(environ, protocol)
    if protocol != "grpc" and parts.path in {"", "/"}:
        url = f"{url.rstrip('/')}/v1/metrics"
    preference = environ.get(f"{_PREFIX}METRICS_TEMPORALITY_PREFERENCE", "cumulative").lower()
    if preference not in {"cumulative", "delta", "lowmemory"}:
        raise ConfigError(
            f"temporality {preference!r} (from environment"
            f" {_PREFIX}METRICS_TEMPORALITY_PREFERENCE): must be cumulative, delta or lowmemory"
        )
    cloudwatch = _CLOUDWATCH.fullmatch(parts.hostname or "")
    return Target(
        url,
        grpc=protocol == "grpc",
        region=cloudwatch.group(1) if cloudwatch and protocol != "grpc" else "",
        cumulative=preference == "cumulative",
    )


def _split(url: str) -> SplitResult | None:
    """The URL's parts; None where it is none that OTLP can be sent to."""
    try:
        parts = urlsplit(url)
        good = parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if good and parts.scheme in {"http", "https", "grpc", "grpcs"} else None


def _check(environ: Mapping[str, str], protocol: str) -> None:
    """What the stock exporters would find out at the first export, or pass over with a warning."""
    wrong: dict[str, str] = {}
    if protocol not in {"grpc", "http/protobuf"}:
        wrong["PROTOCOL"] = f"is {protocol!r}: must be grpc or http/protobuf"
    compression = _setting(environ, "COMPRESSION").strip().lower()
    if compression not in {"", "none", "gzip", "deflate"}:
        wrong["COMPRESSION"] = f"is {compression!r}: must be none, gzip or deflate"
    for name in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE"):
        file = _setting(environ, name)
        if file and not os.access(file, os.R_OK):
            wrong[name] = f"is {file!r}: must be a file that can be read"
    headers = _setting(environ, "HEADERS")
    if not all(
        _HEADER.fullmatch(header.strip()) for header in headers.split(",") if header.strip()
    ):
        wrong["HEADERS"] = "is not name=value, several separated by commas (not shown: secrets)"
    for name, why in wrong.items():
        given = f"METRICS_{name}" if environ.get(f"{_PREFIX}METRICS_{name}") else name
        raise ConfigError(f"environment {_PREFIX}{given} {why}")


def _setting(environ: Mapping[str, str], name: str) -> str:
    return environ.get(f"{_PREFIX}METRICS_{name}") or environ.get(f"{_PREFIX}{name}") or ""


class _Sender(Protocol):
    def send(self, data: Any) -> None:
        """Deliver one request or raise `Undelivered`."""

    def close(self) -> None:
        """Close the connection."""


class OtlpExporter:
    """Sends each window's series as delta or as cumulative sums.

    Args:
        to: Where to and how.
        max_series: Series that cumulative sums are kept for.
        clock: Monotonic seconds; injected by tests.
        region: AWS region to sign for, in place of the one that the URL names; set by tests, whose
            receiver is not at AWS.
    """

    name = "otlp"

    def __init__(
        self,
        to: Target,
        *,
        max_series: int,
        clock: Callable[[], float] = time.monotonic,
        region: str = "",
    ) -> None:
        self._to = to
        self._region = region or to.region
        self._max_series = max_series
        self._clock = clock
        if to.grpc:
            # Now, and not at the first export: that may come as the interpreter exits, when grpc
            # cannot be imported any more, and a process that lives for seconds delivers nothing.
            import tenantmetrics.export.otlp_grpc  # noqa: F401, PLC0415 - 0.2 s, where it is used
        self._sender: _Sender | None = None
        self._signer: Any = None
        self._resource: Any = None
        self._cumulative: Any = None
        self._added: set[tuple[str, int]] = set()
        self._resumable: Resumable[Any] = Resumable(self._deltas, self._send)

    def export(self, windows: Sequence[Window], deadline_s: float) -> None:
        """Send the windows, as `Exporter.export` says."""
        if not windows:
            return
        if self._clock() >= deadline_s:
            raise TimeoutError("out of time before anything was sent")
        if self._resource is None:
            with unforked:
                import tenantmetrics.export.otlp_data  # noqa: PLC0415 - with the first export
                import tenantmetrics.export.otlp_http  # noqa: F401, PLC0415
            self._resource = _resource(windows[0].writer)
        self._sender = self._open(deadline_s)
        try:
            if self._to.cumulative:
                self._export_sums(windows, deadline_s)
            else:
                self._resumable.export(windows, deadline_s)
        except ExportError:
            self._signer = None  # its credentials may be why: the next one looks them up anew
            raise
        finally:
            # The next export is a minute away: a connection kept so long is a connection reset.
            self._hang_up()

    def close(self) -> None:
        """Close the connection."""
        self._hang_up()

    def _open(self, deadline_s: float) -> _Sender:
        if self._to.grpc:
            from tenantmetrics.export.otlp_grpc import GrpcSender  # noqa: PLC0415 - as above

            return GrpcSender(self._to.url, deadline_s, self._clock)
        from tenantmetrics.export.otlp_http import HttpSender, Signer  # noqa: PLC0415

        if self._region and self._signer is None:
            self._signer = Signer(self._region)
        return HttpSender(self._to.url, deadline_s, self._clock, self._signer)

    def _hang_up(self) -> None:
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.close()

    def _requests(self, rows: Any, *, cumulative: bool) -> Iterator[Any]:
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415

        from tenantmetrics import __version__  # noqa: PLC0415 - complete by now
        from tenantmetrics.export.otlp_data import batches  # noqa: PLC0415 - as above

        # The limits of CloudWatch's endpoint suit every receiver: gRPC takes 4 MB a message.
        return batches(
            rows,
            self._resource,
            InstrumentationScope("tenantmetrics", __version__),
            cumulative=cumulative,
            max_points=limits.OTLP_CLOUDWATCH_MAX_POINTS,
            max_bytes=limits.OTLP_CLOUDWATCH_MAX_BYTES,
        )

    def _deltas(self, window: Window) -> Iterator[Any]:
        from tenantmetrics.export.otlp_data import rows  # noqa: PLC0415 - as above

        return self._requests(rows(window), cumulative=False)

    def _send(self, data: Any, deadline_s: float) -> None:
        if self._clock() >= deadline_s:
            raise Undelivered(Fate.FAILED, TimeoutError("out of time before the request was sent"))
        if self._sender is None:
            raise Undelivered(Fate.FAILED, RuntimeError("closed"))
        self._sender.send(data)

    def _export_sums(self, windows: Sequence[Window], deadline_s: float) -> None:
        """Add what is new to the sums and send them all; nothing is added twice."""
        from tenantmetrics.export.otlp_data import Cumulative  # noqa: PLC0415 - as above

        if self._cumulative is None:
            self._cumulative = Cumulative(self._max_series)
        keys = {(window.writer, window.sequence) for window in windows}
        for window in windows:
            if (window.writer, window.sequence) not in self._added:
                self._cumulative.add(window)
        self._added = keys
        again = refused = False
        first: BaseException | None = None
        for data in self._requests(self._cumulative.rows(), cumulative=True):
            try:
                self._send(data, deadline_s)
            except Undelivered as undelivered:
                first = first or undelivered.error
                if undelivered.fate in {Fate.FAILED, Fate.THROTTLED}:
                    again = True
                    break  # the next request would fare no better
                # One request that a receiver cannot digest must not hold up the others.
                again |= undelivered.fate is Fate.UNCERTAIN
                refused |= undelivered.fate is Fate.REJECTED
        if first is not None:
            raise ExportError(
                "not every sum was taken",
                failed=windows if again else (),
                rejected=() if again else windows,
            ) from first
        self._added = set()
        self._cumulative.sent()


def _resource(writer: str) -> Any:
    """Who sends: OpenTelemetry's own detection, and the writer."""
    from opentelemetry.sdk.resources import (  # noqa: PLC0415 - exporters import lazily
        OTELResourceDetector,
        Resource,
    )

    mine = {"service.instance.id": writer}
    try:
        return Resource.create(mine)
    except RuntimeError:
        # As the interpreter exits no thread can be had for the detectors: the environment's own.
        named = OTELResourceDetector().detect()
        return Resource({"service.name": "unknown_service"}).merge(named).merge(Resource(mine))
