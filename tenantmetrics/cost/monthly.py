"""One month's statement: usage, the bill or list prices, the division, and the proof."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tenantmetrics.cost.allocate import Charge, Idle, allocate
from tenantmetrics.cost.bill import Bill, BillFilter
from tenantmetrics.cost.bill import load as load_bill
from tenantmetrics.cost.billed import billed_charges, billed_notes, billed_weights
from tenantmetrics.cost.capacity import Weights
from tenantmetrics.cost.caveats import draft_reasons, notes_on
from tenantmetrics.cost.drivers import Driver
from tenantmetrics.cost.engines import Engine
from tenantmetrics.cost.inputs import read_storage, read_tenants
from tenantmetrics.cost.list_prices import (
    Capacity,
    compute_charge,
    compute_weights,
    data_api_charge,
    io_charge,
    storage_charge,
    volume_bytes,
)
from tenantmetrics.cost.people import consumers, with_facts
from tenantmetrics.cost.period import month_of, parse_month
from tenantmetrics.cost.prices import PriceList, built_in
from tenantmetrics.cost.prices import load as load_prices
from tenantmetrics.cost.sources.dispatch import Usage, last_s, opened
from tenantmetrics.cost.usage import HourUsage, LedgerUsage, TenantUsage
from tenantmetrics.statement import Period, Statement

__all__ = ["monthly"]

_MICRO = Decimal("0.000001")
_SMALL = Decimal(100)
"""Below this total a statement of estimates shows millionths: else a small one is all zeros."""

_PathLike = str | os.PathLike[str]


def monthly(
    ledger: _PathLike,
    *,
    month: str | None = None,
    timezone: str = "UTC",
    prices: PriceList | _PathLike | None = None,
    region: str = "us-east-1",
    capacity: Capacity | None = None,
    storage: _PathLike | None = None,
    tenants: _PathLike | None = None,
    drivers: Mapping[str, Driver | str] | None = None,
    bill: _PathLike | Sequence[_PathLike] | None = None,
    bill_filter: BillFilter | None = None,
    amortized: bool = False,
    idle: Idle | str = Idle.SEPARATE,
    skip_corrupt: bool = False,
    engine: Engine | None = None,
    now_s: float | None = None,
) -> Statement:
    """What each tenant cost in a month: of a real bill, or else at list prices.

    Args:
        ledger: The folder that the ledger exporter writes to, or `s3://bucket/prefix`; or a file
            or folder of exported logs with the EMF exporter's documents; or `cloudwatch:NAMESPACE`.
        month: "2026-11"; the last one in the ledger if None.
        timezone: IANA name of the zone whose midnight are the month's borders.
        prices: A price list, or the path of a price file; the region's list prices if None.
        region: Chooses the built-in prices.
        capacity: What is known of the cluster's capacity; the smallest is assumed if None.
        storage: CSV of measured bytes by tenant (`tenant,bytes`); without it, no storage is billed.
        tenants: CSV of facts by tenant: `revenue`, `share` (for pools divided by `fixed`), groups.
        drivers: What pools are divided by, where it is not their default.
        bill: Files of a bill (CUR, FOCUS, Cost Explorer's JSON), or folders of them; list prices
            if None.
        bill_filter: Which of the bill's charges count.
        amortized: Whether the bill's commitments count when they are used, not when paid.
        idle: Who bears capacity that nobody used.
        skip_corrupt: Go on without ledger files that cannot be read, and say so in the notes.
        engine: What sums the ledger up; DuckDB, in this process, if None.
        now_s: Seconds since the epoch, to tell whether the month is over; the clock's if None.

    Returns:
        A statement that has passed its own check.

    Raises:
        LedgerError: The ledger is missing, empty, or a file in it cannot be read.
        PriceError: A price is missing, negative or not a number.
        ReportError: The month does not parse or has no data; an input file is wrong; CloudWatch
            cannot be read.
        UnbalancedError: The lines do not add up.
        MissingExtraError: The engine is not installed.
    """
    stored = read_storage(storage) if storage is not None else {}
    facts = read_tenants(tenants) if tenants is not None else {}
    known = capacity or Capacity()
    now_s = time.time() if now_s is None else now_s
    chosen = {pool: Driver(driver) for pool, driver in (drivers or {}).items()}
    if month is not None:
        period = parse_month(month, timezone)
    else:
        period = month_of(last_s(ledger), timezone)
    known = known.of(period, now_s)
    paid = None
    if bill is not None:
        files = [bill] if isinstance(bill, str | os.PathLike) else bill
        paid = load_bill(files, period, only=bill_filter, amortized=amortized)
    listed = None if paid is not None else _price_list(prices, region)
    reads_s3 = engine is not None and engine.reads_s3
    with opened(
        ledger,
        period,
        tenants=facts,
        skip_corrupt=skip_corrupt,
        reads_s3=reads_s3,
        now_s=now_s,
    ) as usage:
        measured = _sum_up(usage, period, known, paid, skip_corrupt=skip_corrupt, engine=engine)
    fixed = [pool for pool, driver in chosen.items() if driver is Driver.FIXED]
    people = consumers(measured.tenants, stored, facts, fixed)
    requests = sum(one.usage.billed_requests for one in people)
    if listed is None:
        assert paid is not None  # noqa: S101 - one of the two is there; for the type checker
        money = _by_bill(paid, measured, chosen, requests)
    else:
        billable = sum(stored.values()) if storage is not None else None
        charges = [
            data_api_charge(requests, listed, chosen),
            *_cluster_charges(listed, measured, known, chosen, period=period, stored=billable),
        ]
        money = _by_list(listed, charges)
    pools, lines = allocate(money.charges, people, quantum=money.quantum, idle=Idle(idle))
    # A bill by the hour needs no capacity, and any bill has its own I/O and storage.
    hourly = None if paid is not None and paid.compute_by_hour else known.hourly
    missing = known.missing_hours(measured.hours) if hourly else 0
    names = tuple(dict.fromkeys(name for fact in facts.values() for name in fact.groups))
    statement = Statement(
        period=period,
        currency=money.currency,
        quantum=money.quantum,
        basis=money.basis,
        estimate=paid is None,
        pools=pools,
        lines=tuple(with_facts(line, facts, names) for line in lines),
        draft=(
            *draft_reasons(period, now_s, measured.left_out, missing),
            *(hourly.lacks(capacity_only=paid is not None) if hourly else ()),
            *money.draft,
        ),
        notes=(
            *money.notes,
            *measured.notes,
            *(known.hourly.notes if known.hourly else ()),
            *notes_on(
                measured.left_out,
                measured.copies,
                measured.losses,
                {one.tenant for one in people},
                assumed_acu=paid is None and known.is_unknown,
                missing_hours=missing,
            ),
        ),
        group_names=names,
        account=paid.account if paid is not None else "",
        left_out=measured.left_out,
        covered=(
            min(hour.first_s for hour in measured.hours.values()),
            max(hour.last_s for hour in measured.hours.values()),
        ),
    )
    statement.check()
    return statement


@dataclass(frozen=True, slots=True)
class _Measured:
    """What the ledger and the capacity say of the period."""

    hours: dict[int, HourUsage]
    tenants: Sequence[TenantUsage]
    clusters: Sequence[str]
    losses: dict[str, int]
    left_out: str
    copies: int
    weights: Weights
    acu_hours: Decimal
    capacity_words: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Money:
    """What is to be divided."""

    charges: Sequence[Charge]
    quantum: Decimal
    currency: str
    basis: str
    notes: Sequence[str] = ()
    draft: Sequence[str] = ()


def _sum_up(
    usage: Usage,
    period: Period,
    capacity: Capacity,
    paid: Bill | None,
    *,
    skip_corrupt: bool,
    engine: Engine | None,
) -> _Measured:
    """Hours first, because they decide what database time weighs."""
    with LedgerUsage(usage.folder, period, skip_corrupt=skip_corrupt, engine=engine) as source:
        hours = source.hours()
        acu_hours = Decimal(0)
        if paid is None:
            weights, acu_hours, words = compute_weights(capacity, hours, period)
        else:
            used = {hour: one.duration_ns for hour, one in hours.items()}
            weights, words = billed_weights(paid, capacity.hourly, used, period.hours)
        tenants = source.tenants(weights.factors)
        clusters = source.clusters()
        losses = source.losses()
        return _Measured(
            hours,
            tenants,
            clusters,
            losses,
            "; ".join(filter(None, (usage.left_out, source.describe_left_out()))),
            source.copies,
            weights,
            acu_hours,
            words,
            usage.notes,
        )


def _price_list(prices: PriceList | _PathLike | None, region: str) -> PriceList:
    if isinstance(prices, PriceList):
        return prices
    return built_in(region) if prices is None else load_prices(prices)


def _by_bill(
    paid: Bill, measured: _Measured, chosen: Mapping[str, Driver], requests: int
) -> _Money:
    notes, draft = billed_notes(paid, requests, measured.hours, measured.clusters)
    charges = billed_charges(paid, chosen, requests, measured.weights.idle, measured.capacity_words)
    return _Money(charges, _smallest(paid.currency), paid.currency, paid.basis, notes, draft)


def _cluster_charges(
    listed: PriceList,
    measured: _Measured,
    known: Capacity,
    chosen: Mapping[str, Driver],
    *,
    period: Period,
    stored: int | None,
) -> Iterator[Charge]:
    """Compute, and I/O and storage as far as they are known."""
    compute = (measured.weights, measured.acu_hours, measured.capacity_words)
    yield compute_charge(known, listed, compute, chosen)
    hourly = known.hourly
    if hourly is not None and hourly.io_requests and not known.io_optimized:
        yield io_charge(hourly, listed, chosen)
    optimized = known.io_optimized
    if hourly is not None and hourly.volume_bytes:
        size, where = volume_bytes(hourly, period), "of the volume on average"
        yield storage_charge(size, listed, chosen, io_optimized=optimized, where=where)
    elif stored is not None:
        yield storage_charge(stored, listed, chosen, io_optimized=optimized)


def _by_list(listed: PriceList, charges: Sequence[Charge]) -> _Money:
    total = sum((charge.amount for charge in charges), Decimal(0))
    quantum = _smallest(listed.currency) if total >= _SMALL else _MICRO
    basis = f"list prices of {listed.dated}, {listed.region} ({listed.origin})"
    return _Money(charges, quantum, listed.currency, basis)


def _smallest(currency: str) -> Decimal:
    """The smallest coin of a currency: a cent of a dollar, a whole yen."""
    from babel.numbers import get_currency_precision  # noqa: PLC0415 - an extra, and slow to load

    return Decimal(1).scaleb(-get_currency_precision(currency))
