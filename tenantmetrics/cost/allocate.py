"""Dividing a bill: every pool by its driver, to the smallest coin, with nothing left over.

Shares are computed with whole numbers only and rounded by largest remainder, ties by kind of line
and then by name, so the result is exact and does not depend on the order of the input. What no
driver can justify is not spread over tenants: it stays on a line of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from tenantmetrics.cost.drivers import NOBODY, WORDS, Consumer, Driver, weight_of
from tenantmetrics.cost.known import plus
from tenantmetrics.cost.statement import Line, LineKind, Pool, Usage
from tenantmetrics.records import IDLE, SHARED, UNATTRIBUTED

__all__ = ["Charge", "Idle", "allocate", "apportion", "by_remainder", "split"]


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
        other: The amount with commitments counted the other way; None where it is the same.
        listed: The amount at list prices; None where that is not known.
        contracted: The amount at agreed prices; None where that is not known.
        invoice: Number of the invoice that it is on; "" where there is none, or several.
        words: Where its hours come from.
        people: Whom it is divided among; all if None.
        cells: Names of what it is of, such as clusters: what is divided by the cost of other pools
            is divided by the cost of charges within the same. Of all where it is empty.
    """

    name: str
    title: str
    amount: Decimal
    driver: Driver
    detail: str = ""
    idle_weight: int = 0
    unmetered_weight: int = 0
    quantity: Decimal | None = None
    other: Decimal | None = None
    listed: Decimal | None = None
    contracted: Decimal | None = None
    invoice: str = ""
    words: str = ""
    people: Sequence[Consumer] | None = None
    cells: frozenset[str] = frozenset()


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
    sign = -1 if units < 0 else 1
    return [sign * share for share in by_remainder(abs(units), weights)]


def by_remainder(units: int, weights: Sequence[int]) -> list[int]:
    """Divide whole units by weights of either sign, by largest remainder.

    Args:
        units: What to divide; of negative units, the remainders are of rounding down.
        weights: Their sum is not 0.

    Returns:
        A share for each weight; they sum to `units` exactly.
    """
    total = sum(weights)
    if total < 0:
        total, weights = -total, [-weight for weight in weights]
    shares, remainders = [], []
    for weight in weights:
        share, remainder = divmod(units * weight, total)
        shares.append(share)
        remainders.append(remainder)
    left = units - sum(shares)
    largest_first = sorted(range(len(weights)), key=remainders.__getitem__, reverse=True)
    for index in largest_first[:left]:
        shares[index] += 1
    return shares


def apportion(
    amounts: Sequence[Decimal | Fraction], quantum: Decimal, whole: int | None = None
) -> list[int]:
    """Round amounts to whole quanta so that they sum to their rounded total.

    Args:
        amounts: Exact amounts of either sign.
        quantum: The smallest amount, such as 0.01.
        whole: What they are to sum to, less than one quantum from their exact sum.

    Returns:
        Each amount in quanta, less than one quantum from the exact value.
    """
    exact = [Fraction(amount) / Fraction(quantum) for amount in amounts]
    units = [value.numerator // value.denominator for value in exact]
    left = (round(sum(exact, Fraction(0))) if whole is None else whole) - sum(units)
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
    everyone = _by_key(consumers)
    units_of = _units(charges, [charge.amount for charge in charges], quantum)
    others = [charge.amount if charge.other is None else charge.other for charge in charges]
    others_of = _units(charges, others, quantum)
    has_others = any(charge.other is not None for charge in charges)
    columns: list[dict[_Key, int]] = [{} for _ in charges]
    other_columns = list(columns)
    # What is divided by the cost of the other pools comes after them.
    last = [charge.driver is Driver.PROPORTIONAL for charge in charges]
    for index in sorted(range(len(charges)), key=last.__getitem__):
        charge = charges[index]
        people = everyone if charge.people is None else _by_key(charge.people)
        keys = sorted(people, key=_place)
        if charge.driver is Driver.PROPORTIONAL:
            # Lines that are nobody's bear their part: the tax on idle capacity is idle's.
            direct = [
                column
                for column, other, proportional in zip(columns, charges, last, strict=True)
                if not proportional and (not charge.cells or other.cells <= charge.cells)
            ]
            keys = sorted({*keys, *(key for column in direct for key in column)}, key=_place)
            weights = [max(0, sum(column.get(key, 0) for column in direct)) for key in keys]
        else:
            weights = [weight_of(charge.driver, charge.name, people[key]) for key in keys]
        columns[index] = _divide(charge, units_of[index], keys, weights, idle)
        # One charge, one division: what was billed of it and what it is worth have the same shares.
        same = units_of[index] == others_of[index]
        other_columns[index] = (
            columns[index] if same else _divide(charge, others_of[index], keys, weights, idle)
        )
    pools, sums = _pools(charges, units_of, columns, quantum)
    other_sums: list[dict[_Key, int]] = []
    if has_others:
        worth, other_sums = _pools(charges, others_of, other_columns, quantum)
        pools = tuple(
            replace(pool, other=other.amount) for pool, other in zip(pools, worth, strict=True)
        )
    lines = []
    for key in {*everyone, *(key for column in (*sums, *other_sums) for key in column)}:
        kind, tenant = key
        amounts = tuple(column.get(key, 0) * quantum for column in sums)
        usage = everyone[key].usage if key in everyone else Usage()
        more = tuple(column.get(key, 0) * quantum for column in other_sums)
        lines.append(Line(tenant, kind, usage, amounts, others=more))
    lines.sort(key=lambda line: (_ORDER.index(line.kind), -line.total, line.tenant))
    return pools, tuple(lines)


def _place(key: _Key) -> tuple[int, str]:
    """Where a line stands among those of equal remainders."""
    return _ORDER.index(key[0]), key[1]


def _by_key(consumers: Sequence[Consumer]) -> dict[_Key, Consumer]:
    people: dict[_Key, Consumer] = {(person.kind, person.tenant): person for person in consumers}
    people.setdefault(_UNATTRIBUTED, Consumer(UNATTRIBUTED, LineKind.UNATTRIBUTED, Usage()))
    return people


def _units(charges: Sequence[Charge], of: Sequence[Decimal], quantum: Decimal) -> list[int]:
    """Each charge's amount in quanta: pools are rounded first, then what they are made of."""
    places: dict[str, list[int]] = {}
    for index, charge in enumerate(charges):
        places.setdefault(charge.name, []).append(index)
    amounts = [[of[index] for index in of_pool] for of_pool in places.values()]
    sums = apportion([sum(parts, Decimal(0)) for parts in amounts], quantum)
    units = [0] * len(charges)
    for whole, of_pool, parts in zip(sums, places.values(), amounts, strict=True):
        for index, part in zip(of_pool, apportion(parts, quantum, whole), strict=True):
            units[index] = part
    return units


def _pools(
    charges: Sequence[Charge],
    units_of: Sequence[int],
    columns: Sequence[Mapping[_Key, int]],
    quantum: Decimal,
) -> tuple[tuple[Pool, ...], list[dict[_Key, int]]]:
    """The pools, and what each line has of each: charges of one name are one pool."""
    pools: dict[str, Pool] = {}
    words: dict[str, dict[str, None]] = {}
    sums: dict[str, dict[_Key, int]] = {}
    for charge, units, column in zip(charges, units_of, columns, strict=True):
        known = pools.get(charge.name)
        amount = units * quantum + (known.amount if known else 0)
        driver = WORDS[charge.driver]
        pools[charge.name] = Pool(
            charge.name, charge.title, amount, driver, charge.detail, charge.quantity,
            invoice=charge.invoice,
            listed=plus(known.listed if known else None, charge.listed),
            contracted=plus(known.contracted if known else None, charge.contracted),
        )  # fmt: skip
        if charge.words:
            words.setdefault(charge.name, {})[charge.words] = None
        total = sums.setdefault(charge.name, {})
        for key, share in column.items():
            total[key] = total.get(key, 0) + share
    made = tuple(
        replace(pool, detail="; ".join([pool.detail, *words.get(name, ())]))
        for name, pool in pools.items()
    )
    return made, list(sums.values())


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
