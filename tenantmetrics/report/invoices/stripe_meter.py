"""Stripe meter events: the CSV that the dashboard and the S3 connector import.

Form: https://docs.stripe.com/billing/subscriptions/usage-based/recording-usage-in-bulk (columns),
https://docs.stripe.com/api/billing/meter-event/create (fields, limits). `payload_value` is the
amount in Stripe's unit, so the meter sums, and its price is one unit each. Stripe refuses events
older than 35 days and names of more than 100 characters, sums negative values ("fix incorrectly
recorded usage data by recording negative quantities", .../usage-based/meters/configure), and knows
an identifier for 24 hours or more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tenantmetrics.report.invoices import units
from tenantmetrics.report.invoices.csv_rows import rows_of, written
from tenantmetrics.report.invoices.records import Form, Record

__all__ = ["FORM"]

_COLUMNS = ("identifier", "timestamp", "event_name", "payload_stripe_customer_id", "payload_value")


def _write(records: Sequence[Record]) -> str:
    """The file."""
    return written(_COLUMNS, map(_row, records))


def _row(one: Record) -> dict[str, Any]:
    return {
        "identifier": one.identifier,
        "timestamp": one.moment_s,
        "event_name": one.event_name,
        "payload_stripe_customer_id": one.customer,
        "payload_value": one.units,
    }


def _read(text: str) -> Iterator[Record]:
    """The records of such a file, as far as it tells.

    Raises:
        ValueError: It is no such file.
    """
    for row in rows_of(_COLUMNS, text):
        yield Record(
            identifier=row["identifier"],
            customer=row["payload_stripe_customer_id"],
            units=int(row["payload_value"]),
            event_name=row["event_name"],
            moment_s=int(row["timestamp"]),
        )


FORM = Form(
    customer="stripe_customer",
    longest_customer=255,
    unit=units.stripe,
    write=_write,
    read=_read,
    oldest_hours=35 * 24,
    longest_event_name=100,
)
