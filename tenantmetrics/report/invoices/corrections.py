"""A month that is made again after it was exported: what must still be sent.

Providers cannot change what they have: Stripe cancels a meter event for 24 hours only, Lago refuses
an identifier that it knows. So a correction is a file of the differences. An amount of the same
tenant, customer and part has revisions 1, 2, 3, each with an identifier of its own; what was sent
and has no counterpart any more is taken back by a record whose identifier is made of its own.

What all the files hold together is, customer by customer, what the month says now; and a file of
differences to files among which it is itself is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tenantmetrics.errors import ReportError
from tenantmetrics.report.invoices.records import Record, Unit, identifier

__all__ = ["corrected"]


def corrected(
    now: Sequence[Record],
    earlier: Sequence[Record],
    name: Callable[[Record, int], str],
    unit: Unit,
) -> list[Record]:
    """The differences between what is charged now and what was sent.

    Args:
        now: All amounts of the month, without identifiers; those of 0 among them.
        earlier: What was sent.
        name: The identifier of an amount and its revision, counted from 1.
        unit: The provider's.

    Raises:
        ReportError: Two earlier amounts have the same identifier and differ.
    """
    sent: dict[str, Record] = {}
    for record in earlier:
        known = sent.setdefault(record.identifier, record)
        if (known.units, known.customer) != (record.units, record.customer):
            raise ReportError(f"{record.identifier!r} was exported twice, with different amounts")
    made = []
    for record in now:
        revision, units = 1, 0
        while found := sent.pop(name(record, revision), None):
            units += found.units
            revision += 1
        if record.units != units:
            missing = record.units - units
            made.append(
                replace(
                    record,
                    identifier=name(record, revision),
                    units=missing,
                    amount=unit.amount(missing),
                )
            )
    return [*made, *_taken_back(sent, now, unit)]


def _taken_back(sent: dict[str, Record], now: Sequence[Record], unit: Unit) -> list[Record]:
    """What takes back records that stand for nothing any more, as far as none did so before.

    A record, what took it back, what took that back and so on are a chain; its sum must be 0.
    """
    after = {name: identifier(name[:7], "taken back", name) for name in sent}
    made = []
    for name in sorted(sent.keys() - set(after.values())):
        first = last = sent[name]
        units = first.units
        while found := sent.get(after[last.identifier]):
            units += found.units
            last = found
        if units:
            made.append(
                replace(
                    first,
                    identifier=after[last.identifier],
                    units=-units,
                    amount=unit.amount(-units),
                    moment_s=now[0].moment_s if now else first.moment_s,
                )
            )
    return made
