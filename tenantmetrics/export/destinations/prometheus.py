"""A page for Prometheus to fetch: see `export.prometheus` and `export.prometheus_http`."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterator

from tenantmetrics.config import Config
from tenantmetrics.errors import ConfigError, MissingExtraError
from tenantmetrics.export.base import Exporter
from tenantmetrics.export.checks import Finding, State
from tenantmetrics.export.destination import Destination

__all__ = ["DESTINATION"]

_HOST = r"\[[0-9a-fA-F:.]+\]|[^:/\[\]]+"
_FORM = re.compile(rf"(?:(?:(?P<host>{_HOST}):)?(?P<port>\d{{1,5}}))?(?P<tenants>/tenants)?")
_PORT = 9464
"""OpenTelemetry's Prometheus exporters listen there."""
_MAX_PORT = 65_535


def _read(rest: str) -> tuple[str, int, bool]:
    """Host, port, and whether tenants are told apart."""
    found = _FORM.fullmatch(rest)
    port = int((found and found["port"]) or _PORT)
    if found is None or port > _MAX_PORT:
        raise ConfigError("is not an address: write prometheus:[HOST:]PORT[/tenants]")
    return (found["host"] or "127.0.0.1").strip("[]"), port, bool(found["tenants"])


def _make(rest: str, config: Config) -> Exporter:
    host, port, tenants = _read(rest)
    try:
        from tenantmetrics.export.prometheus import PrometheusExporter  # noqa: PLC0415 - when used
        from tenantmetrics.export.prometheus_http import Page  # noqa: PLC0415 - when used
    except ModuleNotFoundError as error:
        if error.name != "prometheus_client":
            raise
        raise MissingExtraError("the Prometheus exporter", "prometheus") from None
    page = Page(host, port)
    exporter = PrometheusExporter(
        tenants=tenants, max_tenants=config.max_metric_tenants, on_close=page.close
    )
    page.open(exporter)
    exporter.before_export = page.open_again
    return exporter


def _check(rest: str, config: Config) -> Iterator[Finding]:
    del config
    host, port, _ = _read(rest)
    name = "prometheus: port"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                yield Finding(name, State.WARNING, f"{host}:{port} is in use, maybe by ourselves")
            else:
                yield Finding(name, State.FAILED, f"{host}:{port}: {error.strerror}")
            return
    yield Finding(name, State.OK, f"http://{host}:{port}/metrics can be served")


DESTINATION = Destination(
    name="prometheus",
    forms="prometheus:[HOST:]PORT[/tenants]",
    make=_make,
    check=_check,
)
