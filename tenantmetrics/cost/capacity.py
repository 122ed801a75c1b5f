"""What compute cost, hour by hour, and what a nanosecond weighs in each hour.

An hour of the cluster costs the same whether one tenant used it or a hundred did, so its cost is
divided among those who called in that hour; an hour without a call is idle. So is the part of an
hour that nobody used: what the CPU did not use where that is measured, else what the server's load
left of what the capacity can keep running. Where neither is known, all of the hour counts as used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

__all__ = [
    "SESSIONS_AN_ACU",
    "WEIGHT_TOTAL",
    "IdleBy",
    "Load",
    "Used",
    "Weights",
    "acu_sessions",
    "cost_weights",
    "even_weights",
    "flat",
    "used_parts",
]

WEIGHT_TOTAL = 10**15
"""Weights of a period sum to about this: exact in a double, and a cent of a billion is 10."""

SESSIONS_AN_ACU = Decimal("0.25")
"""Sessions that a capacity unit can keep running. A unit is about 2 GiB of memory with the CPU that
provisioned instances have for it (Aurora user guide, "Aurora Serverless v2 capacity"), and those of
class r have 8 GiB a vCPU."""

_HOUR_NS = 3600 * 10**9


class IdleBy(StrEnum):
    """What says how much of an hour was used."""

    NO_CALLS = "no-calls"
    """Nobody called: nothing of it."""
    CPU = "cpu"
    """The used part of its capacity was measured."""
    LOAD = "load"
    """Server time, by what its capacity can keep running."""
    BUSIEST = "busiest"
    """Server time, by the busiest hour's: what the capacity was is not known."""
    NOTHING = "nothing"
    """All of it counts as used."""


@dataclass(frozen=True, slots=True)
class Load:
    """What was worked in each hour.

    Attributes:
        spent_ns: What is weighed, server time or wall time, by hour since the epoch.
        told: Hours whose server time is known. Of the others it is what clients waited, which says
            nothing of how much of the capacity was used.
        quiet: Hours among those in which nobody called and the server had load.
    """

    spent_ns: Mapping[int, int]
    told: frozenset[int] = frozenset()
    quiet: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Used:
    """The used part of hours, 0 to 1, and what says so; of other hours all is used."""

    parts: Mapping[int, Decimal] = field(default_factory=dict)
    by: Mapping[int, IdleBy] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Weights:
    """How time is weighed.

    Attributes:
        factors: Weight of a nanosecond, by hour since the epoch.
        idle: Weight of the capacity that ran and that nobody used.
        by: How many hours were found idle, or not, by what; empty where no hours are known.
    """

    factors: dict[int, float]
    idle: int
    by: Mapping[IdleBy, int] = field(default_factory=dict)


def flat(acu: Decimal, first_hour: int, last_hour: int) -> dict[int, Decimal]:
    """The same capacity in every hour, both ends included."""
    return dict.fromkeys(range(first_hour, last_hour + 1), acu)


def cost_weights(
    cost: Mapping[int, Decimal], spent_ns: Mapping[int, int], used: Used | None = None
) -> Weights:
    """Weigh each hour's time by what that hour cost.

    Args:
        cost: What each hour cost, in any unit: dollars, ACU-hours.
        spent_ns: Server time or wall time of all by hour. Hours that cost nothing weigh nothing.
        used: The used part of each hour's capacity; all of it where it does not say. The rest is
            idle, and so is every hour without a call.
    """
    used = used or Used()
    total = sum((Fraction(amount) for amount in cost.values()), Fraction(0))
    factors = dict.fromkeys(spent_ns, 0.0)
    idle = 0
    by: Counter[IdleBy] = Counter()
    for hour, amount in cost.items():
        share = int(Fraction(amount) * WEIGHT_TOTAL / total) if total else 0
        spent = spent_ns.get(hour, 0)
        busy = int(share * Fraction(used.parts.get(hour, 1))) if spent else 0
        if busy:
            factors[hour] = busy / spent
        idle += share - busy
        by[used.by.get(hour, IdleBy.NOTHING) if spent else IdleBy.NO_CALLS] += 1
    return Weights(factors, idle, by)


def used_parts(
    load: Load, sessions: Mapping[int, Decimal], measured: Mapping[int, Decimal]
) -> Used:
    """The used part of each hour's capacity, by the best that is known of it.

    That is the measured part, else the hour's load by what its capacity can keep running. Where
    the capacity is not known, the busiest hour of the period is full, and a session at the least.

    Args:
        load: What was worked.
        sessions: What each hour's capacity can keep running, in sessions, where it is known.
        measured: The used part by hour, 0 to 1, where it is measured.
    """
    busiest_ns = max([_HOUR_NS, *(load.spent_ns[hour] for hour in load.told)])
    parts = dict(measured)
    by = dict.fromkeys(measured, IdleBy.CPU)
    for hour in load.told - parts.keys():
        full_ns = sessions.get(hour, Decimal(0)) * _HOUR_NS
        parts[hour] = min(Decimal(1), Decimal(load.spent_ns[hour]) / (full_ns or busiest_ns))
        by[hour] = IdleBy.LOAD if full_ns else IdleBy.BUSIEST
    return Used(parts, by)


def acu_sessions(acu_hours: Mapping[int, Decimal]) -> dict[int, Decimal]:
    """What capacity units can keep running, in sessions, by hour."""
    return {hour: acu * SESSIONS_AN_ACU for hour, acu in acu_hours.items()}


def even_weights(spent_ns: Mapping[int, int]) -> Weights:
    """Weigh every nanosecond alike: for a bill of which only the total is known."""
    total = sum(spent_ns.values())
    return Weights(dict.fromkeys(spent_ns, WEIGHT_TOTAL / total if total else 0.0), 0)
