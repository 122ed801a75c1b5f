"""Dividing a bill: every pool by its driver, to the smallest coin, with nothing left over.

Shares are computed with whole numbers only and rounded by largest remainder, ties by name, so the
result is exact and does not depend on the order of the input. What no driver can justify is not
spread over tenants: it stays on a line of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from tenantmetrics.cost.drivers import NOBODY, WORDS, Consumer, Driver, weight_of
from tenantmetrics.cost.statement import Line, LineKind, Pool, Usage
from tenantmetrics.records import IDLE, SHARED, UNATTRIBUTED

__all__ = ["Charge", "Idle", "allocate", "apportion", "split"]


class Idle(StrEnum):
    """Who bears capacity that nobody used."""

    SEPARATE = "separate"
    WEIGHTED = "weighted"
    EVEN = "even"


@dataclass(frozen=True, slots=True)
class Charge:
    """A part of the bill before it is divided.

    Attributes:
        name: Short fixed word.
        title: The same for people.
        amount: Exact; need not be whole coins. Negative for a credit.
        driver: What divides it.
        detail: How the amount came about, in words.
        idle_weight: The part that nobody used, in the measure of the driver's weights; for drivers
            that measure something (time, requests, rows, bytes, calls, storage).
        unmetered_weight: The part that was billed and never measured, in the same measure; it goes
            to `__unattributed__`.
        quantity: How much was bought, in the unit of the price; None where units are mixed.
    """

    name: str
    title: str
    amount: Decimal
    driver: Driver
    detail: str = ""
    idle_weight: int = 0
    unmetered_weight: int = 0
    quantity: Decimal | None = None


_ORDER = list(LineKind)

_Key = tuple[LineKind, str]
_UNATTRIBUTED: _Key = (LineKind.UNATTRIBUTED, UNATTRIBUTED)
_IDLE: _Key = (LineKind.IDLE, IDLE)
_SHARED: _Key = (LineKind.SHARED, SHARED)


def split(units: int, weights: Sequence[int]) -> list[int]:
    """Divide whole units by weight, by largest remainder; equal remainders go to the first.

    Args:
        units: What to divide; may be negative.
        weights: At least one of them positive, none negative.

    Returns:
        A share for each weight; they sum to `units` exactly, and none has the other sign.
    """
    total = sum(weights)
    sign = -1 if units < 0 else 1
    shares = []
    remainders = []
    for weight in weights:
        share, remainder = divmod(abs(units) * weight, total)
        shares.append(share)
        remainders.append(remainder)
    left = abs(units) - sum(shares)
    by_remainder = sorted(range(len(weights)), key=remainders.__getitem__, reverse=True)
    for index in by_remainder[:left]:
        shares[index] += 1
    return [sign * share for share in shares]


def apportion(amounts: Sequence[Decimal], quantum: Decimal) -> list[int]:
    """Round amounts to whole quanta so that they sum to their rounded total.

    Args:
        amounts: Exact amounts of either sign.
        quantum: The smallest amount, such as 0.01.

    Returns:
        Each amount in quanta, less than one quantum from the exact value.
    """
    exact = [Fraction(amount) / Fraction(quantum) for amount in amounts]
    units = [value.numerator // value.denominator for value in exact]
    left = round(sum(exact, Fraction(0))) - sum(units)
    rest = [value - unit for value, unit in zip(exact, units, strict=True)]
    for index in sorted(range(len(rest)), key=rest.__getitem__, reverse=True)[:left]:
        units[index] += 1
    return units


def allocate(
    charges: Sequence[Charge], consumers: Sequence[Consumer], *, quantum: Decimal, idle: Idle
) -> tuple[tuple[Pool, ...], tuple[Line, ...]]:
    """Divide every charge among the consumers.

    Args:
        charges: The parts of the bill.
        consumers: Tenants, and calls that are nobody's; each name once.
        quantum: The smallest amount.
        idle: Who bears idle capacity.

    Returns:
        The pools, and lines whose amounts sum to them exactly: tenants by falling cost, then
        `__unattributed__`, which is always there, and the other lines that are nobody's.

    Raises:
        ReportError: A fixed share is negative.
    """
    people: dict[_Key, Consumer] = {(person.kind, person.tenant): person for person in consumers}
    people.setdefault(_UNATTRIBUTED, Consumer(UNATTRIBUTED, LineKind.UNATTRIBUTED, Usage()))
    keys = sorted(people)
    units_of = apportion([charge.amount for charge in charges], quantum)
    columns: list[dict[_Key, int]] = [{} for _ in charges]
    # What is divided by the cost of the other pools comes after them.
    last = [charge.driver is Driver.PROPORTIONAL for charge in charges]
    for index in sorted(range(len(charges)), key=last.__getitem__):
        charge = charges[index]
        if charge.driver is Driver.PROPORTIONAL:
            # Lines that are nobody's bear their part: the tax on idle capacity is idle's.
            direct = [c for c, proportional in zip(columns, last, strict=True) if not proportional]
            among = sorted({*keys, *(key for column in direct for key in column)})
            weights = [max(0, sum(column.get(key, 0) for column in direct)) for key in among]
        else:
            among = keys
            weights = [weight_of(charge.driver, charge.name, people[key]) for key in keys]
        columns[index] = _divide(charge, units_of[index], among, weights, idle)
    pools = tuple(
        Pool(
            charge.name,
            charge.title,
            units * quantum,
            WORDS[charge.driver],
            charge.detail,
            charge.quantity,
        )
        for charge, units in zip(charges, units_of, strict=True)
    )
    lines = []
    for key in {*keys, *(key for column in columns for key in column)}:
        kind, tenant = key
        amounts = tuple(column.get(key, 0) * quantum for column in columns)
        lines.append(Line(tenant, kind, people[key].usage if key in people else Usage(), amounts))
    lines.sort(key=lambda line: (_ORDER.index(line.kind), -line.total, line.tenant))
    return pools, tuple(lines)


def _divide(
    charge: Charge, units: int, keys: Sequence[_Key], weights: Sequence[int], idle: Idle
) -> dict[_Key, int]:
    """One charge's units by line."""
    tenants = [key for key in keys if key[0] is LineKind.TENANT]
    weights = list(weights)
    weights[keys.index(_UNATTRIBUTED)] += charge.unmetered_weight
    used = sum(weights)
    if not used:
        # Spreading by a weight that is zero for all would make the cost vanish.
        nobody = _IDLE if charge.idle_weight else NOBODY.get(charge.driver, _SHARED)
        if nobody == _IDLE and idle is Idle.EVEN and tenants:
            return _alike(units, tenants)
        return {nobody: units} if units else {}
    if not charge.idle_weight or idle is Idle.WEIGHTED:
        return dict(zip(keys, split(units, weights), strict=True))
    if idle is Idle.SEPARATE or not tenants:
        shares = split(units, [*weights, charge.idle_weight])
        return dict(zip([*keys, _IDLE], shares, strict=True))
    busy, unused = split(units, [used, charge.idle_weight])
    result = dict(zip(keys, split(busy, weights), strict=True))
    for key, share in _alike(unused, tenants).items():
        result[key] += share
    return result


def _alike(units: int, tenants: Sequence[_Key]) -> dict[_Key, int]:
    return dict(zip(tenants, split(units, [1] * len(tenants)), strict=True))
