"""Grafana dashboards: `fleet`, `tenant` and `pipeline` for stores of the OTLP metrics.

Made with grafana-foundation-sdk, which is needed to build them and not to use them: the JSON is
committed under `dashboards/grafana/` for Prometheus and its relatives, and under
`dashboards/grafana/cloudwatch/` for CloudWatch's PromQL, where the names keep their points.
Durations are native histograms in both, which Prometheus keeps since version 2.40.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from tenantmetrics.catalog import Metric, metric
from tenantmetrics.console import promnames
from tenantmetrics.console.promnames import Dialect
from tenantmetrics.errors import MissingExtraError

__all__ = ["NAMES", "build", "files"]

_FOLDERS = {
    Dialect.PROMETHEUS: "dashboards/grafana",
    Dialect.CLOUDWATCH: "dashboards/grafana/cloudwatch",
}
_COLUMNS = 24
_RATE = "$__rate_interval"
_TOP = 10


class Panel(NamedTuple):
    """One panel.

    Attributes:
        title: Its title.
        unit: Grafana's unit id.
        queries: (PromQL, legend) pairs.
        stat: One big number instead of lines over time.
    """

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    stat: bool = False


class _Names:
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


def _overview(names: _Names) -> list[tuple[str, list[Panel]]]:
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
                Panel("Error rate", "percent", ((errors, "errors"),)),
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
    names = _Names(dialect)
    by, legend = names.tenant, names.label("tenant.id")

    def top(text: str) -> tuple[tuple[str, str], ...]:
        return ((f"topk({_TOP}, {text})", legend),)

    latency = f"{names.seconds(by)} / {names.calls(by)}"
    errors = f"100 * {names.rate('DatabaseErrors', by)} / {names.calls(by)}"
    share = f"100 * {names.seconds(by)} / scalar({names.seconds()})"
    return [
        *_overview(names),
        (
            f"Top {_TOP} tenants",
            [
                Panel("Calls by tenant", "reqps", top(names.calls(by))),
                Panel("Error rate by tenant", "percent", top(errors)),
                Panel("Average latency by tenant", "s", top(latency)),
                Panel("Database time by tenant", "short", top(names.seconds(by))),
                Panel("Billed requests by tenant", "reqps", top(names.rate("BilledRequests", by))),
                Panel("Noisy neighbour: share of all database time", "percent", top(share)),
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
    names = _Names(dialect, f'{label}=~"$tenant"')
    everybody = _Names(dialect)
    return [
        *_overview(names),
        (
            "What it does",
            [
                Panel(
                    "Share of all database time",
                    "percent",
                    ((f"100 * {names.seconds()} / {everybody.seconds()}", "share"),),
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
    names = _Names(dialect)
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


_ROWS: dict[str, Callable[[Dialect], list[tuple[str, list[Panel]]]]] = {
    "fleet": _fleet,
    "tenant": _tenant,
    "pipeline": _pipeline,
}

NAMES = tuple(_ROWS)
"""Names of the dashboards, as their files have them."""


def files() -> dict[str, str]:
    """Path under the source tree → JSON.

    Raises:
        MissingExtraError: grafana-foundation-sdk is not installed.
    """
    return {
        f"{folder}/{name}.json": json.dumps(build(name, dialect), indent=1, ensure_ascii=False)
        + "\n"
        for dialect, folder in _FOLDERS.items()
        for name in NAMES
    }


def build(name: str, dialect: Dialect) -> dict[str, Any]:
    """A dashboard as Grafana imports it.

    Args:
        name: One of `NAMES`.
        dialect: Whose names its PromQL has.

    Raises:
        MissingExtraError: grafana-foundation-sdk is not installed.
    """
    try:
        from grafana_foundation_sdk.builders import dashboard as board  # noqa: PLC0415
        from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("building Grafana dashboards", "dev") from None
    where = "CloudWatch's PromQL" if dialect is Dialect.CLOUDWATCH else "Prometheus"
    uid = f"tenantmetrics-{name}" + ("-cloudwatch" if dialect is Dialect.CLOUDWATCH else "")
    made = (
        board.Dashboard(f"tenantmetrics: {name}")
        .uid(uid)
        .tags(["tenantmetrics"])
        .description(f"OTLP metrics of tenantmetrics in {where}. Costs are estimates.")
        .time("now-3h", "now")
        .refresh("1m")
        .timezone("browser")
        .with_variable(
            board.DatasourceVariable("datasource").label("Data source").type("prometheus")
        )
    )
    if name != "pipeline":
        price = board.TextBoxVariable("usd_per_million_requests")
        made.with_variable(price.label("USD a million requests").default_value("0.35"))
    if name == "tenant":
        made.with_variable(_tenant_variable(board, dialect))
    y = number = 0
    for title, panels in _ROWS[name](dialect):
        made.with_panel(board.Panel().type("row").title(title).grid_pos(_place(0, y, _COLUMNS, 1)))
        y += 1
        width = _COLUMNS // (4 if panels[0].stat and len(panels) == 4 else 3)  # noqa: PLR2004
        for index, one in enumerate(panels):
            height = 4 if one.stat and width < 8 else 8  # noqa: PLR2004
            column = index * width % _COLUMNS
            if index and column == 0:
                y += height
            number += 1
            made.with_panel(_panel(one, number).grid_pos(_place(column, y, width, height)))
        y += 4 if width < 8 else 8  # noqa: PLR2004
    built: dict[str, Any] = json.loads(JSONEncoder(sort_keys=True).encode(made.build()))
    for variable in built.get("templating", {}).get("list", ()):
        # The SDK writes the settings of interval variables into every kind; Grafana's types say no.
        for setting in ("auto", "auto_count", "auto_min"):
            variable.pop(setting, None)
    return built


def _place(x: int, y: int, width: int, height: int) -> Any:
    from grafana_foundation_sdk.models.dashboard import GridPos  # noqa: PLC0415

    return GridPos(x=x, y=y, w=width, h=height)


def _panel(panel: Panel, number: int) -> Any:
    from grafana_foundation_sdk.builders import common, prometheus, stat, timeseries  # noqa: PLC0415
    from grafana_foundation_sdk.models.common import LegendPlacement  # noqa: PLC0415
    from grafana_foundation_sdk.models.dashboard import DataSourceRef  # noqa: PLC0415

    source = DataSourceRef(type_val="prometheus", uid="${datasource}")
    made: Any = (
        stat.Panel()
        if panel.stat
        else timeseries.Panel()
        .min(0)
        .legend(
            common.VizLegendOptions()
            .placement(LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
    )
    made.id(number).title(panel.title).unit(panel.unit).datasource(source)
    for letter, (text, legend) in zip("ABCDEF", panel.queries, strict=False):
        query = prometheus.Dataquery().expr(text).ref_id(letter).legend_format(legend or "value")
        made.with_target(query.instant() if panel.stat else query.range())
    return made


def _tenant_variable(board: Any, dialect: Dialect) -> Any:
    from grafana_foundation_sdk.models.dashboard import (  # noqa: PLC0415
        DataSourceRef,
        VariableRefresh,
        VariableSort,
    )

    billed = promnames.selector(metric("BilledRequests"), dialect)
    label = promnames.label("tenant.id", dialect)
    made = board.QueryVariable("tenant").label("Tenant")
    made.datasource(DataSourceRef(type_val="prometheus", uid="${datasource}"))
    made.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    if dialect is Dialect.PROMETHEUS:
        made.query(f"label_values({billed}, {label})")
    else:
        # label_values() takes no label with a point in it.
        made.query(f"query_result(count by ({label}) ({billed}))")
        made.regex('/tenant\\.id"?="([^"]*)"/')
    return made.multi(multi=False).include_all(include_all=False)
