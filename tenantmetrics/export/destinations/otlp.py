"""OpenTelemetry's protocol, over HTTP or gRPC: see `export.otlp`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tenantmetrics.config import Config
from tenantmetrics.errors import TenantMetricsError
from tenantmetrics.export.base import Exporter
from tenantmetrics.export.checks import TIMEOUT_S, Finding, State, connect, short
from tenantmetrics.export.destination import Destination, Estimate, Sample
from tenantmetrics.export.otlp_target import target

__all__ = ["DESTINATION"]


def _make(rest: str, config: Config) -> Exporter:
    from tenantmetrics.export.otlp import OtlpExporter  # noqa: PLC0415 - slow to import

    return OtlpExporter(target(rest), max_series=config.max_series)


def _check(rest: str, config: Config) -> Iterator[Finding]:
    del config
    to = target(rest)
    parts = urlsplit(to.url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    reach = connect("otlp: endpoint", parts.hostname or "", port)
    yield reach
    if reach.state is not State.OK:
        return
    from opentelemetry.sdk.metrics.export import MetricsData  # noqa: PLC0415

    from tenantmetrics.export.resume import Fate, Undelivered  # noqa: PLC0415

    deadline_s = time.monotonic() + TIMEOUT_S
    sender: Any
    if to.grpc:
        from tenantmetrics.export.otlp_grpc import GrpcSender  # noqa: PLC0415

        sender = GrpcSender(to.url, deadline_s, time.monotonic)
    else:
        from tenantmetrics.export.otlp_http import HttpSender, Signer  # noqa: PLC0415

        signer = Signer(to.region) if to.region else None
        sender = HttpSender(to.url, deadline_s, time.monotonic, signer)
    what = "otlp: request"
    try:
        sender.send(MetricsData(()))
        yield Finding(what, State.OK, "an empty request was taken")
    except Undelivered as undelivered:
        if to.region and undelivered.fate is Fate.REJECTED:
            # For what it lacks, by whoever would be allowed to send more.
            yield Finding(what, State.OK, "cloudwatch:PutMetricData is allowed")
        else:
            why = f"{undelivered.fate.value}: {short(undelivered.error)}"
            yield Finding(what, State.FAILED, why)
    finally:
        sender.close()


def _uses_aws(rest: str) -> bool:
    try:
        return bool(target(rest).region)
    except TenantMetricsError:
        return False


def _estimate(sample: Sample) -> Iterator[Estimate]:
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import (  # noqa: PLC0415
        encode_metrics,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415

    from tenantmetrics.export.otlp_data import batches  # noqa: PLC0415
    from tenantmetrics.export.otlp_rows import rows  # noqa: PLC0415

    given = list(rows(sample.window))
    made = batches(
        given,
        Resource.create({}),
        InstrumentationScope("tenantmetrics"),
        cumulative=False,
        max_points=10**6,
        max_bytes=10**9,
    )
    size = sum(encode_metrics(data).ByteSize() for data in made)
    times = sample.tenants / sample.window_tenants
    gb = size * times * sample.windows_a_month / 1e9
    yield Estimate("otlp", f"{round(len(given) * times):,} data points", 0, gb, None)


DESTINATION = Destination(
    name="otlp",
    forms="otlp, otlp:URL",
    make=_make,
    check=_check,
    estimate=_estimate,
    uses_aws=_uses_aws,
)
