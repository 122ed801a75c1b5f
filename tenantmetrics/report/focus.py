"""FOCUS rows as CSV: one row a line and pool, for whoever loads cost data in that form.

The mandatory columns of FOCUS 1.2 and the Allocated columns of 1.3; the tenant stands in
`x_TenantId` too. Of each pool the rows' costs sum to the pool and their ratios to 1. The origin
charge counts as a quantity of one, so a row's quantity is its ratio.
https://focus.finops.org/focus-specification/v1-3
"""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import UTC, datetime
from decimal import Decimal

from tenantmetrics.report.model import Report, Row, build
from tenantmetrics.report.text import guarded, write_files
from tenantmetrics.statement import LineKind, Pool, Statement

__all__ = ["COLUMNS", "render", "write"]

COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency",
    "BillingPeriodStart", "BillingPeriodEnd", "ChargeCategory", "ChargeClass", "ChargeDescription",
    "ChargePeriodStart", "ChargePeriodEnd", "ContractedCost", "EffectiveCost", "InvoiceIssuerName",
    "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName", "AllocatedMethodId", "AllocatedMethodDetails",
    "AllocatedResourceId", "AllocatedResourceName", "AllocatedTags", "x_TenantId", "x_LineKind",
    "x_Status",
)  # fmt: skip

_CATEGORIES = {"credits": "Credit", "taxes": "Tax"}
_SERVICES = {
    "observability": ("Management and Governance", "Amazon CloudWatch"),
    "secrets": ("Security", "AWS Secrets Manager"),
}
_DATABASE = ("Databases", "Amazon Aurora")


def render(statement: Statement) -> str:
    """The statement as FOCUS rows in CSV.

    Raises:
        UnbalancedError: The statement's lines do not add up.
    """
    report = build(statement)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for index, pool in enumerate(statement.pools):
        fixed = _fixed(report, pool)
        for row in report.rows:
            if row.amounts[index]:
                writer.writerow(_row(report, pool, row, row.amounts[index], fixed))
    return out.getvalue()


def write(statement: Statement, path: str | os.PathLike[str]) -> None:
    """Write `render`'s rows to a file, whole or not at all.

    Raises:
        UnbalancedError: The statement's lines do not add up.
        ReportError: The file cannot be written.
    """
    write_files({path: render(statement)})


def _fixed(report: Report, pool: Pool) -> tuple[str, str, str, str, str, str]:
    """What all rows of a pool share."""
    period = report.statement.period
    category = _CATEGORIES.get(pool.name, "Usage")
    service = _SERVICES.get(pool.name, _DATABASE)
    status = " ".join(report.status) or "FINAL"
    return _moment(period.start_s), _moment(period.end_s), category, *service, status


def _row(
    report: Report,
    pool: Pool,
    row: Row,
    amount: Decimal,
    fixed: tuple[str, str, str, str, str, str],
) -> list[str]:
    statement = report.statement
    start, end, category, service_category, service, status = fixed
    ratio = f"{amount / pool.amount:.12f}"
    cost = f"{amount:f}"
    account = statement.account or "unspecified"
    tenant = guarded(row.tenant)
    details = {"Elements": [{"AllocatedRatio": float(ratio), "UsageUnit": pool.driver}]}
    tags = dict(zip(statement.group_names, row.groups, strict=False))
    description = f"{pool.title}, allocated by {pool.driver}"
    return [
        cost, account, account, statement.currency, start, end, category, "", description,
        start, end, cost, cost, "AWS", cost, ratio, "Share", "AWS", "AWS",
        service_category, service, f"tenantmetrics:{pool.name}", json.dumps(details),
        tenant, tenant, json.dumps(tags, ensure_ascii=False),
        tenant if row.kind is LineKind.TENANT else "", str(row.kind), status,
    ]  # fmt: skip


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
