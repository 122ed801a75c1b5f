"""Chargebee usage events: the CSV of its usage files.

Form: https://apidocs.chargebee.com/docs/api/usage_files (three columns, then properties) and
https://apidocs.chargebee.com/docs/api/usage_events (36 characters of `deduplication_id`, 50 of
`subscription_id`, `usage_timestamp` in milliseconds and, through the API, of the last 12 hours).
Subscription, moment and `deduplication_id` together tell events apart; a row without one of the
three fails, and the other columns become the event's properties, called in lower case with `_`. The
three are the required ones of `UsageEvent` in Chargebee's own SDK, too. Meter the sum of `amount`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tenantmetrics.report.invoices import units
from tenantmetrics.report.invoices.csv_rows import rows_of, written
from tenantmetrics.report.invoices.records import Form, Record, properties, told

__all__ = ["FORM"]

_COLUMNS = (
    "deduplication_id", "subscription_id", "usage_timestamp",
    "amount", "amount_minor", "currency", "part", "event_name", "month", "status",
)  # fmt: skip


def _write(records: Sequence[Record]) -> str:
    """The file."""
    return written(_COLUMNS, map(_row, records))


def _row(one: Record) -> dict[str, Any]:
    return {
        "deduplication_id": one.identifier,
        "subscription_id": one.customer,
        "usage_timestamp": one.moment_s * 1000,
        "event_name": one.event_name,
        **properties(one),
    }


def _read(text: str) -> Iterator[Record]:
    """The records of such a file, as far as it tells.

    Raises:
        ValueError: It is no such file.
    """
    for row in rows_of(_COLUMNS, text):
        yield Record(
            identifier=row["deduplication_id"],
            customer=row["subscription_id"],
            event_name=row["event_name"],
            moment_s=int(row["usage_timestamp"]) // 1000,
            **told(row),
        )


FORM = Form(
    customer="chargebee_subscription",
    longest_customer=50,
    unit=units.coins,
    write=_write,
    read=_read,
    oldest_hours=12,
    file_name=(
        r"[A-Za-z0-9_-]{1,145}\.csv",
        "letters, digits, _ and -, of less than 150 characters, that ends in .csv",
    ),
)
