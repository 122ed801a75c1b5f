"""One month's statement: usage, the bill or list prices, the division, and the proof."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from tenantmetrics.cost.allocate import Charge, Idle, allocate
from tenantmetrics.cost.bill import Bill
from tenantmetrics.cost.bill import load as load_bill
from tenantmetrics.cost.billed import billed_charges, billed_notes, billed_weights
from tenantmetrics.cost.capacity import Weights
from tenantmetrics.cost.caveats import draft_reasons, idle_words, notes_on, notes_on_time
from tenantmetrics.cost.drivers import Driver
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
from tenantmetrics.cost.of_clusters import account_of, clusters_of_bill
from tenantmetrics.cost.people import consumers, with_facts
from tenantmetrics.cost.period import month_of, parse_month
from tenantmetrics.cost.prices import PriceList, built_in
from tenantmetrics.cost.prices import load as load_prices
from tenantmetrics.cost.request import AllocationRequest
from tenantmetrics.cost.server_time import ServerTime, estimate
from tenantmetrics.cost.sources.dispatch import UsageFolder, last_s, opened
from tenantmetrics.cost.statement import Period, Statement
from tenantmetrics.cost.usage import HourUsage, LedgerUsage, TenantUsage
from tenantmetrics.errors import ReportError

__all__ = ["monthly"]

_MICRO = Decimal("0.000001")
_SMALL = Decimal(100)
"""Below this total a statement of estimates shows millionths: else a small one is all zeros."""

_PathLike = str | os.PathLike[str]


def monthly(request: AllocationRequest | _PathLike, **fields: Any) -> Statement:
    """What each tenant cost in a month: of a real bill, or else at list prices.

    Args:
        request: What to allocate. Given an address instead, `monthly(address, month="2026-11")` is
            `monthly(AllocationRequest(usage=address, month="2026-11"))`.
        **fields: Only with an address: the request's other fields.

    Returns:
        A statement that has passed its own check.

    Raises:
        LedgerError: The ledger is missing, empty, or a file in it cannot be read.
        PriceError: A price is missing, negative or not a number.
        ReportError: The month does not parse or has no data; an input file is wrong; CloudWatch
            cannot be read; server time cannot be found as was asked for.
        UnbalancedError: The lines do not add up.
        MissingExtraError: The engine is not installed.
    """
    if isinstance(request, AllocationRequest):
        if fields:
            raise TypeError("a request has its own fields: use dataclasses.replace")
        return _monthly(request)
    return _monthly(AllocationRequest(usage=request, **fields))


def _monthly(request: AllocationRequest) -> Statement:
    stored = read_storage(request.storage) if request.storage is not None else {}
    facts = read_tenants(request.tenants) if request.tenants is not None else {}
    now_s = time.time() if request.now_s is None else request.now_s
    chosen = request.chosen
    if request.month is not None:
        period = parse_month(request.month, request.timezone)
    else:
        period = month_of(last_s(request.usage), request.timezone)
    known = (request.capacity or Capacity()).of(period, now_s)
    paid = _bill(request, period)
    listed = None if paid is not None else _price_list(request.prices, request.region)
    told = request.bill_filter is not None and bool(request.bill_filter.account)
    with opened(
        request.usage,
        period,
        tenants=facts,
        skip_corrupt=request.skip_corrupt,
        reads_s3=request.engine is not None and request.engine.reads_s3,
        now_s=now_s,
    ) as usage:
        measured = _sum_up(usage, period, known, paid, request)
    if paid is not None and not told:
        _refuse_other_accounts(paid, measured.clusters)
    fixed = [pool for pool, driver in chosen.items() if driver is Driver.FIXED]
    people = consumers(measured.tenants, stored, facts, fixed, measured.server_time)
    requests = sum(person.usage.billed_requests for person in people)
    if listed is None:
        assert paid is not None  # noqa: S101 - one of the two is there; for the type checker
        money = _by_bill(paid, measured, chosen, requests)
    else:
        billable = sum(stored.values()) if request.storage is not None else None
        charges = [
            data_api_charge(requests, listed, chosen),
            *_cluster_charges(listed, measured, known, chosen, period=period, stored=billable),
        ]
        money = _by_list(listed, charges)
    idle = idle_words(known.hourly.used if known.hourly else {})
    charges = [
        replace(charge, detail=charge.detail + idle) if charge.idle_weight else charge
        for charge in money.charges
    ]
    pools, lines = allocate(charges, people, quantum=money.quantum, idle=Idle(request.idle))
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
                {person.tenant for person in people},
                assumed_acu=paid is None and known.is_unknown,
                missing_hours=missing,
            ),
            *notes_on_time(measured.server_time),
        ),
        group_names=names,
        account=paid.account if paid is not None else "",
        left_out=measured.left_out,
        covered=(
            min(hour.first_s for hour in measured.hours.values()),
            max(hour.last_s for hour in measured.hours.values()),
        ),
        server_time=measured.server_time,
    )
    statement.check()
    return statement


def _bill(request: AllocationRequest, period: Period) -> Bill | None:
    if request.bill is None:
        return None
    one = isinstance(request.bill, str | os.PathLike)
    files: Sequence[_PathLike] = [request.bill] if one else request.bill  # type: ignore[list-item, assignment]
    return load_bill(files, period, only=request.bill_filter, amortized=request.amortized)


def _refuse_other_accounts(paid: Bill, clusters: Sequence[str]) -> None:
    """A bill of accounts that no cluster's ARN names is another's."""
    called = {account for arn in clusters if (account := account_of(arn))}
    if called and paid.accounts and not called & paid.accounts:
        raise ReportError(
            f"the bill's Aurora charges are of account {', '.join(sorted(paid.accounts))} and the "
            f"usage is of {', '.join(sorted(called))}: name the bill's account if they belong "
            "together all the same"
        ).about("bill_account")


@dataclass(frozen=True, slots=True)
class _Measured:
    """What the ledger and the capacity say of the period."""

    hours: dict[int, HourUsage]
    tenants: Sequence[TenantUsage]
    clusters: Sequence[str]
    losses: dict[str, int]
    left_out: str
    copies: int
    idle_weights: Mapping[Driver, int]
    acu_hours: Decimal
    capacity_words: str
    notes: tuple[str, ...]
    server_time: ServerTime | None


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
    usage: UsageFolder,
    period: Period,
    capacity: Capacity,
    paid: Bill | None,
    request: AllocationRequest,
) -> _Measured:
    """Hours first, because they decide what a nanosecond weighs."""
    with LedgerUsage(
        usage.folder, period, skip_corrupt=request.skip_corrupt, engine=request.engine
    ) as source:
        hours = source.hours()
        clusters, notes = source.clusters(), list(usage.notes)
        kept = clusters
        if paid is not None:
            kept = clusters_of_bill(clusters, request.bill_filter)
            notes += _of_which(clusters, kept)
        if len(kept) < len(clusters):
            source.keep(kept)
            hours = source.hours()
        weighed: dict[Driver, Weights] = {}
        estimated = None
        wall_ns = {hour: one.duration_ns for hour, one in hours.items()}
        acu_hours, words = Decimal(0), ""
        if request.divides_by(Driver.SERVER_TIME):
            estimated = estimate(
                source.opened, usage.folder, period, hours, request.source, writers=source.writers
            )
            spent_ns = {hour: one.total_ns for hour, one in estimated.hours.items()}
            weights, acu_hours, words = _weights(
                capacity, paid, spent_ns, period, spent_ns.keys() - hours
            )
            weighed[Driver.SERVER_TIME] = weights
        if not weighed or request.divides_by(Driver.WALL_TIME):
            weights, acu_hours, words = _weights(capacity, paid, wall_ns, period)
            weighed[Driver.WALL_TIME] = weights
        by_server = weighed[Driver.SERVER_TIME].factors if estimated else {}
        net = estimated.usage_hours if estimated else frozenset[int]()
        tenants = source.tenants(
            _wall_factors(weighed, hours if net else ()),
            {hour: factor for hour, factor in by_server.items() if hour in net},
        )
        found = None
        if estimated is not None:
            found = ServerTime(
                asked=request.source,
                metered_hours=len(hours),
                tenants=estimated.tenants(by_server, tenants),
                methods=estimated.methods,
                # Load at a time of no known capacity, and of no calls, is on no line.
                unmetered_ns=sum(
                    one.unmetered_ns
                    for hour, one in estimated.hours.items()
                    if hour in hours or by_server.get(hour)
                ),
                unmetered_weight=sum(
                    int(one.unmetered_ns * by_server.get(hour, 0.0))
                    for hour, one in estimated.hours.items()
                ),
                notes=estimated.notes,
            )
        return _Measured(
            hours,
            tenants,
            kept,
            source.losses(),
            "; ".join(filter(None, (usage.left_out, source.describe_left_out()))),
            source.copies,
            {driver: weights.idle for driver, weights in weighed.items()},
            acu_hours,
            words,
            tuple(notes),
            found,
        )


def _of_which(clusters: Sequence[str], kept: Sequence[str]) -> Iterator[str]:
    """What a bill of some clusters means for usage of others."""
    if left := sorted(set(clusters) - set(kept)):
        yield f"Usage of other clusters than the bill's is left out: {', '.join(left)}."
    if len(kept) > 1:
        yield (
            f"The usage is of {len(kept)} clusters, among which the bill is divided as if they "
            f"were one: {', '.join(kept)}. Name one of them for its own bill."
        )


def _wall_factors(weighed: Mapping[Driver, Weights], hours: Iterable[int]) -> dict[int, float]:
    """What wall time weighs by hour; nothing where no pool is divided by it."""
    weights = weighed.get(Driver.WALL_TIME)
    return dict.fromkeys(hours, 0.0) if weights is None else weights.factors


def _weights(
    capacity: Capacity,
    paid: Bill | None,
    spent_ns: Mapping[int, int],
    period: Period,
    quiet: Collection[int] = (),
) -> tuple[Weights, Decimal, str]:
    """What a nanosecond weighs by hour, the ACU-hours, and how they came about in words."""
    if paid is None:
        return compute_weights(capacity, spent_ns, period, quiet)
    weights, words = billed_weights(paid, capacity.hourly, spent_ns, period.hours, quiet)
    return weights, Decimal(0), words


def _price_list(prices: PriceList | _PathLike | None, region: str) -> PriceList:
    if isinstance(prices, PriceList):
        return prices
    return built_in(region) if prices is None else load_prices(prices)


def _by_bill(
    paid: Bill, measured: _Measured, chosen: Mapping[str, Driver], requests: int
) -> _Money:
    notes, draft = billed_notes(paid, requests, measured.hours, measured.clusters)
    charges = billed_charges(paid, chosen, requests, measured.idle_weights, measured.capacity_words)
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
    yield compute_charge(
        known,
        listed,
        measured.acu_hours,
        measured.capacity_words,
        chosen,
        measured.idle_weights,
    )
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
