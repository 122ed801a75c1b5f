"""A month's invoices in the form of a billing provider."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from enum import StrEnum
from operator import attrgetter

from tenantmetrics.cost.inputs import TenantFacts
from tenantmetrics.cost.invoicing.price import Invoice, with_rules
from tenantmetrics.cost.invoicing.rules import Rules, WithoutCustomer
from tenantmetrics.cost.statement import Statement
from tenantmetrics.errors import ReportError
from tenantmetrics.report.invoices import chargebee, lago, openmeter, stripe_items, stripe_meter
from tenantmetrics.report.invoices.corrections import corrected
from tenantmetrics.report.invoices.records import Form, Record, identifier, month_of

__all__ = ["FORMS", "Export", "InvoiceFormat", "export", "read_earlier"]


class InvoiceFormat(StrEnum):
    """The forms that there are."""

    STRIPE_METER_EVENTS = "stripe-meter-events"
    STRIPE_INVOICE_ITEMS = "stripe-invoice-items"
    CHARGEBEE_USAGE = "chargebee-usage"
    LAGO_EVENTS = "lago-events"
    OPENMETER_EVENTS = "openmeter-events"


FORMS: Mapping[InvoiceFormat, Form] = {
    InvoiceFormat.STRIPE_METER_EVENTS: stripe_meter.FORM,
    InvoiceFormat.STRIPE_INVOICE_ITEMS: stripe_items.FORM,
    InvoiceFormat.CHARGEBEE_USAGE: chargebee.FORM,
    InvoiceFormat.LAGO_EVENTS: lago.FORM,
    InvoiceFormat.OPENMETER_EVENTS: openmeter.FORM,
}

_NAMED = 10
"""Tenants that a message names; it counts the rest."""

_TEXTS = tuple(field.name for field in fields(Record) if field.type == "str")
"""Fields of a record that must be texts, whatever a file that was changed says."""

_LONGEST_SHOWN = 60
"""Characters of a name that a message shows."""


@dataclass(frozen=True, slots=True)
class Export:
    """A file that is ready to be written.

    Attributes:
        text: What stands in it.
        records: Amounts in it.
        total: Their sum, in the statement's currency.
        notes: What whoever sends it must know, a sentence each.
    """

    text: str
    records: tuple[Record, ...]
    total: Decimal
    notes: tuple[str, ...]


def export(
    kind: InvoiceFormat,
    statement: Statement,
    invoices: Iterable[Invoice],
    rules: Rules,
    facts: Mapping[str, TenantFacts],
    *,
    earlier: Sequence[Record] | None = None,
    moment_s: int | None = None,
) -> Export:
    """The invoices of a month as a provider's file.

    Args:
        kind: Which form.
        statement: The month.
        invoices: What its tenants are charged, in multiples of the provider's smallest amount.
        rules: What they were made by.
        facts: What the tenants' file says, ids at the provider among it.
        earlier: What was sent of the same month before: only the differences are exported.
        moment_s: When the amounts count, seconds since the epoch; the month's last second if None.

    Raises:
        ReportError: A tenant has an amount and no id at the provider, or one that cannot be one;
            the provider does not know the currency, or takes no event name of that length;
            `earlier` is of another month.
    """
    form = FORMS[kind]
    if form.longest_event_name is not None and len(rules.event_name) > form.longest_event_name:
        raise ReportError(
            f"{rules.origin!r}: event_name has {len(rules.event_name):,} characters, and the "
            f"provider takes {form.longest_event_name}"
        )
    unit = form.unit(statement.currency)
    charged = sorted(
        (with_rules(invoice, rules) for invoice in invoices if invoice.export),
        key=attrgetter("tenant"),
    )
    customers = _customers(form, charged, rules, facts)
    status = " ".join(
        (*(("DRAFT",) if statement.draft else ()), *(("ESTIMATE",) if statement.estimate else ()))
    )
    template = Record(
        identifier="",
        customer="",
        units=0,
        moment_s=statement.period.end_s - 1 if moment_s is None else moment_s,
        currency=statement.currency,
        event_name=rules.event_name,
        start_s=statement.period.start_s,
        end_s=statement.period.end_s,
        month=statement.period.label,
        status=status or "FINAL",
    )
    records = [
        replace(
            template,
            customer=customers[invoice.tenant],
            units=unit.of(line.amount),
            amount=line.amount,
            part=line.part,
            title=line.title,
            tenant=invoice.tenant,
        )
        for invoice in charged
        if invoice.tenant in customers
        for line in invoice.lines
    ]

    def name(record: Record, revision: int) -> str:
        return identifier(
            record.month, kind, record.currency, record.tenant, record.customer, record.part,
            record.event_name, revision,
        )  # fmt: skip

    if earlier is None:
        made = [replace(record, identifier=name(record, 1)) for record in records if record.units]
    else:
        made = corrected(records, earlier, name, unit)
    return Export(
        text=form.write(made),
        records=tuple(made),
        total=unit.amount(sum(record.units for record in made)),
        notes=tuple(_notes(form, charged, customers, statement.currency)),
    )


def read_earlier(kind: InvoiceFormat, origin: str, text: str, month: str) -> list[Record]:
    """What a file has that was exported before.

    Args:
        kind: Its form.
        origin: Its name, for messages.
        text: What stands in it.
        month: The month that it must be of.

    Raises:
        ReportError: It is no such file, or of another month.
    """
    try:
        records = list(FORMS[kind].read(text))
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        why = str(error) if isinstance(error, ValueError) else "a field is missing"
        raise ReportError(f"{origin!r} is no export of {kind}: {why}") from None
    for record in records:
        if not all(isinstance(getattr(record, name), str) for name in _TEXTS):
            raise ReportError(f"{origin!r} is no export of {kind}: a field is no text")
        if month_of(record.identifier) != month:
            raise ReportError(f"{origin!r}: {record.identifier!r} is no amount of {month}")
    return records


def _customers(
    form: Form, charged: Sequence[Invoice], rules: Rules, facts: Mapping[str, TenantFacts]
) -> dict[str, str]:
    """The ids of the tenants that have one."""
    found, missing = {}, []
    for invoice in charged:
        tenant = invoice.tenant
        of_file = facts[tenant].customers.get(form.customer) if tenant in facts else None
        of_rules = rules.customers.get(tenant, {}).get(form.customer)
        if of_file and of_rules and of_file != of_rules:
            raise ReportError(
                f"tenant {tenant!r} is {form.customer} {of_file!r} in the tenants' file and "
                f"{of_rules!r} in {rules.origin!r}"
            )
        customer = of_rules or of_file
        if customer:
            found[tenant] = _checked(form, tenant, customer)
        elif any(line.amount for line in invoice.lines):
            missing.append(tenant)
    if missing and rules.without_customer is WithoutCustomer.REFUSE:
        has = "has" if len(missing) == 1 else "have"
        raise ReportError(
            f"{_some(missing)} {has} an amount and no {form.customer}: give it in the tenants' "
            "file or the rules, or say there that it is not exported"
        )
    return found


def _checked(form: Form, tenant: str, customer: str) -> str:
    """An id, as far as it can be one: it must survive every file, and mean nothing to a program."""
    odd = not customer.isprintable() or any(letter.isspace() for letter in customer)
    if odd or customer[0] in "=+-@" or "${" in customer or len(customer) > form.longest_customer:
        raise ReportError(f"{form.customer} {customer!r} of tenant {tenant!r} cannot be an id")
    return customer


def _notes(
    form: Form, charged: Sequence[Invoice], customers: Mapping[str, str], currency: str
) -> Iterable[str]:
    missing = [
        invoice
        for invoice in charged
        if invoice.tenant not in customers and any(line.amount for line in invoice.lines)
    ]
    if missing:
        total = sum((invoice.total for invoice in missing), Decimal(0))
        names = _some([invoice.tenant for invoice in missing])
        yield f"not exported, without {form.customer}: {names}, {total:f} {currency}"
    negative = [
        invoice.tenant for invoice in charged if invoice.total < 0 and invoice.tenant in customers
    ]
    if negative and form.sums_up:
        yield (
            f"{_some(negative)}: the month is a credit, which a meter may take for 0; give a "
            "credit note instead"
        )


def _some(tenants: Sequence[str]) -> str:
    """The first of some tenants, by name."""
    more = f" and {len(tenants) - _NAMED:,} more" if len(tenants) > _NAMED else ""
    names = ", ".join(repr(_short(name)) for name in tenants[:_NAMED])
    return f"tenant{'s' * (len(tenants) > 1)} {names}{more}"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_SHOWN else f"{name[: _LONGEST_SHOWN - 3]}..."
