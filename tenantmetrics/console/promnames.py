"""Names of our OpenTelemetry metrics where PromQL is spoken.

CloudWatch keeps the names as they are, in quotes. Prometheus and its relatives translate: points to
underscores, the unit and, for a counter, `total` at the end (OpenTelemetry specification,
"Prometheus and OpenMetrics compatibility").
"""

from __future__ import annotations

import re
from enum import StrEnum

from tenantmetrics.catalog import METRICS, Instrument, Metric

__all__ = ["Dialect", "label", "labels", "name", "selector", "series"]

_UNITS = {"s": "seconds", "By": "bytes"}
_OTHERS = ("service.name", "job", "instance", "le", "__name__")


class Dialect(StrEnum):
    """Whose names."""

    PROMETHEUS = "prometheus"
    CLOUDWATCH = "cloudwatch"


def name(metric: Metric, dialect: Dialect) -> str:
    """The metric's name, without quotes; of a histogram without `_bucket` and the like."""
    if dialect is Dialect.CLOUDWATCH:
        return metric.twin
    parts = [re.sub(r"[^A-Za-z0-9_:]", "_", metric.twin)]
    unit = _UNITS.get(metric.twin_unit)
    if unit and not parts[0].endswith(f"_{unit}"):
        parts.append(unit)
    if metric.instrument is Instrument.COUNTER:
        parts.append("total")
    return "_".join(parts)


def label(attribute: str, dialect: Dialect) -> str:
    """An attribute's label as it stands in a query: in quotes where it has points."""
    if dialect is Dialect.CLOUDWATCH:
        return f'"{attribute}"' if "." in attribute else attribute
    return re.sub(r"[^A-Za-z0-9_]", "_", attribute)


def selector(metric: Metric, dialect: Dialect, suffix: str = "", matchers: str = "") -> str:
    """A metric in a query, with matchers such as `tenant_id=~"$tenant"`."""
    if dialect is Dialect.CLOUDWATCH:
        inner = f'"{metric.twin}"' + (f", {matchers}" if matchers else "")
        return f"{{{inner}}}"
    return f"{name(metric, dialect)}{suffix}" + (f"{{{matchers}}}" if matchers else "")


def series(dialect: Dialect) -> dict[str, Metric]:
    """Every name that a store of ours has → its metric."""
    found: dict[str, Metric] = {}
    for metric in METRICS:
        base = name(metric, dialect)
        suffixes: tuple[str, ...] = ("",)
        if metric.instrument is Instrument.HISTOGRAM and dialect is Dialect.PROMETHEUS:
            suffixes = ("_bucket", "_sum", "_count")
        for suffix in suffixes:
            found.setdefault(base + suffix, metric)
    return found


def labels(metric: Metric, dialect: Dialect) -> set[str]:
    """Labels that a metric's series may have, without quotes."""
    attributes = {
        attribute
        for other in METRICS
        if other.twin == metric.twin
        for attribute in other.attributes
    }
    return {label(attribute, dialect).strip('"') for attribute in (*attributes, *_OTHERS)}
