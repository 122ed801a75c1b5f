"""CloudWatch embedded metric format by aws-embedded-metrics: stdout in Lambda, else the agent.

Delivery contract: at most once from here, at least once by CloudWatch Logs, which may repeat a
document: each carries `Writer`, `WindowStart` and `WindowSequence`, by which duplicates can be
taken out downstream, but the metrics extracted from it count twice. Never bill from them. In Lambda
a document is delivered when it is on stdout. The agent acknowledges nothing: what was written to
its socket counts as delivered once it has closed its side after ours, and as `export_uncertain`
where the connection broke; where nobody listens, it is tried again with the next export. Over UDP
nobody can tell. Documents older than the 14 days that CloudWatch takes are given up and counted.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tenantmetrics import limits
from tenantmetrics.catalog import Form, Level
from tenantmetrics.errors import ConfigError
from tenantmetrics.export.points import Point, groups
from tenantmetrics.export.resume import Fate, Resumable, Undelivered
from tenantmetrics.life import unforked
from tenantmetrics.records import Window

if TYPE_CHECKING:
    from aws_embedded_metrics.logger.metric import Metric

__all__ = ["EmfExporter", "agent_address", "documents"]

_BATCH = 100
"""Documents written together: what one broken connection makes uncertain."""
_DATAGRAM_MAX_BYTES = 65_507
"""UDP over IPv4: larger does not leave the socket."""
_CONNECT_TIMEOUT_S = 2.0
_CLOSE_TIMEOUT_S = 1.0
_DEFAULT_AGENT = "tcp://127.0.0.1:25888"
"""Where the CloudWatch agent listens (its documentation); the library's own default is 0.0.0.0."""


class EmfExporter:
    """Writes each window's documents.

    The library's own settings hold: AWS_EMF_AGENT_ENDPOINT, AWS_EMF_LOG_GROUP_NAME,
    AWS_EMF_LOG_STREAM_NAME, AWS_EMF_ENVIRONMENT (Lambda and Local mean stdout).

    Args:
        namespace: CloudWatch namespace.
        level: ESSENTIAL or DETAILED.
        max_tenants: Tenants with metrics of their own.
        clock: Monotonic seconds; injected by tests.
        wall_clock: Seconds since the epoch; injected by tests.

    Raises:
        ConfigError: AWS_EMF_AGENT_ENDPOINT is no tcp:// or udp:// address.
    """

    name = "emf"

    def __init__(
        self,
        *,
        namespace: str,
        level: Level,
        max_tenants: int,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._namespace = namespace
        self._level = level
        self._max_tenants = max_tenants
        self._clock = clock
        self._wall_clock = wall_clock
        if not _stdout(os.environ.get("AWS_EMF_ENVIRONMENT")):
            _agent(os.environ.get("AWS_EMF_AGENT_ENDPOINT"))
        # The library is read with the first export, not with the first client: 100 ms of aiohttp.
        self._settings: Any = None
        self._agent: tuple[str, tuple[str, int]] | None = None
        self._resumable: Resumable[list[str]] = Resumable(self._batches, self._send)

    def export(self, windows: Sequence[Window], deadline_s: float) -> None:
        """Write the windows, as `Exporter.export` says."""
        if self._settings is None:
            with unforked:
                self._agent, self._settings = agent_address(), _library_settings()
        self._resumable.export(windows, deadline_s)

    def close(self) -> None:
        """Nothing stays open between two exports."""

    def _batches(self, window: Window) -> Iterator[list[str]]:
        written = documents(
            window,
            namespace=self._namespace,
            level=self._level,
            max_tenants=self._max_tenants,
            meta=self._meta(),
        )
        while batch := list(islice(written, _BATCH)):
            yield batch

    def _meta(self) -> dict[str, str]:
        if self._agent is None:
            return {}
        meta = {"LogGroupName": self._settings.log_group_name or "tenantmetrics"}
        if self._settings.log_stream_name:
            meta["LogStreamName"] = self._settings.log_stream_name
        return meta

    def _send(self, batch: list[str], deadline_s: float) -> None:
        if _timestamp(batch[0]) <= (self._wall_clock() - limits.METRIC_MAX_AGE_S) * 1e3:
            raise Undelivered(Fate.REJECTED, ValueError("older than CloudWatch takes"))
        if self._clock() >= deadline_s:
            raise Undelivered(Fate.FAILED, TimeoutError("out of time before anything was written"))
        if self._agent is None:
            _print(batch)
        elif self._agent[0] == "udp":
            _datagrams(batch, self._agent[1])
        else:
            _stream(batch, self._agent[1], deadline_s, self._clock)


def documents(
    window: Window, *, namespace: str, level: Level, max_tenants: int, meta: dict[str, str]
) -> Iterator[str]:
    """A window as EMF documents, one line of JSON each, the same in the same order every time.

    Args:
        window: A closed window.
        namespace: CloudWatch namespace.
        level: ESSENTIAL or DETAILED.
        max_tenants: Tenants with metrics of their own.
        meta: Members of `_aws` beside the timestamp: the agent's log group.

    Yields:
        Documents within EMF's limits of 100 metrics, 100 values and 256 KB.
    """
    from aws_embedded_metrics.logger.metrics_context import MetricsContext  # noqa: PLC0415 - slow
    from aws_embedded_metrics.serializers.log_serializer import LogSerializer  # noqa: PLC0415

    serializer = LogSerializer()
    for group in groups(
        window, level=level, max_tenants=max_tenants, values_max=limits.EMF_VALUES_MAX
    ):
        # Metrics of one group share their dimension set; at most 7 of 100 values: far below 256 KB.
        if not group.points:
            continue
        context = MetricsContext(namespace=namespace)
        context.meta.update(meta, Timestamp=window.start_s * 1_000)
        dimensions = dict(zip(group.points[0].metric.dimensions, group.dimensions, strict=True))
        context.set_dimensions([dimensions])
        context.properties = {
            "Writer": window.writer,
            "WindowStart": window.start_s,
            "WindowSequence": window.sequence,
        }
        context.metrics = {point.metric.name: _metric(point) for point in group.points}
        yield from serializer.serialize(context)


def _metric(point: Point) -> Metric:
    """The library's metric with one value, which is a histogram where there are several."""
    from aws_embedded_metrics.logger.metric import Metric  # noqa: PLC0415 - as above

    if point.metric.form is Form.SUM:
        return Metric(point.values[0][0], point.metric.unit)
    histogram: Any = {
        "Values": [value for value, _ in point.values],
        "Counts": [count for _, count in point.values],
    }
    return Metric(histogram, point.metric.unit)


def _timestamp(document: str) -> int:
    """The document's `_aws.Timestamp`, ms since the epoch, without parsing all of it."""
    marker = '"Timestamp": '
    start = document.index(marker) + len(marker)
    end = start
    while document[end].isdigit():
        end += 1
    return int(document[start:end])


def agent_address() -> tuple[str, tuple[str, int]] | None:
    """Where documents go: ("tcp" or "udp", (host, port)) of the agent, or None for stdout.

    Raises:
        ConfigError: AWS_EMF_AGENT_ENDPOINT is no tcp:// or udp:// address.
    """
    settings = _library_settings()
    return None if _stdout(settings.environment) else _agent(settings.agent_endpoint)


def _library_settings() -> Any:
    from aws_embedded_metrics.config import get_config  # noqa: PLC0415 - slow to import

    return get_config()


def _stdout(environment: str | None) -> bool:
    if environment:
        return environment.lower() in {"lambda", "local"}
    return bool(os.environ.get("AWS_LAMBDA_FUNCTION_NAME"))


def _agent(endpoint: str | None) -> tuple[str, tuple[str, int]]:
    """(tcp or udp, address) of the agent."""
    given = endpoint or _DEFAULT_AGENT
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        port = None
    if port is None or parts.scheme not in {"tcp", "udp"} or not parts.hostname:
        raise ConfigError(
            f"emf agent endpoint {given!r} (from environment AWS_EMF_AGENT_ENDPOINT): must be"
            " tcp://HOST:PORT or udp://HOST:PORT"
        )
    return parts.scheme, (parts.hostname, port)


def _print(batch: list[str]) -> None:
    """One write a batch, so that what other threads print does not come between two lines."""
    try:
        sys.stdout.write("".join(f"{document}\n" for document in batch))
        sys.stdout.flush()
    except Exception as error:  # noqa: BLE001 - stdout is whatever the application made of it
        raise Undelivered(Fate.UNCERTAIN, error) from None


def _datagrams(batch: list[str], address: tuple[str, int]) -> None:
    sent = False
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            for document in batch:
                payload = document.encode()
                if len(payload) > _DATAGRAM_MAX_BYTES:
                    raise Undelivered(Fate.REJECTED, ValueError("larger than a datagram"))
                udp.sendto(payload, address)
                sent = True
    except OSError as error:
        raise Undelivered(Fate.UNCERTAIN if sent else Fate.FAILED, error) from None


def _stream(
    batch: list[str],
    address: tuple[str, int],
    deadline_s: float,
    clock: Callable[[], float],
) -> None:
    """Write to the agent and wait until it has read: it closes when it finds the end of ours."""
    payload = "".join(f"{document}\n" for document in batch).encode()
    try:
        tcp = socket.create_connection(
            address, timeout=min(_CONNECT_TIMEOUT_S, max(0.05, deadline_s - clock()))
        )
    except OSError as error:
        raise Undelivered(Fate.FAILED, error) from None
    with tcp:
        try:
            tcp.settimeout(max(0.05, deadline_s - clock()))
            tcp.sendall(payload)
            tcp.shutdown(socket.SHUT_WR)
            tcp.settimeout(max(0.05, min(_CLOSE_TIMEOUT_S, deadline_s - clock())))
            _await_close(tcp)
        except OSError as error:
            raise Undelivered(Fate.UNCERTAIN, error) from None


def _await_close(tcp: Any) -> None:
    """A reset raises; an agent that keeps its side open has still been given everything."""
    try:
        while tcp.recv(4096):
            pass
    except TimeoutError:
        return
