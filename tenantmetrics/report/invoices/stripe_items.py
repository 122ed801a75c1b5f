"""Stripe invoice items: a fixture file, which `stripe fixtures FILE` of the Stripe CLI sends.

Form: https://docs.stripe.com/cli/fixtures and `FixtureRequest` in
https://github.com/stripe/stripe-cli/blob/master/pkg/fixtures/fixtures.go (`idempotency_key`); the
parameters are those of https://docs.stripe.com/api/invoiceitems/create: `amount` in Stripe's unit,
negative for a credit; the item waits for the customer's next invoice. Stripe forgets an idempotency
key after 24 hours at the earliest, so an item also has its identifier in `metadata`.

The CLI evaluates `${...}` in every text, and could be made to send a variable of the environment:
no text of others with that in it is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from tenantmetrics.report.invoices import units
from tenantmetrics.report.invoices.records import Form, Record

__all__ = ["FORM"]

_METADATA_LENGTH = 500
"""https://docs.stripe.com/api/metadata: values have up to 500 characters."""


def _write(records: Sequence[Record]) -> str:
    """The file."""
    requests = [_request(record) for record in records]
    document = {"_meta": {"template_version": 0}, "fixtures": requests}
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _request(one: Record) -> dict[str, Any]:
    return {
        "name": one.identifier,
        "path": "/v1/invoiceitems",
        "method": "post",
        "idempotency_key": one.identifier,
        "params": {
            "customer": one.customer,
            "amount": one.units,
            "currency": one.currency.lower(),
            "description": f"{one.title}, {one.month}",
            "period": {"start": one.start_s, "end": one.end_s - 1},
            "metadata": {
                "tenantmetrics_id": one.identifier,
                "tenant": one.tenant.replace("${", "$ {")[:_METADATA_LENGTH],
                "month": one.month,
                "part": one.part,
                "status": one.status,
            },
        },
    }


def _read(text: str) -> Iterator[Record]:
    """The records of such a file.

    Raises:
        ValueError: It is no such file.
    """
    document = json.loads(text)
    for request in document["fixtures"]:
        params, metadata = request["params"], request["params"]["metadata"]
        currency = params["currency"].upper()
        amount = units.stripe(currency).amount(int(params["amount"]))
        yield Record(
            identifier=metadata["tenantmetrics_id"],
            customer=params["customer"],
            units=int(params["amount"]),
            currency=currency,
            amount=Decimal(amount),
            part=metadata["part"],
            title=params["description"].removesuffix(f", {metadata['month']}"),
            moment_s=params["period"]["end"],
            start_s=params["period"]["start"],
            end_s=params["period"]["end"] + 1,
            month=metadata["month"],
            status=metadata["status"],
            tenant=metadata["tenant"],
        )


FORM = Form(
    customer="stripe_customer",
    longest_customer=255,
    unit=units.stripe,
    write=_write,
    read=_read,
    sums_up=False,
)
