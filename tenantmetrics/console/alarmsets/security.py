"""Tenants that meet, and calls of nobody."""

from __future__ import annotations

from tenantmetrics.catalog import metric
from tenantmetrics.console.alarm import Alarm, Needs
from tenantmetrics.console.alarmsets.parts import (
    ALL_ERRORS,
    PIPELINE_BOARD,
    math,
    stat,
)

__all__ = ["ALARMS"]

ALARMS: tuple[Alarm, ...] = (
    Alarm(
        id="tenant-conflicts",
        means="Calls named two tenants, or one reached into another tenant's rows: maybe one "
        "customer sees another's data.",
        look="the application's log, tenantmetrics.tenant_misuse with the statement's summary; "
        "then tenantmetrics explain on that statement.",
        do="Real: stop the deployment, tell security, keep the ledger. Not real: fix what names "
        "the second tenant.",
        queries=(stat(metric("TenantConflicts"), "Sum", returned=True),),
        threshold="0",
    ),
    Alarm(
        id="undecided-statements",
        means="Calls are billed to their session's tenant, and their text does not restrict their "
        "rows to it: where no row-level security holds, they may touch another's.",
        look="the application's log, tenantmetrics.tenant_misuse with kind undecided_under_session "
        "and the statement's summary; then tenantmetrics explain on that statement.",
        do="Add the tenant to the statement's conditions, or row-level security to its tables.",
        queries=(stat(metric("UndecidedCalls"), "Sum", returned=True),),
        threshold="${UndecidedCalls}",
        needs=Needs.UNDECIDED,
    ),
    Alarm(
        id="unattributed-share",
        means="More than ${UnattributedPercent} % of the calls name no tenant in 8 of 10 minutes: "
        "costs and alarms per tenant miss them.",
        look=f"{PIPELINE_BOARD}; the newest deployment's statements with tenantmetrics explain.",
        do="Set the tenant in the session or with tenantmetrics.tenant(), or exempt what has none.",
        queries=(
            stat(metric("UnattributedCalls"), "Sum", "unknown"),
            stat(ALL_ERRORS, "SampleCount", "calls"),
            math("IF(calls >= ${MinimumCalls}, 100 * unknown / calls, 0)", "unattributed, %"),
        ),
        threshold="${UnattributedPercent}",
        periods=10,
        datapoints=8,
    ),
)
