"""A bill's rows, grouped by what decides their pool: in one pass over the files.

Reading millions of rows of CSV is what a bill takes time for, so the checks of its values and the
months that it has are found on the way. Only the columns that are named here leave the file, and no
row does: amounts are added as exact numbers of 38 digits, 18 of them decimals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantmetrics.cost.bill.classify import COMPUTE, OF_A_CLUSTER
from tenantmetrics.cost.bill.forms import Form
from tenantmetrics.cost.bill.table import Table
from tenantmetrics.cost.period import billing_months, is_billing_month, parse_month
from tenantmetrics.cost.statement import Period

__all__ = ["summed"]

_COLUMNS = 28
"""Columns of a group, before those that say whether a value in it is wrong."""


def summed(
    table: Table, form: Form, period: Period, passes: str, values: Mapping[str, object]
) -> tuple[list[Any], list[str]]:
    """The groups of the charges that count, and the months of all.

    Args:
        table: The files.
        form: Their form.
        period: The month.
        passes: SQL of whether a charge passes the filter.
        values: What is bound in it.

    Returns:
        Rows of whether they pass, whether one lacks an invoice, the part and the length in seconds
        of what the month's borders cut, and the fields of `pools.Row`; and the billing months.

    Raises:
        ReportError: A value is no number or no date; names file, row and column.
    """
    chosen = ", ".join(f"'{month}'" for month in billing_months(period))
    cuts = not is_billing_month(period)
    # What decides about a row, each worked out once. No column of a file has an underscore here.
    start, end = _moments(form, only_compute=not cuts)
    part, length, within = "NULL", "NULL", "TRUE"
    if cuts:
        part, length, within = _cut(period)
    of_cluster = (
        f"CASE WHEN {form.resource} LIKE 'arn:%:rds:%' OR regexp_matches(usage_type, "
        f"'{OF_A_CLUSTER}') THEN {form.resource} ELSE '' END"
    )
    groups = {
        "passes": passes, "part_s": part, "length_s": length, "kind": form.kind,
        "usage_type": "usage_type", "currency": form.currency, "service": form.service,
        "engine": form.engine, "operation": form.operation, "provider": form.provider,
        "account": form.account, "payer": form.payer, "region": form.region,
        "resource": of_cluster, "corrects": form.corrects,
        "hour": "CASE WHEN is_compute THEN start_s // 3600 END",
    }  # fmt: skip
    keys = ", ".join(
        f"CASE WHEN it_counts THEN {sql} END AS {name}" for name, sql in groups.items()
    )
    invoice = form.invoice or "CAST(NULL AS VARCHAR)"
    looked_at = [f"wrong{place}" for place in range(len(table.checks))]
    wrong = "".join(
        f", {check.wrong} AS {name}" for name, check in zip(looked_at, table.checks, strict=True)
    )
    # What does not count is a group a month: its values are looked at all the same.
    sql = f"""
        SELECT passes, max(uninvoiced), part_s, length_s, kind, usage_type, currency, sum(amount),
          sum(quantity), count(*), service, engine, operation, provider, account, payer, region,
          resource, hour, max(longest_s), sum(worth),
          list_distinct([min(nullif(invoice, '')), max(nullif(invoice, ''))]) AS invoices,
          sum(listed), sum(contracted), corrects, other, min(the_month), max(the_month)
          {"".join(f", bool_or({name})" for name in looked_at)}
        FROM (
          SELECT {keys}, CASE WHEN {invoice} = '' THEN 1 ELSE 0 END AS uninvoiced,
            {invoice} AS invoice,
            {form.amount} AS amount, {form.other} AS worth, {form.quantity} AS quantity,
            {form.listed} AS listed, {form.contracted} AS contracted,
            CASE WHEN is_compute AND {form.end} <> '' THEN end_s - start_s END AS longest_s,
            CASE WHEN it_counts THEN NULL ELSE the_month END AS other, the_month{wrong}
          FROM (
            SELECT *, the_month IN ({chosen}) AND coalesce({within}, FALSE) AS it_counts FROM (
              SELECT *, {start} AS start_s, {end} AS end_s FROM (
                SELECT *, {form.billing_month} AS the_month, {form.usage_type} AS usage_type,
                  regexp_matches({form.usage_type}, '{COMPUTE}') AS is_compute FROM bill
              ) AS typed
            ) AS timed
          ) AS told
        ) AS charges
        GROUP BY ALL ORDER BY ALL
    """  # noqa: S608 - our own expressions; values are bound
    rows, months, failed = list[Any](), set[str](), set[int]()
    for row in table.query(sql, dict(values)):
        *group, other, first_month, last_month = row[:_COLUMNS]
        months |= {first_month, last_month}
        failed |= {place for place, is_wrong in enumerate(row[_COLUMNS:]) if is_wrong}
        if other is None:
            rows.append(group)
    for place in sorted(failed):
        table.refuse(table.checks[place])
    return rows, sorted(months)


def _cut(period: Period) -> tuple[str, str, str]:
    """SQL of what a month's borders cut, where they are not those of a billing month.

    A charge has its time within the billing month that it is in, so that two months share it and
    none of it is lost. What has no time there, such as a correction of an earlier month, is of the
    month that is called as its billing month is.

    Returns:
        The part and the length in seconds, NULL of what is not cut; and whether it counts.
    """
    months = [parse_month(month) for month in billing_months(period)]
    begins = " ".join(f"WHEN '{month.label}' THEN {month.start_s}" for month in months)
    ends = " ".join(f"WHEN '{month.label}' THEN {month.end_s}" for month in months)
    begin, end = f"(CASE the_month {begins} END)", f"(CASE the_month {ends} END)"
    # A charge without an end, or of no length, is of its start.
    later = "coalesce(greatest(end_s, start_s + 1), start_s + 1)"
    first, last = f"greatest(start_s, {begin})", f"least({later}, {end})"
    has_time = f"coalesce(start_s < {end} AND {later} > {begin}, FALSE)"
    inside = f"(NOT {has_time} OR ({first} >= {period.start_s} AND {last} <= {period.end_s}))"
    in_month = f"least({last}, {period.end_s}) - greatest({first}, {period.start_s})"
    touches = f"{first} < {period.end_s} AND {last} > {period.start_s}"
    return (
        f"CASE WHEN {inside} THEN NULL ELSE {in_month} END",
        f"CASE WHEN {inside} THEN NULL ELSE {last} - {first} END",
        f"CASE WHEN {has_time} THEN {touches} ELSE the_month = '{period.label}' END",
    )


def _moments(form: Form, *, only_compute: bool) -> tuple[str, str]:
    """SQL of when a charge starts and ends, in seconds since the epoch.

    What is no moment has no hour: such a bill is divided over the whole month.
    """
    start, end = (
        f"epoch(TRY_CAST({text} AS TIMESTAMPTZ))::BIGINT" for text in (form.start, form.end)
    )
    # Legacy CUR may end an hour with its last second.
    end = f"({end} + CASE WHEN {end} % 60 = 59 THEN 1 ELSE 0 END)"
    if only_compute:
        # Nothing else is wanted by the hour, and dates take long to read.
        start, end = (f"CASE WHEN is_compute THEN {text} END" for text in (start, end))
    return start, end
