"""Lago events: JSON Lines, each line the body of one `POST /events/batch`.

Form: `EventBatchInput` and `EventInputObject` of https://github.com/getlago/lago-openapi
(`precise_total_amount_cents` is for the dynamic charge model); at most 100 events a request
(https://getlago.com/docs/api-reference/events/batch). Lago refuses a `transaction_id` that it has;
on ClickHouse it writes the same event over itself. Meter the sum of `amount`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tenantmetrics.report.invoices import units
from tenantmetrics.report.invoices.records import Form, Record, properties, told

__all__ = ["FORM"]

_BATCH = 100


def _write(records: Sequence[Record]) -> str:
    """The file."""
    events = [_event(record) for record in records]
    batches = [events[start : start + _BATCH] for start in range(0, len(events), _BATCH)]
    return "".join(json.dumps({"events": batch}, ensure_ascii=False) + "\n" for batch in batches)


def _event(one: Record) -> dict[str, Any]:
    return {
        "transaction_id": one.identifier,
        "external_subscription_id": one.customer,
        "code": one.event_name,
        "timestamp": one.moment_s,
        "precise_total_amount_cents": str(one.units),
        # A whole number is two of the kinds that Lago's schema allows one of.
        "properties": {name: str(value) for name, value in properties(one).items()},
    }


def _read(text: str) -> Iterator[Record]:
    """The records of such a file, as far as it tells.

    Raises:
        ValueError: It is no such file.
    """
    for line in text.splitlines():
        for event in json.loads(line)["events"]:
            yield Record(
                identifier=event["transaction_id"],
                customer=event["external_subscription_id"],
                event_name=event["code"],
                moment_s=int(event["timestamp"]),
                **told(event["properties"]),
            )


FORM = Form(
    customer="lago_subscription", longest_customer=255, unit=units.coins, write=_write, read=_read
)
