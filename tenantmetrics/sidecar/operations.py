"""What the sidecar says of itself: /healthz, /readyz, /metrics.

| path | 200 when |
|---|---|
| /healthz | the process answers |
| /readyz | credentials are there, the endpoint answers, exporters deliver, no stop is asked for |
| /metrics | always, to those who may |

The first two may be asked by anybody who reaches the port: a probe sends the pod's address as Host.
/metrics is for names of ours only; beyond loopback it needs the sidecar's token as a bearer token.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tenantmetrics.export.prometheus import PrometheusExporter
from tenantmetrics.loopback import is_loopback
from tenantmetrics.sidecar.settings import Settings

__all__ = ["Operations"]

_REACHED_S = 10.0
"""An answer that is not older says that the endpoint is there; else a connection is tried."""
_PAGES = frozenset({"/healthz", "/readyz", "/metrics"})


class Operations(Collector):
    """Counts of the sidecar's own, and its pages.

    Args:
        settings: What the sidecar was told.
        exporter: The tenants' numbers.
        clock: Monotonic seconds; injected by tests.

    Attributes:
        marked: Calls that an instrumented client records itself.
        connections: Tells how many clients are connected.
        under_way: Tells how many calls are being forwarded.
        waiting: Tells how many calls wait for their next attempt.
        has_credentials: Tells whether there is something to sign with.
        reachable: Tells whether the endpoint takes connections.
        failures: Tells how many windows each exporter failed to deliver.
        failing_for_s: Seconds for which a failed delivery counts as failing.
        draining: Whether a stop is asked for.
    """

    def __init__(
        self,
        settings: Settings,
        exporter: PrometheusExporter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._forwarded: dict[tuple[str, int], int] = {}
        self._unanswered: dict[tuple[str, str], int] = {}
        self._refused: dict[str, int] = {}
        self._answered_at = float("-inf")
        self._failed = 0
        self._failed_at = float("-inf")
        self.marked = 0
        self.connections: Callable[[], int] = int
        self.under_way: Callable[[], int] = int
        self.waiting: Callable[[], int] = int
        self.has_credentials: Callable[[], bool] = bool
        self.reachable: Callable[[], Awaitable[bool]] | None = None
        self.failures: Callable[[], Mapping[str, int]] = dict
        self.failing_for_s = 120.0
        self.draining = False
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        self._registry.register(exporter)
        for collector in (GCCollector, PlatformCollector, ProcessCollector):
            collector(registry=self._registry)

    def has(self, path: str) -> bool:
        """Whether a path is a page of ours."""
        return path in _PAGES

    def forwarded(self, operation: str, status: int) -> None:
        """A call was answered."""
        key = (operation, status)
        self._forwarded[key] = self._forwarded.get(key, 0) + 1
        self._answered_at = self._clock()

    def unanswered(self, operation: str, outcome: str) -> None:
        """A call was forwarded, or should have been, and got no answer."""
        key = (operation, outcome)
        self._unanswered[key] = self._unanswered.get(key, 0) + 1

    def refused(self, code: str) -> None:
        """A request was not forwarded."""
        self._refused[code] = self._refused.get(code, 0) + 1

    def watch(self) -> None:
        """See whether exporters have failed since the last look; to be called every second."""
        failed = sum(self.failures().values())
        if failed > self._failed:
            self._failed_at = self._clock()
        self._failed = failed

    async def page(
        self,
        scope: MutableMapping[str, Any],
        headers: Mapping[bytes, bytes],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
        *,
        host_is_ours: bool,
    ) -> None:
        """Answer a GET of one of the pages."""
        path = scope["path"]
        content_type = "text/plain; charset=utf-8"
        status, body = 200, b"ok\n"
        if path == "/readyz":
            lacks = await self._lacks()
            if lacks:
                status, body = 503, (json.dumps({"not_ready": lacks}) + "\n").encode()
                content_type = "application/json"
        elif path == "/metrics":
            if not self._may_read(headers, host_is_ours=host_is_ours):
                status, body = 403, b"not for this name, or without the sidecar's token\n"
            else:
                encode, content_type = choose_encoder(headers.get(b"accept", b"").decode("latin-1"))
                body = encode(self._registry)
        answer = [
            (b"content-type", content_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": answer})
        await send({"type": "http.response.body", "body": body})

    def _may_read(self, headers: Mapping[bytes, bytes], *, host_is_ours: bool) -> bool:
        if self._settings.uds or is_loopback(self._settings.host):
            return host_is_ours
        given = headers.get(b"authorization", b"")
        wanted = f"Bearer {self._settings.token}".encode()
        return bool(self._settings.token) and hmac.compare_digest(given, wanted)

    async def _lacks(self) -> list[str]:
        lacks = []
        if self.draining:
            lacks.append("stopping")
        if not self.has_credentials():
            lacks.append("credentials")
        if self._clock() - self._answered_at > _REACHED_S and self.reachable is not None:
            if await self.reachable():
                self._answered_at = self._clock()
            else:
                lacks.append("upstream")
        if self._clock() - self._failed_at < self.failing_for_s:
            lacks.append("exporters")
        return lacks

    def collect(self) -> Iterator[Metric]:
        """The sidecar's own counts, as they are now."""
        forwarded = CounterMetricFamily(
            "tenantmetrics_sidecar_requests",
            "Requests that were forwarded and answered; each attempt of an SDK is one.",
            labels=["operation", "status"],
        )
        for (operation, status), count in sorted(self._forwarded.items()):
            forwarded.add_metric([operation, str(status)], count)
        yield forwarded
        unanswered = CounterMetricFamily(
            "tenantmetrics_sidecar_unanswered",
            "Requests that got no answer from the endpoint.",
            labels=["operation", "reason"],
        )
        for (operation, reason), count in sorted(self._unanswered.items()):
            unanswered.add_metric([operation, reason], count)
        yield unanswered
        refused = CounterMetricFamily(
            "tenantmetrics_sidecar_refused",
            "Requests that were not forwarded, by error code.",
            labels=["code"],
        )
        for code, count in sorted(self._refused.items()):
            refused.add_metric([code], count)
        yield refused
        yield CounterMetricFamily(
            "tenantmetrics_sidecar_marked",
            "Requests that an instrumented client records itself.",
            value=self.marked,
        )
        for name, about, value in (
            ("connections", "Clients that are connected.", self.connections()),
            ("under_way", "Requests that are being forwarded.", self.under_way()),
            ("waiting", "Calls that wait for their SDK's next attempt.", self.waiting()),
        ):
            yield GaugeMetricFamily(f"tenantmetrics_sidecar_{name}", about, value=value)
