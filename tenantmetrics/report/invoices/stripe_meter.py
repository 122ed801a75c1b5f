"""Stripe meter events: the CSV that the dashboard and the S3 connector import.

Form: https://docs.stripe.com/billing/subscriptions/usage-based/recording-usage-in-bulk (columns),
https://docs.stripe.com/api/billing/meter-event/create (fields, limits). `payload_value` is the
amount in Stripe's unit, so the meter sums, and its price is one unit each. Stripe refuses events
older than 35 days, sums negative values ("fix incorrectly recorded usage data by recording negative
quantities", .../usage-based/meters/configure), and knows an identifier for 24 hours or more.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from tenantmetrics.report.invoices import units
from tenantmetrics.report.invoices.records import Form, Record

__all__ = ["FORM"]

_COLUMNS = ("identifier", "timestamp", "event_name", "payload_stripe_customer_id", "payload_value")


def _write(records: Sequence[Record]) -> str:
    """The file."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for one in records:
        writer.writerow([one.identifier, one.moment_s, one.event_name, one.customer, one.units])
    return out.getvalue()


def _read(text: str) -> Iterator[Record]:
    """The records of such a file, as far as it tells.

    Raises:
        ValueError: It is no such file.
    """
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    if tuple(rows.fieldnames or ()) != _COLUMNS:
        raise ValueError("its columns are others")
    for row in rows:
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
    oldest_days=35,
)
