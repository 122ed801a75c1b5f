"""Grafana dashboards: `fleet`, `tenant` and `pipeline` for stores of the OTLP metrics.

Made with grafana-foundation-sdk, which is needed to build them and not to use them: the JSON is
committed under `dashboards/grafana/` for Prometheus and its relatives, and under
`dashboards/grafana/cloudwatch/` for CloudWatch's PromQL, where the names keep their points.
Durations are native histograms in both, which Prometheus keeps since version 2.40.
"""

from __future__ import annotations

import json
from typing import Any

from tenantmetrics.catalog import metric
from tenantmetrics.console import promnames
from tenantmetrics.console.boards.model import COLUMNS, Panel, Section, View, spans
from tenantmetrics.console.boards.promql import PromQL
from tenantmetrics.console.dashboards import BOARDS
from tenantmetrics.console.promnames import Dialect
from tenantmetrics.console.settings import Settings
from tenantmetrics.errors import MissingExtraError

__all__ = ["NAMES", "build", "files"]

_FOLDERS = {
    Dialect.PROMETHEUS: "dashboards/grafana",
    Dialect.CLOUDWATCH: "dashboards/grafana/cloudwatch",
}
_FIGURES, _GRAPHS = 4, 8
"""Heights of rows, in Grafana's grid."""

NAMES = tuple(BOARDS)
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
    described = BOARDS[name]
    if described.priced:
        price = board.TextBoxVariable("usd_per_million_requests")
        made.with_variable(price.label("USD a million requests").default_value("0.35"))
    if described.of_one_tenant:
        made.with_variable(_tenant_variable(board, dialect))
    source = PromQL(dialect, of_one_tenant=described.of_one_tenant)
    y = number = 0
    for section in described.sections:
        rows = _rows(section)
        if not rows:
            continue
        heading = board.Panel().type("row").title(section.title)
        made.with_panel(heading.grid_pos(_place(0, y, COLUMNS, 1)))
        y += 1
        for row in rows:
            height = _FIGURES if all(panel.view is View.FIGURE for panel in row) else _GRAPHS
            for panel, (x, width) in zip(row, spans(len(row)), strict=True):
                number += 1
                place = _place(x, y, width, height)
                made.with_panel(_panel(panel, number, source).grid_pos(place))
            y += height
    built: dict[str, Any] = json.loads(JSONEncoder(sort_keys=True).encode(made.build()))
    for variable in built.get("templating", {}).get("list", ()):
        # The SDK writes the settings of interval variables into every kind; Grafana's types say no.
        for setting in ("auto", "auto_count", "auto_min"):
            variable.pop(setting, None)
    return built


def _rows(section: Section) -> list[list[Panel]]:
    """The panels that PromQL can fill; rows without any are left out."""
    rows = [
        [
            panel
            for panel in row
            if isinstance(panel, Panel) and any(quantity.promql for quantity in panel.draws)
        ]
        for row in section.rows
    ]
    return [row for row in rows if row]


def _place(x: int, y: int, width: int, height: int) -> Any:
    from grafana_foundation_sdk.models.dashboard import GridPos  # noqa: PLC0415

    return GridPos(x=x, y=y, w=width, h=height)


def _panel(panel: Panel, number: int, source: PromQL) -> Any:
    from grafana_foundation_sdk.builders import (  # noqa: PLC0415
        common,
        dashboard,
        prometheus,
        stat,
        timeseries,
    )
    from grafana_foundation_sdk.models.common import (  # noqa: PLC0415
        GraphThresholdsStyleMode,
        LegendPlacement,
    )
    from grafana_foundation_sdk.models.dashboard import (  # noqa: PLC0415
        DataSourceRef,
        Threshold,
        ThresholdsMode,
    )

    chosen = DataSourceRef(type_val="prometheus", uid="${datasource}")
    figure = panel.view is View.FIGURE
    made: Any = (
        stat.Panel()
        if figure
        else timeseries.Panel()
        .min(0)
        .legend(
            common.VizLegendOptions()
            .placement(LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
    )
    if panel.thresholds and not figure:
        first = panel.thresholds[0]
        limit = first.factor * Settings().threshold(first.parameter)
        steps = [Threshold(value=0, color="green"), Threshold(value=limit, color="red")]
        made.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        made.thresholds_style(style)
    title = (panel.grafana_title or panel.title).format(per="a second")
    made.id(number).title(title).unit(panel.unit.grafana).datasource(chosen)
    queries = [
        query for quantity in panel.draws if quantity.promql for query in quantity.promql(source)
    ]
    for letter, (text, legend) in zip("ABCDEF", queries, strict=False):
        query = prometheus.Dataquery().expr(text).ref_id(letter).legend_format(legend or "value")
        made.with_target(query.instant() if figure else query.range())
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
