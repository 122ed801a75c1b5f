"""OpenMeter events: CloudEvents in the JSON batch format, the body of one `POST /api/v1/events`.

Form: `Event` of https://github.com/openmeterio/openmeter/blob/main/api/openapi.yaml, media type
`application/cloudevents-batch+json`; CloudEvents 1.0, "JSON Batch Format", of
https://github.com/cloudevents/spec. OpenMeter takes an event of the same `id` and `source` once
(https://openmeter.io/docs/concepts/usage-events). Meter the sum of `$.amount`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from tenantmetrics.report.documents import moment
from tenantmetrics.report.invoices import units
from tenantmetrics.report.invoices.records import Form, Record, properties, told

__all__ = ["FORM"]


def _write(records: Sequence[Record]) -> str:
    """The file."""
    events = ",\n ".join(json.dumps(_event(record), ensure_ascii=False) for record in records)
    return f"[\n {events}\n]\n" if events else "[]\n"


def _event(one: Record) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": one.identifier,
        "source": "tenantmetrics",
        "type": one.event_name,
        "subject": one.customer,
        "time": moment(one.moment_s),
        "datacontenttype": "application/json",
        "data": properties(one),
    }


def _read(text: str) -> Iterator[Record]:
    """The records of such a file, as far as it tells.

    Raises:
        ValueError: It is no JSON.
        TypeError: It is no list of events.
    """
    events = json.loads(text)
    if not isinstance(events, list):
        raise TypeError
    for event in events:
        yield Record(
            identifier=event["id"],
            customer=event["subject"],
            event_name=event["type"],
            moment_s=int(datetime.fromisoformat(event["time"]).timestamp()),
            **told(event["data"]),
        )


FORM = Form(
    customer="openmeter_subject", longest_customer=255, unit=units.coins, write=_write, read=_read
)
