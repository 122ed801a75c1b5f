"""What compute cost, hour by hour, and what a nanosecond weighs in each hour.

An hour of the cluster costs the same whether one tenant used it or a hundred did, so its cost is
divided among those who called in that hour; an hour without a call is idle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

__all__ = ["WEIGHT_TOTAL", "Weights", "cost_weights", "even_weights", "flat", "used_of_quiet"]

WEIGHT_TOTAL = 10**15
"""Weights of a period sum to about this: exact in a double, and a cent of a billion is 10."""

SESSIONS_AN_ACU = Decimal("0.25")
"""Sessions that a capacity unit can keep running. A unit is about 2 GiB of memory with the CPU that
provisioned instances have for it (Aurora user guide, "Aurora Serverless v2 capacity"), and those of
class r have 8 GiB a vCPU."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How time is weighed.

    Attributes:
        factors: Weight of a nanosecond, by hour since the epoch.
        idle: Weight of the hours in which capacity ran and nobody called.
    """

    factors: dict[int, float]
    idle: int


def flat(acu: Decimal, first_hour: int, last_hour: int) -> dict[int, Decimal]:
    """The same capacity in every hour, both ends included."""
    return dict.fromkeys(range(first_hour, last_hour + 1), acu)


def cost_weights(
    cost: Mapping[int, Decimal],
    spent_ns: Mapping[int, int],
    used: Mapping[int, Decimal] | None = None,
) -> Weights:
    """Weigh each hour's time by what that hour cost.

    Args:
        cost: What each hour cost, in any unit: dollars, ACU-hours.
        spent_ns: Server time or wall time of all by hour. Hours that cost nothing weigh nothing.
        used: The used part of each hour's capacity, 0 to 1; all of it where it does not say. The
            rest is idle, and so is every hour without a call.
    """
    total = sum((Fraction(amount) for amount in cost.values()), Fraction(0))
    factors = dict.fromkeys(spent_ns, 0.0)
    idle = 0
    for hour, amount in cost.items():
        share = int(Fraction(amount) * WEIGHT_TOTAL / total) if total else 0
        used_ns = spent_ns.get(hour, 0)
        busy = int(share * Fraction((used or {}).get(hour, 1))) if used_ns else 0
        if busy:
            factors[hour] = busy / used_ns
        idle += share - busy
    return Weights(factors, idle)


def used_of_quiet(
    quiet: Iterable[int],
    spent_ns: Mapping[int, int],
    acu_hours: Mapping[int, Decimal],
    used: Mapping[int, Decimal],
) -> dict[int, Decimal]:
    """The used part of each hour's capacity, with hours that had load and no metered call.

    Somebody used such an hour, but not all of it as those do who call: it counts with its measured
    part, else with its load by what the capacity can keep running. Where that is not known either,
    the busiest hour of the period is full, and a session at the least.

    Args:
        quiet: The hours.
        spent_ns: Server time of all hours.
        acu_hours: Capacity by hour, where it is known.
        used: The used part by hour, 0 to 1, where it is measured.
    """
    busiest_ns = max(3600 * 10**9, *spent_ns.values()) if spent_ns else 3600 * 10**9
    found = dict(used)
    for hour in quiet:
        if hour in found:
            continue
        full_ns = acu_hours.get(hour, Decimal(0)) * SESSIONS_AN_ACU * 3600 * 10**9
        found[hour] = min(Decimal(1), Decimal(spent_ns[hour]) / (full_ns or busiest_ns))
    return found


def even_weights(spent_ns: Mapping[int, int]) -> Weights:
    """Weigh every nanosecond alike: for a bill of which only the total is known."""
    total = sum(spent_ns.values())
    return Weights(dict.fromkeys(spent_ns, WEIGHT_TOTAL / total if total else 0.0), 0)
