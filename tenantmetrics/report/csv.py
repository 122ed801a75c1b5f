"""CSV: one row a line of the statement, full precision, every line and no total row.

There is no total row, so that a spreadsheet's own sum over a column is the bill. Text that would
run as a formula gets an apostrophe in front; numbers are never changed.
"""

from __future__ import annotations

import csv
import io
import os

from tenantmetrics.report.model import build
from tenantmetrics.report.text import guarded, write_files
from tenantmetrics.statement import Statement

__all__ = ["render", "write"]


def render(statement: Statement) -> str:
    """The statement as CSV text: comma, CRLF, a header row, as RFC 4180 has it.

    Raises:
        UnbalancedError: The statement's lines do not add up.
    """
    report = build(statement)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        [
            "period", "tenant", "kind", "calls", "failed_calls", "database_time_s",
            "billed_requests", "request_bytes", "response_bytes", "rows_returned", "rows_written",
            *(f"{pool.name}_cost" for pool in statement.pools),
            "total_cost", "currency", "status", "revenue", "margin",
            *(guarded(f"group_{name}") for name in statement.group_names),
        ]
    )  # fmt: skip
    status = " ".join(report.status) or "FINAL"
    for row in report.rows:
        usage = row.usage
        writer.writerow(
            [
                statement.period.label, guarded(row.tenant), str(row.kind),
                usage.calls, usage.failed_calls,
                f"{usage.duration_ns // 10**9}.{usage.duration_ns % 10**9:09d}",
                usage.billed_requests, usage.request_bytes, usage.response_bytes,
                usage.rows_returned, usage.rows_written,
                *(f"{amount:f}" for amount in row.amounts),
                f"{row.total:f}", statement.currency, status,
                "" if row.revenue is None else f"{row.revenue:f}",
                "" if row.margin is None else f"{row.margin:f}",
                *(guarded(group) for group in row.groups or ("",) * len(statement.group_names)),
            ]
        )  # fmt: skip
    return out.getvalue()


def write(statement: Statement, path: str | os.PathLike[str]) -> None:
    """Write `render`'s text to a file, whole or not at all.

    Raises:
        UnbalancedError: The statement's lines do not add up.
        ReportError: The file cannot be written.
    """
    write_files({path: render(statement)})
