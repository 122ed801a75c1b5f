"""PromQL over our metrics, in the names of Prometheus or of CloudWatch."""

from __future__ import annotations

from tenantmetrics.catalog import Metric, metric
from tenantmetrics.console import promnames
from tenantmetrics.console.promnames import Dialect

__all__ = ["PromQL", "percent", "top"]

_RATE = "$__rate_interval"
_TOP = 10


class PromQL:
    """Queries of one dashboard.

    Args:
        dialect: Whose names.
        of_one_tenant: Whether they are about the tenant that the reader chooses.
    """

    def __init__(self, dialect: Dialect, *, of_one_tenant: bool = False) -> None:
        self._dialect = dialect
        self.tenant = promnames.label("tenant.id", dialect)
        self.operation = promnames.label("db.operation.name", dialect)
        self.error = promnames.label("error.type", dialect)
        self.reason = promnames.label("tenantmetrics.reason", dialect)
        self.exporter = promnames.label("tenantmetrics.exporter", dialect)
        self._matchers = f'{self.tenant}=~"$tenant"' if of_one_tenant else ""

    @property
    def everybody(self) -> PromQL:
        """The same about all tenants."""
        return PromQL(self._dialect)

    def legend(self, attribute: str) -> str:
        """`{{...}}` of a legend."""
        return f"{{{{{promnames.label(attribute, self._dialect).strip(chr(34))}}}}}"

    def rate(self, name: str, by: str = "") -> str:
        """Sum of a counter's rate a second."""
        return _sum(f"rate({self._selector(metric(name))}[{_RATE}])", by)

    def increase(self, name: str, *, window: str) -> str:
        """Sum of a counter's increase."""
        return _sum(f"increase({self._selector(metric(name))}[{window}])")

    def calls(self, by: str = "") -> str:
        """Calls a second."""
        return _sum(f"histogram_count({self._durations()})", by)

    def seconds(self, by: str = "") -> str:
        """Seconds that clients wait for calls, a second."""
        return _sum(f"histogram_sum({self._durations()})", by)

    def quantile(self, share: float) -> str:
        """A quantile of the durations, seconds."""
        return f"histogram_quantile({share}, {_sum(self._durations())})"

    def sum_of(self, name: str) -> str:
        """Rate of the sum of a histogram's values."""
        histogram = metric(name)
        if self._dialect is Dialect.CLOUDWATCH:
            return _sum(f"histogram_sum(rate({self._selector(histogram)}[{_RATE}]))")
        text = promnames.selector(histogram, self._dialect, "_sum", self._matchers)
        return _sum(f"rate({text}[{_RATE}])")

    def selector(self, name: str) -> str:
        """A metric by itself."""
        return self._selector(metric(name))

    def _durations(self) -> str:
        return f"rate({self._selector(metric('DatabaseDuration'))}[{_RATE}])"

    def _selector(self, found: Metric) -> str:
        matchers = self._matchers if found.dimensions else ""
        return promnames.selector(found, self._dialect, "", matchers)


def percent(part: str, whole: str) -> str:
    """Percent; a part that has no series yet is zero where the whole has one."""
    return f"100 * ({part} or 0 * {whole}) / {whole}"


def top(text: str) -> str:
    """The series with the highest values."""
    return f"topk({_TOP}, {text})"


def _sum(text: str, by: str = "") -> str:
    return f"sum by ({by}) ({text})" if by else f"sum({text})"
