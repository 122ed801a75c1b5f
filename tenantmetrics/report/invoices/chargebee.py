"""Chargebee usage events: the CSV of its usage files.

Form: https://apidocs.chargebee.com/docs/api/usage_files (three columns, then properties) and
https://apidocs.chargebee.com/docs/api/usage_events (36 characters of `deduplication_id`, 50 of
`subscription_id`, `usage_timestamp` in milliseconds and, through the API, of the last 12 hours).
Subscription, moment and `deduplication_id` together tell events apart. Meter the sum of `amount`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from decimal import Decimal

from tenantmetrics.report.invoices import units
from tenantmetrics.report.invoices.records import Form, Record

__all__ = ["FORM"]

_COLUMNS = (
    "deduplication_id", "subscription_id", "usage_timestamp",
    "amount", "amount_minor", "currency", "part", "event_name", "month", "status",
)  # fmt: skip


def _write(records: Sequence[Record]) -> str:
    """The file."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for one in records:
        writer.writerow(
            [
                one.identifier, one.customer, one.moment_s * 1000,
                f"{one.amount:f}", one.units, one.currency, one.part, one.event_name, one.month,
                one.status,
            ]
        )  # fmt: skip
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
            identifier=row["deduplication_id"],
            customer=row["subscription_id"],
            units=int(row["amount_minor"]),
            currency=row["currency"],
            amount=Decimal(row["amount"]),
            part=row["part"],
            event_name=row["event_name"],
            moment_s=int(row["usage_timestamp"]) // 1000,
            month=row["month"],
            status=row["status"],
        )


FORM = Form(
    customer="chargebee_subscription",
    longest_customer=50,
    unit=units.coins,
    write=_write,
    read=_read,
    oldest_days=0.5,
)
