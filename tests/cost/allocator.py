"""The report's division again, from docs/report.md alone and in fractions: no code is shared."""

from collections import Counter, defaultdict
from fractions import Fraction
from itertools import pairwise

ORDER = {"__unattributed__": 1, "__unmetered__": 3, "__idle__": 4, "__shared__": 5}
NOBODY = {"time": "__idle__", "requests": "__unattributed__", "nothing": "unclassified"}
HOUR_NS = 3600 * 10**9


def tiered(quantity, tiers):
    """What a quantity costs, each unit at the price of the tier that it falls in."""
    borders = [0, *(min(quantity, up_to) for up_to, _ in tiers[:-1]), quantity]
    steps = zip(pairwise(borders), tiers, strict=True)
    return sum((above - below) * Fraction(price) for (below, above), (_, price) in steps)


def rounded(amounts, whole=None):
    """Amounts to cents that sum to their rounded sum, by largest remainder."""
    floors = [amount.numerator // amount.denominator for amount in amounts]
    left = (round(sum(amounts)) if whole is None else whole) - sum(floors)
    rest = sorted(range(len(amounts)), key=lambda i: floors[i] - amounts[i])
    return [floor + (index in rest[:left]) for index, floor in enumerate(floors)]


def divide(units, weights):
    """Whole cents by weight; of equal remainders first tenants, then nobody's lines, by name."""
    total, sign = sum(weights.values()), -1 if units < 0 else 1
    lines = sorted(weights, key=lambda line: (ORDER.get(line, 0), line))
    shares = rounded([abs(units) * Fraction(weights[line]) / total for line in lines])
    return {line: sign * cents for line, cents in zip(lines, shares, strict=True)}


def cents_of(parts, side):
    """Each part's cents: pools are rounded first, then the parts of a pool."""
    pools, cents = defaultdict(list), {}
    for index, part in enumerate(parts):
        pools[part.pool].append(index)
    sums = rounded([sum(parts[i].amounts[side] for i in pool) for pool in pools.values()])
    for whole, pool in zip(sums, pools.values(), strict=True):
        cents |= zip(pool, rounded([parts[i].amounts[side] for i in pool], whole), strict=True)
    return cents


def time_weights(part, weights):
    """Each hour's cost among those who worked in it; what nobody used of it is idle."""
    totals, idle = {hour: sum(of.values()) for hour, of in part.spent.items()}, Fraction(0)
    busiest = max([HOUR_NS, *totals.values()])
    # Of a bill that is not by the hour every nanosecond costs the same, and nothing is idle.
    for hour, cost in (part.hours or totals).items():
        spent = totals.get(hour, 0)
        full = part.sessions.get(hour, 0) * HOUR_NS or busiest
        by_load = min(Fraction(1), Fraction(spent) / full) if part.is_server_time else 1
        used = (part.used.get(hour, by_load) if part.hours else 1) if spent else 0
        for line, ns in part.spent.get(hour, {}).items():
            weights[line] = weights.get(line, 0) + Fraction(cost) * used * ns / spent
        idle += Fraction(cost) * (1 - used)
    return idle


def share(part, cents, weights, idle, idle_mode):
    """One part's cents by line."""
    tenants = {tenant: 1 for tenant in part.sums if tenant not in ORDER}
    evenly = idle and idle_mode == "even" and tenants
    if not sum(weights.values()):
        nobody = "__idle__" if idle else NOBODY.get(part.driver, "__shared__")
        return divide(cents, tenants if evenly else {nobody: 1})
    if not evenly:
        apart = {"__idle__": idle} if idle and idle_mode != "weighted" else {}
        return divide(cents, weights | apart)
    both = divide(cents, {"used": sum(weights.values()), "idle": idle})
    used, unused = divide(both["used"], weights), divide(both["idle"], tenants)
    return {line: amount + unused.get(line, 0) for line, amount in used.items()}


def weigh(part, direct):
    """What each line weighs in a part, and what the capacity weighs that nobody used."""
    weights = {tenant: Fraction(of.get(part.driver, 0)) for tenant, of in part.sums.items()}
    weights["__unattributed__"] = Fraction(part.unmeasured)
    idle = time_weights(part, weights) if part.driver == "time" else Fraction(0)
    if part.driver == "proportional":
        for cells, column in direct:
            for line, amount in column.items() if cells <= part.cells else ():
                weights[line] = weights.get(line, 0) + amount
    return {line: max(Fraction(0), weight) for line, weight in weights.items()}, idle


def allocate(parts, idle_mode):
    """Cents by pool and line: as divided, and with commitments counted the other way."""
    sides, direct, found = (cents_of(parts, 0), cents_of(parts, 1)), [], (Counter(), Counter())
    for index, part in sorted(enumerate(parts), key=lambda pair: pair[1].driver == "proportional"):
        weights, idle = weigh(part, direct)
        columns = [share(part, cents[index], weights, idle, idle_mode) for cents in sides]
        if part.driver != "proportional":
            direct.append((part.cells, columns[0]))
        for sums, column in zip(found, columns, strict=True):
            sums.update({(part.pool, line): amount for line, amount in column.items()})
    return tuple({key: amount for key, amount in sums.items() if amount} for sums in found)
