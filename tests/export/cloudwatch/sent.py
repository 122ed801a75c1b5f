"""An exporter to test, and what it sent."""

import time

from tenantmetrics.catalog import Level
from tenantmetrics.export.cloudwatch import CloudWatchExporter

__all__ = ["exporter", "in_s"]


def exporter(**settings):
    return CloudWatchExporter(
        **{"namespace": "Shop", "level": Level.ESSENTIAL, "max_tenants": 10_000, **settings}
    )


def in_s(seconds):
    return time.monotonic() + seconds
