"""GetMetricData and ListMetrics, as the report needs them: many series, all pages, one clear error.

Region, credentials and endpoint are boto3's own. It needs `cloudwatch:GetMetricData` and
`cloudwatch:ListMetrics`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from tenantmetrics import limits
from tenantmetrics.cost.period import day
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import ReportError

__all__ = ["HOUR_S", "CloudWatch", "Wanted", "kept_since"]

HOUR_S = 3_600
_AT_ONCE = 4
"""Requests at once: a quota of 50 a second leaves others their part."""
_ATTEMPTS = 8


class Wanted(NamedTuple):
    """One series: a metric, its dimensions as (name, value) pairs, and a statistic."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str


def kept_since(period: Period, now_s: float) -> None:
    """Refuse a period whose hours CloudWatch no longer keeps.

    Raises:
        ReportError: It begins too long ago.
    """
    oldest_s = int(now_s) - limits.METRIC_HOURS_KEPT_S
    if period.start_s < oldest_s:
        raise ReportError(
            f"CloudWatch keeps metrics for 455 days, since {day(oldest_s)}, and {period.label} "
            "begins before: use a ledger or exported logs"
        )


class CloudWatch:
    """A client. Use it in a `with` statement.

    Args:
        what: What is read, as the subject of an error ("the metrics of namespace 'Shop'").
        region_name: AWS region; None for boto3's own.

    Raises:
        ReportError: No region or credentials are set.
    """

    def __init__(self, what: str, *, region_name: str | None = None) -> None:
        import boto3  # noqa: PLC0415 - 100 ms that a ledger in a folder need not wait for
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        self._what = what
        self._errors: tuple[type[Exception], ...] = (BotoCoreError, ClientError)
        config = Config(
            max_pool_connections=_AT_ONCE,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        )
        try:
            self._client: Any = boto3.client("cloudwatch", region_name=region_name, config=config)
        except self._errors as error:
            raise self._unreadable(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def dimensions(self, namespace: str, metric: str) -> Iterator[dict[str, str]]:
        """The dimensions of each series of a metric that had data in the last two weeks.

        ListMetrics forgets older ones, whose data GetMetricData still has.

        Raises:
            ReportError: CloudWatch cannot be read.
        """
        pages = self._client.get_paginator("list_metrics")
        try:
            for page in pages.paginate(Namespace=namespace, MetricName=metric):
                for metric_ in page["Metrics"]:
                    yield {d["Name"]: d["Value"] for d in metric_.get("Dimensions", ())}
        except self._errors as error:
            raise self._unreadable(error) from None

    def read(
        self, wanted: Sequence[Wanted], start_s: int, end_s: int, step_s: int
    ) -> dict[Wanted, dict[int, float]]:
        """The values of each series by the start of its step; a step without data is not there.

        Args:
            wanted: Which series.
            start_s: From when, seconds since the epoch, a multiple of `step_s`.
            end_s: Until when, exclusive.
            step_s: Seconds a value stands for.

        Raises:
            ReportError: CloudWatch cannot be read, or gives less than was asked for.
        """
        most = limits.GET_METRIC_DATA_MAX_QUERIES
        batches = [wanted[first : first + most] for first in range(0, len(wanted), most)]
        span = {
            "StartTime": datetime.fromtimestamp(start_s, UTC),
            "EndTime": datetime.fromtimestamp(end_s, UTC),
        }
        found: dict[Wanted, dict[int, float]] = {}
        try:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                for part in pool.map(lambda batch: self._batch(batch, span, step_s), batches):
                    found.update(part)
        except self._errors as error:
            raise self._unreadable(error) from None
        return found

    def _batch(
        self, batch: Sequence[Wanted], span: dict[str, datetime], step_s: int
    ) -> dict[Wanted, dict[int, float]]:
        queries = [
            {
                "Id": f"q{number}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": series.namespace,
                        "MetricName": series.metric,
                        "Dimensions": [{"Name": n, "Value": v} for n, v in series.dimensions],
                    },
                    "Period": step_s,
                    "Stat": series.statistic,
                },
            }
            for number, series in enumerate(batch)
        ]
        found: dict[Wanted, dict[int, float]] = {series: {} for series in batch}
        status: dict[str, str] = {}
        pages = self._client.get_paginator("get_metric_data")
        for page in pages.paginate(MetricDataQueries=queries, **span):
            for result in page["MetricDataResults"]:
                name = result["Id"]
                status[name] = result.get("StatusCode", "Complete")
                values = found[batch[int(name[1:])]]
                for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                    values[int(at.timestamp())] = value
        if wrong := sorted({code for code in status.values() if code != "Complete"}):
            raise ReportError(f"{self._what} came incomplete ({wrong[0]}): try again later")
        return found

    def _unreadable(self, error: Exception) -> ReportError:
        code = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
        hint = {
            "NoRegionError": ": set AWS_REGION",
            "NoCredentialsError": ": set up AWS credentials",
            "AccessDenied": ": allow cloudwatch:GetMetricData and cloudwatch:ListMetrics",
            "AccessDeniedException": ": allow cloudwatch:GetMetricData and cloudwatch:ListMetrics",
        }.get(code, "")
        return ReportError(f"{self._what} cannot be read from CloudWatch ({code}){hint}")
