"""OpenTelemetry metrics over OTLP, HTTP or gRPC, with the stock exporters, CloudWatch included.

Delivery contract: with cumulative temporality (OpenTelemetry's default) a request may be repeated
without harm, so whatever did not surely arrive is sent again with the next export. With delta
temporality at most once: a request that surely was not taken (no connection, 429, 503) is sent
again; one that may have been (another 5xx, a connection that broke, no answer in time) is not, and
its window is counted as `export_uncertain`. Points that the receiver refuses for good are given up
and counted. Numbers are lost when the process dies before they were exported. A series starts anew,
with a new start time, in each process and after each fork (`service.instance.id`).

`otlp_target` reads where they go, `otlp_rows` makes numbers of windows, `otlp_data` the requests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from tenantmetrics import limits
from tenantmetrics.export.base import ExportError
from tenantmetrics.export.otlp_target import Target
from tenantmetrics.export.resume import Fate, Resumable, Undelivered
from tenantmetrics.life import unforked
from tenantmetrics.records import Window

__all__ = ["OtlpExporter"]


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
        from tenantmetrics.export.otlp_rows import rows  # noqa: PLC0415 - as above

        return self._requests(rows(window), cumulative=False)

    def _send(self, data: Any, deadline_s: float) -> None:
        if self._clock() >= deadline_s:
            raise Undelivered(Fate.FAILED, TimeoutError("out of time before the request was sent"))
        if self._sender is None:
            raise Undelivered(Fate.FAILED, RuntimeError("closed"))
        self._sender.send(data)

    def _export_sums(self, windows: Sequence[Window], deadline_s: float) -> None:
        """Add what is new to the sums and send them all; nothing is added twice."""
        from tenantmetrics.export.otlp_rows import Cumulative  # noqa: PLC0415 - as above

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
