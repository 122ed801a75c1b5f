"""CSV: one row a line of the statement, full precision, every line and no total row.

Budgets and the forecast, where there are any, are rows after the lines, with columns of their own
and nothing in the others.

There is no total row, so that a spreadsheet's own sum over a column is the bill. Text that would
run as a formula gets an apostrophe in front; numbers are never changed.
"""

from __future__ import annotations

import csv
import io
import os
from decimal import Decimal

from tenantmetrics.cost.statement import Statement
from tenantmetrics.report import outlook, rate
from tenantmetrics.report.model import build
from tenantmetrics.report.text import guarded, write_files
from tenantmetrics.report.work import Work

__all__ = ["as_csv", "write"]


def as_csv(statement: Statement) -> str:
    """The statement as CSV text: comma, CRLF, a header row, as RFC 4180 has it.

    Raises:
        UnbalancedError: The statement's lines do not add up.
    """
    report = build(statement)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        [
            "period", "tenant", "kind", "calls", "failed_calls", "wall_time_s",
            "billed_requests", "request_bytes", "response_bytes", "rows_returned", "rows_written",
            *(f"{pool.name}_cost" for pool in statement.pools),
            "total_cost", "currency", "status", "revenue", "margin",
            "server_time_s", "server_share", "server_share_low", "server_share_high",
            "meaning",
            *(rate.COLUMNS if statement.rate else ()),
            *(guarded(f"group_{name}") for name in statement.group_names),
            *(outlook.COLUMNS if statement.outlook else ()),
        ]
    )  # fmt: skip
    status = " ".join(report.status) or "FINAL"
    converted = rate.cells(statement.rate) if statement.rate else ()
    no_budget = ("",) * len(outlook.COLUMNS) if statement.outlook else ()
    for row in report.rows:
        usage = row.usage
        writer.writerow(
            [
                statement.period.label, guarded(row.tenant), str(row.kind),
                usage.calls, usage.failed_calls,
                _seconds(usage.duration_ns),
                usage.billed_requests, usage.request_bytes, usage.response_bytes,
                usage.rows_returned, usage.rows_written,
                *(f"{amount:f}" for amount in row.amounts),
                f"{row.total:f}", statement.currency, status,
                "" if row.revenue is None else f"{row.revenue:f}",
                "" if row.margin is None else f"{row.margin:f}",
                *_work(row.work),
                report.meaning(row),
                *converted,
                *(guarded(group) for group in row.groups or ("",) * len(statement.group_names)),
                *no_budget,
            ]
        )  # fmt: skip
    for kind, values in outlook.rows(statement.outlook) if statement.outlook else ():
        # Zeros, so that a program may add up every column that it adds up without budgets.
        writer.writerow(
            [
                statement.period.label, "", kind, 0, 0, _seconds(0), 0, 0, 0, 0, 0,
                *(f"{Decimal(0) * statement.quantum:f}" for _ in statement.pools),
                f"{Decimal(0) * statement.quantum:f}", statement.currency, status, "", "",
                *_work(None), "", *converted, *("" for _ in statement.group_names), *values,
            ]
        )  # fmt: skip
    return out.getvalue()


def _work(work: Work | None) -> tuple[str, str, str, str]:
    """Server time, its share and the share's 95 % interval; empty where they are not known."""
    if work is None:
        return "", "", "", ""
    shares = ("" if part is None else f"{part:.9f}" for part in (work.share, work.low, work.high))
    return (_seconds(work.server_ns), *shares)  # type: ignore[return-value]


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"


def write(statement: Statement, path: str | os.PathLike[str]) -> None:
    """Write `as_csv`'s text to a file, whole or not at all.

    Raises:
        UnbalancedError: The statement's lines do not add up.
        ReportError: The file cannot be written.
    """
    write_files({path: as_csv(statement)})
