"""What the Grafana dashboards show: rows of panels, and their PromQL in either dialect."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tenantmetrics.catalog import Metric, metric
from tenantmetrics.console import promnames
from tenantmetrics.console.promnames import Dialect
from tenantmetrics.console.settings import Settings

__all__ = ["ROWS", "Names", "Panel"]

_ERROR_PERCENT = Settings().threshold("ErrorRatePercent")
_TENANT_ERROR_PERCENT = 100 * Settings().threshold("TenantErrorRatio")
_SHARE_PERCENT = Settings().threshold("NoisySharePercent")
_RATE = "$__rate_interval"
_TOP = 10


class Panel(NamedTuple):
    """One panel.

    Attributes:
        title: Its title.
        unit: Grafana's unit id.
        queries: (PromQL, legend) pairs.
        stat: One big number instead of lines over time.
        limit: An alarm's threshold, drawn across; None for none.
    """

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    stat: bool = False
    limit: float | None = None


class Names:
    """PromQL over our metrics in one dialect.

    Args:
        dialect: Whose names.
        matchers: Matchers on every tenant's metric.
    """

    def __init__(self, dialect: Dialect, matchers: str = "") -> None:
        self._dialect, self._matchers = dialect, matchers
        self.tenant = promnames.label("tenant.id", dialect)
        self.operation = promnames.label("db.operation.name", dialect)
        self.error = promnames.label("error.type", dialect)
        self.reason = promnames.label("tenantmetrics.reason", dialect)
        self.exporter = promnames.label("tenantmetrics.exporter", dialect)

    def label(self, attribute: str) -> str:
        """`{{...}}` of a legend."""
        return f"{{{{{promnames.label(attribute, self._dialect).strip(chr(34))}}}}}"

    def rate(self, name: str, by: str = "", *, window: str = _RATE, more: str = "") -> str:
        """Sum of a counter's rate a second."""
        return self._sum(f"rate({self._selector(metric(name), more)}[{window}])", by)

    def increase(self, name: str, *, window: str) -> str:
        """Sum of a counter's increase."""
        return self._sum(f"increase({self._selector(metric(name), '')}[{window}])", "")

    def calls(self, by: str = "") -> str:
        """Calls a second."""
        return self._sum(f"histogram_count({self._durations()})", by)

    def seconds(self, by: str = "") -> str:
        """Seconds of database time a second: calls in flight on average."""
        return self._sum(f"histogram_sum({self._durations()})", by)

    def quantile(self, share: float) -> str:
        """A quantile of the durations, seconds."""
        return f"histogram_quantile({share}, {self._sum(self._durations(), '')})"

    def sum_of(self, name: str) -> str:
        """Rate of the sum of a histogram's values."""
        one = metric(name)
        if self._dialect is Dialect.CLOUDWATCH:
            return self._sum(f"histogram_sum(rate({self._selector(one, '')}[{_RATE}]))", "")
        text = promnames.selector(one, self._dialect, "_sum", self._matchers)
        return self._sum(f"rate({text}[{_RATE}])", "")

    def selector(self, name: str) -> str:
        """A metric by itself."""
        return self._selector(metric(name), "")

    def _durations(self) -> str:
        return f"rate({self._selector(metric('DatabaseDuration'), '')}[{_RATE}])"

    def _selector(self, one: Metric, more: str) -> str:
        matchers = ", ".join(filter(None, [self._matchers if one.dimensions else "", more]))
        return promnames.selector(one, self._dialect, "", matchers)

    @staticmethod
    def _sum(text: str, by: str) -> str:
        return f"sum by ({by}) ({text})" if by else f"sum({text})"


def _share(part: str, whole: str) -> str:
    """Percent; a part that has no series yet is zero where the whole has one."""
    return f"100 * ({part} or 0 * {whole}) / {whole}"


def _overview(names: Names, error_percent: float) -> list[tuple[str, list[Panel]]]:
    """Calls, errors, latency, database time, cost: of everybody or of one tenant."""
    errors = _share(names.rate("DatabaseErrors"), names.calls())
    quantiles = tuple((names.quantile(q), f"p{q * 100:g}") for q in (0.5, 0.95, 0.99))
    money = "* $usd_per_million_requests / 1000000"
    a_day = f"86400 * {names.rate('BilledRequests')} {money}"
    to_date = f"{names.increase('BilledRequests', window='$__range')} {money}"
    return [
        (
            "Now",
            [
                Panel("Calls a second", "reqps", ((names.calls(), "calls"),), stat=True),
                Panel("Error rate", "percent", ((errors, "errors"),), stat=True),
                Panel("Latency p99", "s", (quantiles[2],), stat=True),
                Panel(
                    "Data API cost of the time shown", "currencyUSD", ((to_date, ""),), stat=True
                ),
            ],
        ),
        (
            "Over time",
            [
                Panel("Calls", "reqps", ((names.calls(), "calls"),)),
                Panel("Error rate", "percent", ((errors, "errors"),), limit=error_percent),
                Panel("Latency", "s", quantiles),
                Panel(
                    "Database time: calls in flight on average",
                    "short",
                    ((names.seconds(), "in flight"),),
                ),
                Panel(
                    "Billed requests",
                    "reqps",
                    ((names.rate("BilledRequests"), "billed requests"),),
                ),
                Panel("Estimated Data API cost a day", "currencyUSD", ((a_day, "Data API"),)),
            ],
        ),
    ]


def _fleet(dialect: Dialect) -> list[tuple[str, list[Panel]]]:
    names = Names(dialect)
    by, legend = names.tenant, names.label("tenant.id")

    def top(text: str) -> tuple[tuple[str, str], ...]:
        return ((f"topk({_TOP}, {text})", legend),)

    latency = f"{names.seconds(by)} / {names.calls(by)}"
    errors = f"100 * {names.rate('DatabaseErrors', by)} / {names.calls(by)}"
    share = f"100 * {names.seconds(by)} / scalar({names.seconds()})"
    return [
        *_overview(names, _ERROR_PERCENT),
        (
            f"Top {_TOP} tenants",
            [
                Panel("Calls by tenant", "reqps", top(names.calls(by))),
                Panel("Error rate by tenant", "percent", top(errors), limit=_TENANT_ERROR_PERCENT),
                Panel("Average latency by tenant", "s", top(latency)),
                Panel("Database time by tenant", "short", top(names.seconds(by))),
                Panel("Billed requests by tenant", "reqps", top(names.rate("BilledRequests", by))),
                Panel(
                    "Noisy neighbour: share of all database time",
                    "percent",
                    top(share),
                    limit=_SHARE_PERCENT,
                ),
            ],
        ),
        (
            "Trouble",
            [
                Panel(
                    "Calls whose tenant is unknown, or two of them",
                    "cps",
                    (
                        (names.rate("UnattributedCalls"), "unattributed"),
                        (names.rate("TenantConflicts"), "conflicts"),
                    ),
                ),
                Panel(
                    "Failed calls by code",
                    "reqps",
                    ((names.rate("DatabaseErrors", names.error), names.label("error.type")),),
                ),
            ],
        ),
    ]


def _tenant(dialect: Dialect) -> list[tuple[str, list[Panel]]]:
    label = promnames.label("tenant.id", dialect)
    names = Names(dialect, f'{label}=~"$tenant"')
    everybody = Names(dialect)
    return [
        *_overview(names, _TENANT_ERROR_PERCENT),
        (
            "What it does",
            [
                Panel(
                    "Share of all database time",
                    "percent",
                    ((f"100 * {names.seconds()} / {everybody.seconds()}", "share"),),
                    limit=_SHARE_PERCENT,
                ),
                Panel(
                    "Calls by operation",
                    "reqps",
                    ((names.calls(names.operation), names.label("db.operation.name")),),
                ),
                Panel(
                    "Failed calls by code",
                    "reqps",
                    ((names.rate("DatabaseErrors", names.error), names.label("error.type")),),
                ),
                Panel(
                    "Bytes a second",
                    "Bps",
                    (
                        (names.rate("RequestBytes"), "requests"),
                        (names.rate("ResponseBytes"), "responses"),
                    ),
                ),
                Panel(
                    "Rows a second",
                    "cps",
                    (
                        (names.sum_of("RowsReturned"), "returned"),
                        (names.rate("RowsWritten"), "written"),
                    ),
                ),
                Panel(
                    "Operations by outcome",
                    "reqps",
                    ((names.rate("DatabaseOperations", names.error), names.label("error.type")),),
                ),
            ],
        ),
    ]


def _pipeline(dialect: Dialect) -> list[tuple[str, list[Panel]]]:
    names = Names(dialect)
    latest = f"time() - max(timestamp({names.selector('UnattributedCalls')}))"
    return [
        (
            "Can these numbers be trusted?",
            [
                Panel("Since the last datum", "s", ((latest, "lag"),), stat=True),
                Panel("Export lag", "s", ((latest, "lag"),)),
                Panel(
                    "Calls with no tenant, two tenants, or folded into __overflow__",
                    "cps",
                    tuple(
                        (names.rate(name), legend)
                        for name, legend in (
                            ("UnattributedCalls", "unattributed"),
                            ("TenantConflicts", "conflicts"),
                            ("SeriesOverflow", "overflow"),
                        )
                    ),
                ),
                Panel(
                    "Calls lost, by reason",
                    "cps",
                    (
                        (
                            names.rate("CallsDropped", names.reason),
                            names.label("tenantmetrics.reason"),
                        ),
                    ),
                ),
                Panel(
                    "Windows not delivered, by exporter",
                    "cps",
                    (
                        (
                            names.rate("ExportFailures", names.exporter),
                            names.label("tenantmetrics.exporter"),
                        ),
                    ),
                ),
                Panel(
                    "Tenants",
                    "short",
                    (
                        (
                            f"count(sum by ({names.tenant}) ({names.selector('BilledRequests')}))",
                            "tenants",
                        ),
                    ),
                ),
            ],
        ),
    ]


ROWS: dict[str, Callable[[Dialect], list[tuple[str, list[Panel]]]]] = {
    "fleet": _fleet,
    "tenant": _tenant,
    "pipeline": _pipeline,
}
"""Dashboard → its rows: title and panels."""
