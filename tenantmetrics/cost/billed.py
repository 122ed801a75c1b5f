"""From a bill to charges: each pool with its driver, and what was billed but never measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from tenantmetrics.arns import region_of
from tenantmetrics.cost.allocate import Charge
from tenantmetrics.cost.bill import Bill
from tenantmetrics.cost.bill.model import Charges, PoolCharge
from tenantmetrics.cost.capacity import (
    Load,
    Weights,
    acu_sessions,
    cost_weights,
    even_weights,
    used_parts,
)
from tenantmetrics.cost.clusters import Part
from tenantmetrics.cost.drivers import Consumer, Driver, driver_of
from tenantmetrics.cost.inputs import HourlyCapacity
from tenantmetrics.cost.list_prices import TITLES

__all__ = ["billed_charges", "billed_notes", "billed_weights", "hours_without_compute"]

_OTHER_SERVICES = "services without a pool"
"""What they are of, in the place of a cluster."""

_SIGNS = ("credits", "taxes")
"""Pools that are parts of other charges' prices."""


def billed_weights(
    bill: Bill,
    hourly: HourlyCapacity | None,
    load: Load,
    within: range,
) -> tuple[Weights, str]:
    """How time is weighed, by the best that is known of the hours.

    Args:
        bill: Its compute by the hour, if it has that.
        hourly: Measured capacity; gives the hours' proportions where the bill does not, and the
            used part of each hour.
        load: What was worked.
        within: The hours of the period.

    Returns:
        The weights, and where the hours come from in words.
    """
    sessions = dict(bill.sessions_by_hour) | acu_sessions(hourly.acu if hourly else {})
    used = used_parts(load, sessions, hourly.used if hourly else {})
    spent_ns = load.spent_ns
    cost = {hour: cost for hour, cost in bill.compute_by_hour.items() if cost > 0}
    if cost:
        return cost_weights(cost, spent_ns, used), "hour by hour as billed"
    if hourly is not None and (acu := {h: a for h, a in hourly.acu.items() if h in within}):
        return cost_weights(acu, spent_ns, used), "hour by hour by measured capacity"
    return even_weights(spent_ns), "over the whole month: the bill is not by the hour"


def billed_charges(  # noqa: PLR0917 - what a part of a bill is divided with
    bill: Bill,
    part: Part,
    drivers: Mapping[str, Driver],
    people: Sequence[Consumer],
    everyone: Sequence[Consumer],
    idle_weights: Mapping[Driver, int],
    words: str,
    idle_words: Mapping[Driver, str],
) -> list[Charge]:
    """A part's pools as charges.

    Args:
        bill: The whole bill.
        part: The part.
        drivers: What pools are divided by, where it is not their default.
        people: Whom the part is divided among.
        everyone: Whom what files say of tenants is of: they know no cluster.
        idle_weights: Weight of the capacity that nobody used, by the drivers that weigh time.
        words: Where the hours come from.
        idle_words: What says how much of them was idle, by the drivers that weigh time.
    """
    requests = sum(person.usage.billed_requests for person in people)
    charges: list[Charge] = []
    for pool, billed in part.charges.pools.items():
        driver = driver_of(pool, drivers)
        # Hours of one machine and of another cannot be added up to a volume, and a credit's
        # quantity is that of what it is given for.
        whole = bill.pools[pool]
        types = sorted(whole.usage_types - {""})
        detail = f"{whole.rows:,} charge{'s' * (whole.rows != 1)}"
        if types:
            more = f" and {len(types) - 3} more" if len(types) > 3 else ""  # noqa: PLR2004
            detail += f" ({', '.join(types[:3])}{more})"
        unmetered = 0
        if driver is Driver.BILLED_REQUESTS:
            unmetered = max(0, round(billed.quantity) - requests)
        time = driver in {Driver.SERVER_TIME, Driver.WALL_TIME} and people
        charge = Charge(
            pool,
            TITLES[pool],
            billed.amount,
            driver,
            detail,
            idle_weight=idle_weights.get(driver, 0),
            unmetered_weight=unmetered,
            quantity=whole.quantity if len(types) == 1 and pool not in _SIGNS else None,
            other=None if billed.other == billed.amount else billed.other,
            listed=billed.listed,
            contracted=billed.contracted,
            invoice=min(whole.invoices) if len(whole.invoices) == 1 else "",
            words="; ".join(filter(None, (words, idle_words.get(driver)))) if time else "",
            people=everyone if driver in {Driver.STORAGE, Driver.FIXED} else people,
            cells=part.cells,
        )
        charges += _by_service(charge, billed)
    return charges


def _by_service(charge: Charge, billed: PoolCharge) -> Iterable[Charge]:
    """What is of services without a pool, apart: credits and taxes of others are none of theirs.

    Their own stay with them.
    """
    if not billed.foreign and not billed.foreign_other:
        return [charge]
    foreign = replace(
        charge,
        amount=billed.foreign,
        other=None if charge.other is None else billed.foreign_other,
        cells=frozenset({_OTHER_SERVICES}),
    )
    rest = replace(
        charge,
        amount=billed.amount - billed.foreign,
        other=None if charge.other is None else billed.other - billed.foreign_other,
        listed=None,
        contracted=None,
    )
    return [rest, foreign]


def hours_without_compute(charges: Charges, hours: Iterable[int]) -> int:
    """In how many hours with calls a bill by the hour has no compute, nor had it paid ahead."""
    by_hour = charges.compute_by_hour
    missing = {hour for hour in hours if by_hour.get(hour, Decimal(0)) <= 0}
    return len(missing - charges.ahead_hours) if by_hour else 0


def billed_notes(
    bill: Bill,
    requests: int,
    lacking: int,
    clusters: Iterable[str],
) -> tuple[list[str], list[str]]:
    """What the bill and the ledger say differently.

    Args:
        bill: The bill.
        requests: Data API requests that the ledger measured.
        lacking: Hours with calls in which the bill has no compute.
        clusters: ARNs of the clusters that were called.

    Returns:
        Notes, and reasons why the statement is a draft.
    """
    notes, draft = list(bill.notes), list(bill.draft)
    if bill.estimated:
        draft.append("AWS says that the bill is estimated")
    api = bill.pools.get("data_api")
    billed = round(api.quantity) if api else 0
    if billed > requests:
        notes.append(
            f"AWS billed {billed:,} Data API requests and the ledger holds {requests:,}: the cost "
            "of the difference is unattributed."
        )
    elif api is None and requests:
        notes.append(
            f"The ledger holds {requests:,} Data API requests and no charge of the bill is known "
            "as the Data API's: it may be among the unclassified."
        )
    elif billed < requests:
        notes.append(
            f"The ledger holds {requests:,} Data API requests and AWS billed {billed:,}: the bill "
            "may be of another cluster, or the setting billed_bytes counts more than AWS does."
        )
    if lacking:
        hours = f"{lacking} hour{'s' * (lacking != 1)}"
        draft.append(f"the bill has no compute for {hours} in which there were calls")
    called = {region for arn in clusters if (region := region_of(arn))}
    if bill.regions and called and not called & bill.regions:
        notes.append(
            f"The bill's Aurora charges are of {', '.join(sorted(bill.regions))} and the usage of "
            f"{', '.join(sorted(called))}: this may be another cluster's bill."
        )
    return notes, draft
