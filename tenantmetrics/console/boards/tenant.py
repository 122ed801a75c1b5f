"""`tenant`: one tenant, whom the reader chooses at the top."""

from __future__ import annotations

from tenantmetrics.console.boards import quantities as q
from tenantmetrics.console.boards.cloudwatch import TENANT
from tenantmetrics.console.boards.model import (
    Board,
    LogQuery,
    Panel,
    Section,
    Threshold,
    Unit,
    View,
)

__all__ = ["BOARD"]

_ERRORS = (
    f"filter TenantId = '{TENANT}' and StatusCode != 'ok' "
    "| stats sum(DatabaseOperations) as calls, max(@timestamp) as last by Operation, StatusCode "
    "| sort calls desc | limit 50"
)

# Values rise, so the last one is the slowest call of its minute.
_SLOWEST = (
    f"filter TenantId = '{TENANT}' "
    '| parse @message /"DatabaseDuration": \\{"Values": '
    "\\[(?:[^\\]]*, )?(?<slowest_ms>[0-9.e+]+)\\]/ "
    "| filter ispresent(slowest_ms) "
    "| fields @timestamp, slowest_ms | sort slowest_ms desc | limit 50"
)

_NOW = Section(
    "Now",
    (
        (
            Panel(title="Calls {per}", draws=(q.CALLS,), unit=q.CALLS_A_SECOND, view=View.FIGURE),
            Panel(title="Error rate", draws=(q.ERROR_PERCENT,), unit=q.PERCENT, view=View.FIGURE),
            Panel(title="Latency p99", draws=(q.LATENCY_P99,), unit=q.MS, view=View.FIGURE),
            Panel(
                title="Estimated cost in the time shown",
                grafana_title="Data API cost of the time shown",
                draws=(q.COST_OF_THE_TENANT,),
                unit=q.USD,
                view=View.FIGURE,
            ),
        ),
        (
            Panel(title="Calls", draws=(q.CALLS,), unit=q.CALLS_A_SECOND),
            Panel(
                title="Error rate",
                draws=(q.ERROR_PERCENT,),
                unit=q.PERCENT,
                thresholds=(Threshold("tenant-error-rate", "TenantErrorRatio", 100),),
            ),
            Panel(title="Latency", draws=q.LATENCY_QUANTILES, unit=q.MS),
        ),
        (
            Panel(
                title="Load: average active sessions",
                draws=(q.LOAD,),
                unit=q.SESSIONS,
            ),
            Panel(
                title="Share of the load",
                draws=(q.SHARE_OF_LOAD,),
                unit=q.PERCENT,
                thresholds=(Threshold("largest-share", "NoisySharePercent"),),
            ),
        ),
        (
            Panel(title="Billed requests", draws=(q.BILLED,), unit=q.REQUESTS),
            Panel(
                title="Estimated cost to date",
                grafana_title="Estimated Data API cost a day",
                draws=(q.COST_TO_DATE,),
                unit=q.USD,
            ),
        ),
    ),
)

_DETAILS = Section(
    "What it does",
    (
        (
            Panel(
                title="Calls by operation",
                draws=(q.CALLS_BY_OPERATION,),
                unit=q.CALLS_A_SECOND,
                view=View.AREAS,
            ),
            Panel(
                title="Calls by outcome",
                draws=(q.CALLS_BY_OUTCOME,),
                unit=q.CALLS_A_SECOND,
                view=View.AREAS,
            ),
            Panel(title="Failed calls by code", draws=(q.FAILED_BY_CODE,), unit=q.CALLS_A_SECOND),
        ),
        (
            Panel(
                title="Bytes {per}",
                draws=(
                    q.counted("RequestBytes", "requests"),
                    q.counted("ResponseBytes", "responses"),
                ),
                unit=Unit("bytes", "Bps"),
            ),
            Panel(
                title="Rows {per}",
                draws=(
                    q.counted("RowsReturned", "returned", histogram=True),
                    q.counted("RowsWritten", "written"),
                ),
                unit=Unit("rows", "cps"),
            ),
        ),
    ),
    detailed=True,
)

_LOGS = Section(
    "From the EMF documents",
    (
        (
            LogQuery(title="Errors by operation and code (detailed metrics)", query=_ERRORS),
            LogQuery(title="Slowest calls, minute by minute", query=_SLOWEST),
        ),
    ),
)

BOARD = Board(
    name="tenant",
    about=f"Tenant `{TENANT}`\n[the fleet](#dashboards:name={{fleet}}) · "
    "Choose the tenant at the top. Costs are estimates at list price.",
    sections=(_NOW, _DETAILS, _LOGS),
    of_one_tenant=True,
)
