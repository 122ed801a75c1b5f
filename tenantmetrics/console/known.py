"""Every CloudWatch metric that a dashboard or an alarm may use, with its exact dimension sets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tenantmetrics.catalog import METRICS, Form, Level
from tenantmetrics.console.awsmetrics import DIMENSIONS
from tenantmetrics.dataapi.errors import STATUS

__all__ = ["AWS", "CODES", "Known", "close_to"]

_CLUSTER = ("DBClusterIdentifier",)
_ROLE = ("DBClusterIdentifier", "Role")
_OF_INSTANCES = (
    _CLUSTER, _ROLE, ("DBInstanceIdentifier",), ("DatabaseClass",), ("EngineName",),
)  # fmt: skip

AWS: dict[str, dict[str, tuple[tuple[str, ...], ...]]] = {
    # Aurora user guide, "Amazon CloudWatch metrics for Amazon Aurora" and "Dimensions for Aurora".
    "AWS/RDS": {
        **dict.fromkeys(
            (
                "ACUUtilization",
                "CPUUtilization",
                "CommitLatency",
                "DatabaseConnections",
                "FreeableMemory",
                "ReadLatency",
                "ServerlessDatabaseCapacity",
                "WriteLatency",
            ),
            _OF_INSTANCES,
        ),
        **dict.fromkeys(
            ("VolumeBytesUsed", "VolumeReadIOPs", "VolumeWriteIOPs"),
            (_CLUSTER, ("DBClusterIdentifier", "EngineName")),
        ),
    },
    # CloudWatch user guide, "AWS usage metrics": every API call against a quota.
    "AWS/Usage": {"CallCount": (("Class", "Resource", "Service", "Type"),)},
}
"""Metrics of AWS itself that the screens show: namespace → name → dimension sets, sorted."""

_ALIKE = frozenset({"AWS/DMS", "AWS/DRS", "AWS/RUM", "AWS/EBS"})
"""Namespaces of other services whose names are a letter away from one of ours."""

CODES = ("ok", *sorted(STATUS))
"""Values of `StatusCode`: success, and every error code that the Data API answers with."""

_NEAR = 0.85
"""How much two words must have in common where only a slip of the pen is looked for."""

_ONE_SUM = frozenset({"Average", "Minimum", "Maximum", "IQM"})
_OF_FUNCTIONS = {"AVG": "Average", "MIN": "Minimum", "MAX": "Maximum", "SUM": "Sum"}
_EXTENDED = ("p", "tm", "tc", "ts", "wm", "TM", "TC", "TS", "WM", "PR")


class Known(NamedTuple):
    """What exists.

    Attributes:
        namespaces: Namespace → metric → dimension sets, each sorted.
        own: Our namespace.
        strict: Whether what is not listed does not exist; else only slips of the pen are faults,
            for files that others wrote.
        also: Namespaces of the caller's own about which nothing is known.
    """

    namespaces: dict[str, dict[str, tuple[tuple[str, ...], ...]]]
    own: str
    strict: bool = True
    also: frozenset[str] = frozenset()

    @classmethod
    def of(cls, namespace: str, *, strict: bool = True, also: Iterable[str] = ()) -> Known:
        """All of `AWS`, and the catalogue under a namespace of ours."""
        ours: dict[str, tuple[tuple[str, ...], ...]] = {}
        for metric in METRICS:
            if metric.level is not Level.NEVER:
                ours[metric.name] = (*ours.get(metric.name, ()), tuple(sorted(metric.dimensions)))
        return cls({**AWS, namespace: ours}, namespace, strict, frozenset(also))

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
        given = None if dimensions is None else tuple(dimensions)
        if metrics is None:
            return self._foreign(namespace, metric) or _dimension_fault(namespace, given)
        sets = metrics.get(metric)
        if sets is None:
            # AWS adds metrics, and the list has only those that the screens show.
            open_ended = not self.strict and namespace != self.own
            hint = close_to(metric, metrics, _NEAR if open_ended else None)
            if not hint and open_ended:
                return _dimension_fault(namespace, given)
            return f"{namespace} has no metric {metric!r}{hint}"
        if given is None or tuple(sorted(given)) in sets:
            return None
        if not self.strict and namespace != self.own and not given:
            return None  # RDS sums some metrics over all databases
        published = " or ".join(_shown(names) for names in sets)
        return (
            f"{metric} is not published with the dimensions {_shown(given)}, only with {published}"
        )

    def statistic_fault(self, namespace: str, metric: str, stat: str) -> str | None:
        """What is wrong with a statistic of a metric of ours, or None.

        Args:
            namespace: Its namespace.
            metric: Its name.
            stat: A statistic of CloudWatch, or a function of Metrics Insights.
        """
        forms = {candidate.form for candidate in METRICS if candidate.name == metric}
        if namespace != self.own or not forms or Form.VALUES in forms:
            return None
        if stat.startswith(_EXTENDED):
            return f"{metric} is published as a sum: {stat} of it does not exist"
        if Form.LOAD in forms and _OF_FUNCTIONS.get(stat, stat) in _ONE_SUM:
            return (
                f"{stat} of {metric} means nothing: its Sum is milliseconds of server time, its "
                "SampleCount is billed requests"
            )
        if Form.SUM in forms and _OF_FUNCTIONS.get(stat, stat) in _ONE_SUM:
            return (
                f"{metric} is published as one sum a minute and writer: {stat} of it depends on "
                "the number of writers, Sum does not"
            )
        return None

    def period_fault(self, namespace: str, period: object) -> str | None:
        """What is wrong with a period (seconds) of a metric of ours, or None."""
        if namespace == self.own and isinstance(period, int) and 0 < period < 60:  # noqa: PLR2004
            return f"period {period}: {namespace} has one datum a minute, most periods are empty"
        return None

    def value_fault(self, namespace: str, dimension: str, value: str) -> str | None:
        """What is wrong with a dimension's value where all values are known, or None."""
        if namespace == self.own and dimension == "StatusCode" and value not in CODES:
            hint = close_to(value, CODES, _NEAR)
            return f"no call ends with {value!r}{hint}" if hint else None
        return None

    def dimensions(self, namespace: str) -> set[str]:
        """Every dimension's name in a namespace."""
        sets = self.namespaces.get(namespace, {}).values()
        return {name for group in sets for names in group for name in names}

    def _foreign(self, namespace: str, metric: str) -> str | None:
        """A namespace that is not listed: another service's, the caller's, or a slip."""
        if namespace in self.also or namespace in _ALIKE or "${" in namespace:
            return None
        hint = close_to(namespace, self.namespaces, _NEAR)
        if metric in self.namespaces[self.own]:
            return f"namespace {namespace!r} is not known: {metric} is published in {self.own!r}"
        if hint or (self.strict and not namespace.startswith("AWS/")):
            return f"namespace {namespace!r} is not known{hint}"
        return None


def _dimension_fault(namespace: str, given: tuple[str, ...] | None) -> str | None:
    """A dimension that no metric of one of AWS's own namespaces has, or None."""
    allowed = DIMENSIONS.get(namespace)
    if allowed is None or given is None:
        return None
    for name in given:
        if name not in allowed and "${" not in name:
            return f"{namespace} has no dimension {name!r}{close_to(name, allowed)}"
    return None


def close_to(word: str, known: Iterable[str], near: float | None = None) -> str:
    """`; did you mean 'x'?`, or nothing.

    Args:
        word: What was written.
        known: What there is.
        near: How much of it must agree, 0 to 1; None for difflib's own.
    """
    import difflib  # noqa: PLC0415 - only on the way to an error

    lower = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=near or 0.6)
    return f"; did you mean {lower[matches[0]]!r}?" if matches else ""


def _shown(dimensions: tuple[str, ...]) -> str:
    return "{" + ", ".join(dimensions) + "}" if dimensions else "none"
