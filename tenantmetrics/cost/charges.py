"""What is to be divided, a bill's charges or those of list prices, and its smallest amount."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from tenantmetrics.cost.allocate import Charge, Idle, allocate
from tenantmetrics.cost.bill import Bill
from tenantmetrics.cost.billed import billed_charges, billed_notes, hours_without_compute
from tenantmetrics.cost.clusters import Part
from tenantmetrics.cost.drivers import Consumer, Driver
from tenantmetrics.cost.inputs import TenantFacts
from tenantmetrics.cost.list_prices import (
    TITLES,
    Capacity,
    compute_charge,
    data_api_charge,
    io_charge,
    storage_charge,
    volume_bytes,
)
from tenantmetrics.cost.measured import Measured
from tenantmetrics.cost.people import consumers
from tenantmetrics.cost.precision import says_enough, smallest_coin, steps
from tenantmetrics.cost.prices import PriceList
from tenantmetrics.cost.statement import Line, LineKind, Period, Pool

__all__ = ["Files", "Money", "at_list_prices", "divided", "on_bill"]


@dataclass(frozen=True, slots=True)
class Money:
    """What is to be divided, and what a reader must know of it.

    Attributes:
        charges: In the order of a statement.
        currency: ISO 4217 code.
        basis: Where the money comes from, in words.
        notes: What the bill and the usage say differently.
        draft: Why the amounts are not final.
    """

    charges: Sequence[Charge]
    currency: str
    basis: str
    notes: Sequence[str] = ()
    draft: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Files:
    """What files say of tenants, and of no cluster in particular."""

    stored: Mapping[str, int]
    facts: Mapping[str, TenantFacts]
    fixed: Collection[str]

    def of(self, measured: Measured, *, all_clusters: bool) -> list[Consumer]:
        """Who bears a part of the bill."""
        if all_clusters:
            return consumers(
                measured.tenants, self.stored, self.facts, self.fixed, measured.server_time
            )
        return consumers(measured.tenants, {}, {}, (), measured.server_time)


def on_bill(  # noqa: PLR0917 - what a bill is divided with
    paid: Bill,
    measured: Measured,
    parts: Sequence[tuple[Part, Measured]],
    chosen: Mapping[str, Driver],
    everyone: Sequence[Consumer],
    files: Files,
) -> Money:
    """What a bill charges for.

    Args:
        paid: The bill.
        measured: All usage that it is divided by.
        parts: What of it is of which clusters' usage, and that usage.
        chosen: What pools are divided by, where it is not their default.
        everyone: Who bears it; their requests are what the ledger measured.
        files: What else is known of tenants.
    """
    lacking, charges = 0, list[Charge]()
    for part, of_part in parts:
        lacking += hours_without_compute(part.charges, of_part.hours)
        people = files.of(of_part, all_clusters=set(part.clusters) == set(measured.clusters))
        if not part.clusters:
            people = []
        charges += billed_charges(
            paid,
            part,
            chosen,
            people,
            everyone if part.clusters else [],
            of_part.idle_weights,
            of_part.capacity_words,
            of_part.idle_words,
        )
    # In the order of a statement, whatever part a pool stands in first.
    order = list(TITLES)
    charges.sort(key=lambda charge: order.index(charge.name))
    requests = sum(person.usage.billed_requests for person in everyone)
    notes, draft = billed_notes(paid, requests, lacking, measured.clusters)
    return Money(
        charges,
        paid.currency,
        paid.basis,
        [*notes, *measured.bill_notes],
        [*draft, *measured.bill_draft],
    )


def at_list_prices(  # noqa: PLR0917 - what an estimate is made of
    listed: PriceList,
    measured: Measured,
    known: Capacity,
    chosen: Mapping[str, Driver],
    requests: int,
    period: Period,
    stored: int | None,
) -> Money:
    """What the usage costs at list prices.

    Args:
        listed: The price list.
        measured: The usage.
        known: What is known of the cluster's capacity.
        chosen: What pools are divided by, where it is not their default.
        requests: Data API requests that the ledger measured.
        period: The month.
        stored: Bytes that the tenants store; None where they were not measured.
    """
    charges = [
        data_api_charge(requests, listed, chosen),
        *_cluster_charges(listed, measured, known, chosen, period=period, stored=stored),
    ]
    basis = f"list prices of {listed.dated}, {listed.region} ({listed.origin})"
    return Money(charges, listed.currency, basis)


def divided(
    money: Money, people: Sequence[Consumer], idle: Idle, *, estimate: bool
) -> tuple[Decimal, tuple[Pool, ...], tuple[Line, ...]]:
    """Divide the money, and choose what the smallest amount is: `precision` says why.

    Args:
        money: What to divide.
        people: Among whom.
        idle: Who bears idle capacity.
        estimate: Whether no bill stands behind it.

    Returns:
        The smallest amount, the pools and the lines.
    """
    coin = smallest_coin(money.currency)
    in_coins = allocate(money.charges, people, quantum=coin, idle=idle)
    if not estimate:
        return coin, *in_coins
    quantum, found = coin, in_coins
    for quantum in steps(coin):
        if quantum < coin:
            found = allocate(money.charges, people, quantum=quantum, idle=idle)
        amounts = _telling(found[1])
        if says_enough(amounts, quantum):
            return quantum, *found
    # The last is the finest: it may say little, and coins where it says nothing.
    return (quantum, *found) if any(amounts) else (coin, *in_coins)


def _cluster_charges(
    listed: PriceList,
    measured: Measured,
    known: Capacity,
    chosen: Mapping[str, Driver],
    *,
    period: Period,
    stored: int | None,
) -> Iterator[Charge]:
    """Compute, and I/O and storage as far as they are known."""
    charge = compute_charge(
        known,
        listed,
        measured.acu_hours,
        measured.capacity_words,
        chosen,
        measured.idle_weights,
    )
    yield replace(charge, words=measured.idle_words.get(charge.driver, ""))
    hourly = known.hourly
    if hourly is not None and hourly.io_requests and not known.io_optimized:
        yield io_charge(hourly, listed, chosen)
    optimized = known.io_optimized
    if hourly is not None and hourly.volume_bytes:
        size, where = volume_bytes(hourly, period), "of the volume on average"
        yield storage_charge(size, listed, chosen, io_optimized=optimized, where=where)
    elif stored is not None:
        yield storage_charge(stored, listed, chosen, io_optimized=optimized)


def _telling(lines: Sequence[Line]) -> list[Decimal]:
    """What has to say something: tenants' amounts; where there are no tenants, all lines'."""
    tenants = [line for line in lines if line.kind is LineKind.TENANT]
    return [line.total for line in tenants or lines]
