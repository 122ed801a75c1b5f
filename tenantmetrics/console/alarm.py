"""What an alarm is: one model, from which CloudFormation, Terraform and the rehearsal are made.

Texts hold `${Parameter}` where a deployment has its own value. A template makes `!Sub` of it, a
Terraform module `${var.parameter}`, the rehearsal the parameter's default or the caller's value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from tenantmetrics.console.known import close_to
from tenantmetrics.errors import ConsoleError

__all__ = ["Alarm", "Missing", "Needs", "Parameter", "Query", "Severity", "fill", "resolve"]

_PLACE = re.compile(r"\$\{([A-Z][A-Za-z0-9]*)\}")


class Severity(StrEnum):
    """What happens when an alarm fires: somebody is woken, a topic hears of it, or neither."""

    PAGE = "page"
    NOTIFY = "notify"
    SILENT = "silent"


class Needs(StrEnum):
    """What an alarm's metrics need; each is a condition of the template."""

    NOTHING = ""
    DETAILED = "DetailedMetrics"
    OTLP = "OtlpMetrics"
    UNDECIDED = "UndecidedAlarm"


class Missing(StrEnum):
    """What a period without a datum counts as (PutMetricAlarm, TreatMissingData)."""

    GOOD = "notBreaching"
    BAD = "breaching"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A value that a deployment chooses.

    Attributes:
        name: In camel case, as CloudFormation has it.
        default: A text, a number, or None where the deployment must say it.
        about: What it is, with its unit.
        allowed: The only values there are; empty for any.
    """

    name: str
    default: str | float | None
    about: str
    allowed: tuple[str, ...] = ()

    @property
    def number(self) -> bool:
        """Whether its values are numbers."""
        return isinstance(self.default, int | float)

    @property
    def snake(self) -> str:
        """The name in Terraform's spelling."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.name).lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A metric with its statistic, or an expression.

    Attributes:
        id: What expressions call it.
        namespace: Of the metric; empty for an expression.
        metric: Its name; empty for an expression.
        dimensions: (name, value) pairs.
        stat: Its statistic.
        expression: Metric math or Metrics Insights.
        label: What notifications call it.
        returned: Whether it is what the alarm watches.
    """

    id: str
    namespace: str = ""
    metric: str = ""
    dimensions: tuple[tuple[str, str], ...] = ()
    stat: str = ""
    expression: str = ""
    label: str = ""
    returned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm: on metrics, on PromQL, or on the states of other alarms.

    Attributes:
        id: Name without the prefix.
        severity: What happens when it fires.
        means: What it tells when it fires.
        look: Where to look next.
        do: What to do.
        queries: Metrics and expressions, of which one is returned; empty for the other two forms.
        threshold: What the returned value is compared with.
        comparison: How (PutMetricAlarm, ComparisonOperator).
        band: Id of the anomaly band that replaces the threshold.
        period_s: Length of a period in seconds.
        periods: N of "M of N".
        datapoints: M of "M of N".
        missing: What a period without a datum counts as.
        low_samples: "ignore" keeps a percentile of few calls from deciding.
        promql: A PromQL query whose every series is a contributor.
        pending_s: How long a contributor must stand before it counts.
        recovery_s: How long it must be gone before it no longer does.
        rule: Rule of a composite; names other alarms as ALARM("${Prefix}-id").
        needs: What must be published.
        tenants: Whether each series is a tenant.
    """

    id: str
    severity: Severity = Severity.NOTIFY
    means: str
    look: str
    do: str
    queries: tuple[Query, ...] = ()
    threshold: str = ""
    comparison: str = "GreaterThanThreshold"
    band: str = ""
    period_s: int = 60
    periods: int = 1
    datapoints: int = 1
    missing: Missing = Missing.GOOD
    low_samples: str = ""
    promql: str = ""
    pending_s: int = 0
    recovery_s: int = 0
    rule: str = ""
    needs: Needs = Needs.NOTHING
    tenants: bool = False

    @property
    def description(self) -> str:
        """The runbook line."""
        return f"Means: {self.means} Look: {self.look} Do: {self.do}"

    @property
    def logical_id(self) -> str:
        """Its name in a template: letters and digits."""
        return "".join(part.capitalize() for part in self.id.split("-"))

    def filled(self, values: Mapping[str, Any]) -> Alarm:
        """The same with every `${Parameter}` replaced."""
        queries = tuple(
            replace(
                query,
                namespace=fill(query.namespace, values),
                dimensions=tuple((name, fill(value, values)) for name, value in query.dimensions),
                expression=fill(query.expression, values),
            )
            for query in self.queries
        )
        return replace(
            self,
            queries=queries,
            threshold=fill(self.threshold, values),
            promql=fill(self.promql, values),
            rule=fill(self.rule, values),
            means=fill(self.means, values),
            look=fill(self.look, values),
            do=fill(self.do, values),
        )


def fill(text: str, values: Mapping[str, Any]) -> str:
    """Replace each `${Parameter}`; numbers as short as they can be written.

    Raises:
        ConsoleError: A parameter has no value.
    """

    def value(match: re.Match[str]) -> str:
        found = values.get(match.group(1))
        if found is None:
            raise ConsoleError(f"parameter {match.group(1)} is needed and has no value")
        return f"{found:.15g}" if isinstance(found, float) else str(found)

    return _PLACE.sub(value, text)


def resolve(parameters: tuple[Parameter, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter's value: the given one or its default.

    Raises:
        ConsoleError: A name is unknown, or a value is not of its kind.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in known:
            hint = close_to(name, known) or f": known are {', '.join(known)}"
            raise ConsoleError(f"unknown parameter {name!r}{hint}")
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        value = given.get(name)
        if value is None:
            value = parameter.default
        elif parameter.number:
            try:
                value = float(value)
            except (TypeError, ValueError):
                raise ConsoleError(f"parameter {name} = {value!r}: must be a number") from None
            value = int(value) if value == int(value) else value
        elif parameter.allowed and value not in parameter.allowed:
            raise ConsoleError(
                f"parameter {name} = {value!r}: must be one of {', '.join(parameter.allowed)}"
            )
        values[name] = value
    return values
