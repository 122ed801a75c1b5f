"""Where OTLP metrics go and how: an exporter's argument and OpenTelemetry's own environment.

Read from OpenTelemetry's own environment: OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _PROTOCOL,
_COMPRESSION, _CERTIFICATE and their METRICS_ forms, OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME,
OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from tenantmetrics.errors import ConfigError

__all__ = ["Target", "target"]

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
