"""One month's statement: usage, the bill or list prices, the division, and the proof."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tenantmetrics.cost.allocate import Idle
from tenantmetrics.cost.bill import Bill
from tenantmetrics.cost.bill import load as load_bill
from tenantmetrics.cost.caveats import draft_reasons, notes_on, notes_on_time
from tenantmetrics.cost.charges import Files, Money, at_list_prices, divided, on_bill
from tenantmetrics.cost.cluster_names import ClusterNames, read_clusters
from tenantmetrics.cost.conversion import Conversion
from tenantmetrics.cost.drivers import Driver, driver_of
from tenantmetrics.cost.inputs import read_storage, read_tenants
from tenantmetrics.cost.list_prices import Capacity
from tenantmetrics.cost.measured import sum_up
from tenantmetrics.cost.outlook import budgets_of, with_outlook
from tenantmetrics.cost.people import notes_on_facts, with_all, with_facts
from tenantmetrics.cost.period import month_of, parse_month
from tenantmetrics.cost.prices import PriceList, built_in
from tenantmetrics.cost.prices import load as load_prices
from tenantmetrics.cost.request import AllocationRequest
from tenantmetrics.cost.sources.dispatch import last_s, opened
from tenantmetrics.cost.statement import Period, Statement

__all__ = ["monthly"]

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
        return _converted(request)
    return _converted(AllocationRequest(usage=request, **fields))


def _converted(request: AllocationRequest) -> Statement:
    """In the currency that is asked for."""
    now_s = time.time() if request.now_s is None else request.now_s
    conversion = Conversion.of(request.currency, request.rates)
    budgets = budgets_of(request)
    return with_outlook(conversion.apply(_monthly(request), now_s), request, budgets, now_s)


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
    names = ClusterNames() if request.clusters is None else read_clusters(request.clusters)
    request = replace(request, bill_filter=names.widened(request.bill_filter))
    paid = _bill(request, period)
    listed = None if paid is not None else _price_list(request.prices, request.region)
    with opened(
        request.usage,
        period,
        tenants=facts,
        skip_corrupt=request.skip_corrupt,
        reads_s3=request.engine is not None and request.engine.reads_s3,
        now_s=now_s,
    ) as usage:
        measured, parts = sum_up(usage, period, known, paid, request, names)
    fixed = [pool for pool, driver in chosen.items() if driver is Driver.FIXED]
    files = Files(stored, facts, fixed)
    people = files.of(measured, all_clusters=True)
    if listed is None:
        assert paid is not None  # noqa: S101 - one of the two is there; for the type checker
        money = on_bill(paid, measured, parts, chosen, people, files)
    else:
        requests = sum(person.usage.billed_requests for person in people)
        billable = sum(stored.values()) if request.storage is not None else None
        money = at_list_prices(listed, measured, known, chosen, requests, period, billable)
    quantum, pools, lines = divided(money, people, Idle(request.idle), estimate=paid is None)
    idle_words = [
        of_part.idle_words.get(driver_of("compute", chosen), "")
        for of_part in ([one for _, one in parts] or [measured])
    ]
    # A bill by the hour needs no capacity, and any bill has its own I/O and storage.
    hourly = None if paid is not None and paid.compute_by_hour else known.hourly
    missing = known.missing_hours(measured.hours) if hourly else 0
    columns = tuple(dict.fromkeys(name for fact in facts.values() for name in fact.groups))
    statement = Statement(
        period=period,
        currency=money.currency,
        quantum=quantum,
        basis=money.basis,
        estimate=paid is None,
        pools=pools,
        lines=tuple(with_facts(line, facts, columns) for line in with_all(lines, facts)),
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
                is_billed=paid is not None,
            ),
            *notes_on_time(measured.server_time),
            *notes_on_facts({person.tenant for person in people}, facts, fixed),
            *_outside(request.capacity, known),
            *_unused_storage(stored, money),
        ),
        group_names=columns,
        account=paid.account if paid is not None else "",
        left_out=measured.left_out,
        covered=(
            min(hour.first_s for hour in measured.hours.values()),
            max(hour.last_s for hour in measured.hours.values()),
        ),
        idle_by="; ".join(dict.fromkeys(filter(None, idle_words))),
        server_time=measured.server_time,
        amortized=paid is not None and request.amortized,
        top_statements=measured.top,
    )
    statement.check()
    return statement


def _outside(given: Capacity | None, known: Capacity) -> Iterator[str]:
    """Hours of a capacity file that are not the month's."""
    if given is None or given.hourly is None or known.hourly is None:
        return
    if count := len(given.hourly.acu.keys() - known.hourly.acu.keys()):
        hours, verb = ("hour", "is") if count == 1 else ("hours", "are")
        yield f"{count:,} {hours} of the capacity's {verb} outside the month and not used."


def _unused_storage(stored: Mapping[str, int], money: Money) -> Iterator[str]:
    """Measured bytes that divide nothing: a tenant that only stores is on no line then."""
    if stored and not any(charge.driver is Driver.STORAGE for charge in money.charges):
        yield "No pool of the month is divided by the measured bytes."


def _bill(request: AllocationRequest, period: Period) -> Bill | None:
    if request.bill is None:
        return None
    one = isinstance(request.bill, str | os.PathLike)
    files: Sequence[_PathLike] = [request.bill] if one else request.bill  # type: ignore[list-item, assignment]
    return load_bill(files, period, only=request.bill_filter, amortized=request.amortized)


def _price_list(prices: PriceList | _PathLike | None, region: str) -> PriceList:
    if isinstance(prices, PriceList):
        return prices
    return built_in(region) if prices is None else load_prices(prices)
