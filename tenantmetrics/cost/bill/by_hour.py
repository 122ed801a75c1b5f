"""What a bill charged in each pool, hour by hour: for whoever wants to know a month's days."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tenantmetrics.cost.bill.classify import is_aws, is_other_database, pool_of
from tenantmetrics.cost.bill.forms import Form
from tenantmetrics.cost.bill.table import Table
from tenantmetrics.cost.period import billing_months, parse_month
from tenantmetrics.cost.statement import Period

__all__ = ["charges_by_hour"]

_LONGEST_S = 25 * 3600
"""The longest charge that is of a day: one day of autumn has 25 hours."""


def charges_by_hour(
    table: Table, form: Form, period: Period, passes: str, values: Mapping[str, object]
) -> dict[int | None, dict[str, Decimal]]:
    """Amounts by hour since the epoch and pool.

    Args:
        table: The files, whose values were checked before.
        form: Their form.
        period: The month; of a zone's, all hours of its months in UTC.
        passes: SQL of whether a charge passes the filter.
        values: What is bound in it.

    Returns:
        By the hour that a charge begins in; None for charges of no hour or of more than a day, such
        as a month's fee or tax, and for corrections of earlier charges. Those are of the billing
        month that is called as the period is, not of its neighbour too.
    """
    chosen = ", ".join(f"'{month}'" for month in billing_months(period))
    start, end = (
        f"epoch(TRY_CAST({text} AS TIMESTAMPTZ))::BIGINT" for text in (form.start, form.end)
    )
    first_s = parse_month(min(billing_months(period))).start_s
    found: dict[int | None, dict[str, Decimal]] = {}
    for kind, usage_type, service, engine, operation, provider, hour, is_own, amount in table.query(
        f"""
        SELECT {form.kind}, {form.usage_type}, {form.service}, {form.engine}, {form.operation},
          {form.provider},
          CASE WHEN coalesce({end}, {start}) - {start} <= {_LONGEST_S} AND {start} >= {first_s}
            AND NOT {form.corrects} THEN {start} // 3600 END,
          {form.billing_month} = '{period.label}', sum({form.amount})
        FROM bill WHERE {form.billing_month} IN ({chosen}) AND {passes}
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 ORDER BY ALL
        """,  # noqa: S608 - our own expressions; values are bound
        dict(values),
    ):
        if not is_aws(provider) or is_other_database(service, engine, operation, usage_type):
            continue
        # What is paid in one hour for a month is of no hour either.
        at = None if kind.endswith("Fee") else hour
        if at is None and not is_own:
            continue
        of_hour = found.setdefault(at, {})
        pool = pool_of(kind, usage_type, service, operation)
        of_hour[pool] = of_hour.get(pool, Decimal(0)) + amount
    return found
