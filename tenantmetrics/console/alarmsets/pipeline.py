"""The metrics themselves: lost, not delivered, or silent."""

from __future__ import annotations

from tenantmetrics.catalog import metric
from tenantmetrics.console.alarm import Alarm, Missing
from tenantmetrics.console.alarmsets.parts import (
    PIPELINE_BOARD,
    series,
    stat,
)

__all__ = ["ALARMS"]

ALARMS: tuple[Alarm, ...] = (
    Alarm(
        id="calls-lost",
        means="Calls are missing from the numbers; the contributor is the reason.",
        look=f"{PIPELINE_BOARD}, calls lost by reason; the log line tenantmetrics.loss.",
        do="queue_full: a larger queue_size. export_dropped: the exporter's endpoint. Others: "
        "report them with the log line.",
        queries=series(metric("CallsDropped"), "SUM", "Reason"),
        threshold="0",
    ),
    Alarm(
        id="export-failures",
        means="An exporter did not deliver in 3 of 5 minutes; the contributor is the exporter.",
        look=f"{PIPELINE_BOARD}, windows not delivered; the log line tenantmetrics.loss.",
        do="Its endpoint, credentials and quota; the ledger keeps what CloudWatch missed.",
        queries=series(metric("ExportFailures"), "SUM", "Exporter"),
        threshold="0",
        periods=5,
        datapoints=3,
    ),
    Alarm(
        id="series-overflow",
        means="Calls were folded into __overflow__: more series than max_series in a minute.",
        look=f"{PIPELINE_BOARD}; the number of tenants a minute.",
        do="Raise max_series, or find what keeps making new tenant names.",
        queries=(stat(metric("SeriesOverflow"), "Sum", returned=True),),
        threshold="0",
        periods=5,
        datapoints=3,
    ),
    Alarm(
        id="no-data",
        means="No window arrived for 15 minutes: nothing is exported, or nothing calls.",
        look=f"{PIPELINE_BOARD}, windows that arrived; the application's own health.",
        do="Application down: bring it up. Up: exporter's credentials, region, namespace. Quiet "
        "at night by design: widen the periods.",
        queries=(stat(metric("UnattributedCalls"), "SampleCount", returned=True),),
        threshold="1",
        comparison="LessThanThreshold",
        periods=15,
        datapoints=15,
        missing=Missing.BAD,
    ),
)
