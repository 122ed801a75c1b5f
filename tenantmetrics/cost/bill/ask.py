"""The bill from Cost Explorer itself: GetCostAndUsage, a cent a page (its pricing page)."""

from __future__ import annotations

from typing import Any

from tenantmetrics.cost.bill.cost_explorer import parse, refuse_other_zone
from tenantmetrics.cost.bill.model import Bill, BillFilter
from tenantmetrics.cost.period import day
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import ReportError

__all__ = ["COST_EXPLORER", "ask"]

COST_EXPLORER = "cost-explorer"
"""What stands for a bill's file where Cost Explorer is to be asked."""

_REGION = "us-east-1"
"""Where the API is (AWS general reference, Cost Explorer endpoints)."""


def ask(period: Period, only: BillFilter, *, amortized: bool) -> Bill:
    """Ask Cost Explorer for a month. Needs `ce:GetCostAndUsage`.

    Args:
        period: The month, with the borders that it has in UTC, as AWS bills.
        only: Account and tag are filters of the request; a cluster is none that it has by month.
        amortized: Whether commitments count when they are used, not when paid.

    Raises:
        ReportError: It cannot be asked, or knows nothing of the month.
    """
    import boto3  # noqa: PLC0415 - 100 ms that a bill in a file need not wait for
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    if only.cluster:
        raise ReportError(
            "Cost Explorer cannot filter a month by cluster: filter by a tag, or use an export"
        ).about("bill_cluster")
    refuse_other_zone(period, "Cost Explorer")
    request: dict[str, Any] = {
        "TimePeriod": {"Start": day(period.start_s), "End": day(period.end_s)},
        "Granularity": "MONTHLY",
        "Metrics": ["UnblendedCost", "AmortizedCost", "UsageQuantity"],
        "GroupBy": [
            {"Type": "DIMENSION", "Key": "USAGE_TYPE"},
            {"Type": "DIMENSION", "Key": "RECORD_TYPE"},
        ],
    }
    if filters := _filters(only):
        request["Filter"] = filters[0] if len(filters) == 1 else {"And": filters}
    results: list[Any] = []
    try:
        client = boto3.client("ce", region_name=_REGION)
        try:
            while True:
                page = client.get_cost_and_usage(**request)
                results += page["ResultsByTime"]
                if not page.get("NextPageToken"):
                    break
                request["NextPageToken"] = page["NextPageToken"]
        finally:
            client.close()
    except (BotoCoreError, ClientError) as error:
        raise ReportError(
            f"Cost Explorer cannot be asked: {' '.join(str(error).split())}"
        ) from None
    data = {"ResultsByTime": results, "GroupDefinitions": request["GroupBy"]}
    return parse(data, "Cost Explorer's answer", "Cost Explorer", period, amortized=amortized)


def _filters(only: BillFilter) -> list[dict[str, Any]]:
    filters: list[dict[str, Any]] = []
    if only.account:
        filters.append({"Dimensions": {"Key": "LINKED_ACCOUNT", "Values": [only.account]}})
    if only.tag is not None:
        filters.append({"Tags": {"Key": only.tag[0], "Values": [only.tag[1]]}})
    return filters
