"""Every CloudWatch metric that a dashboard or an alarm may use, with its exact dimension sets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tenantmetrics.catalog import METRICS, Form

__all__ = ["AWS", "Known", "close_to"]

_CLUSTER = ("DBClusterIdentifier",)

AWS: dict[str, dict[str, tuple[tuple[str, ...], ...]]] = {
    # Aurora user guide, "Amazon CloudWatch metrics for Amazon Aurora": the cluster-level dimension.
    "AWS/RDS": dict.fromkeys(
        (
            "ACUUtilization",
            "CPUUtilization",
            "CommitLatency",
            "DatabaseConnections",
            "FreeableMemory",
            "ReadLatency",
            "ServerlessDatabaseCapacity",
            "VolumeBytesUsed",
            "VolumeReadIOPs",
            "VolumeWriteIOPs",
            "WriteLatency",
        ),
        (_CLUSTER,),
    ),
    # CloudWatch user guide, "AWS usage metrics": every API call against a quota.
    "AWS/Usage": {"CallCount": (("Class", "Resource", "Service", "Type"),)},
}
"""Metrics of AWS itself that the screens show: namespace → name → dimension sets, sorted."""


class Known(NamedTuple):
    """What exists: namespace → metric → dimension sets (each sorted), and what has percentiles."""

    namespaces: dict[str, dict[str, tuple[tuple[str, ...], ...]]]
    no_percentiles: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, namespace: str) -> Known:
        """All of `AWS`, and the catalogue under a namespace of ours."""
        ours: dict[str, tuple[tuple[str, ...], ...]] = {}
        for one in METRICS:
            ours[one.name] = (*ours.get(one.name, ()), tuple(sorted(one.dimensions)))
        sums = frozenset((namespace, one.name) for one in METRICS if one.form is not Form.VALUES)
        return cls({**AWS, namespace: ours}, sums)

    def fault(
        self,
        namespace: str,
        metric: str,
        dimensions: Iterable[str] | None,
    ) -> str | None:
        """What is wrong with a reference to a metric, or None.

        Args:
            namespace: Its namespace.
            metric: Its name.
            dimensions: The names of its dimensions, in any order; None leaves them open.
        """
        metrics = self.namespaces.get(namespace)
        if metrics is None:
            return f"namespace {namespace!r} is not known{close_to(namespace, self.namespaces)}"
        sets = metrics.get(metric)
        if sets is None:
            return f"{namespace} has no metric {metric!r}{close_to(metric, metrics)}"
        if dimensions is not None and tuple(sorted(dimensions)) not in sets:
            published = " or ".join(_shown(one) for one in sets)
            return (
                f"{metric} is not published with the dimensions {_shown(tuple(dimensions))}, "
                f"only with {published}"
            )
        return None

    def dimensions(self, namespace: str) -> set[str]:
        """Every dimension's name in a namespace."""
        sets = self.namespaces.get(namespace, {}).values()
        return {name for one in sets for names in one for name in names}


def close_to(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing."""
    import difflib  # noqa: PLC0415 - only on the way to an error

    matches = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def _shown(dimensions: tuple[str, ...]) -> str:
    return "{" + ", ".join(dimensions) + "}" if dimensions else "none"
