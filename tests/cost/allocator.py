"""The report's division again, from docs/report.md alone and in fractions: no code is shared."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

ORDER = {"__unattributed__": 1, "__idle__": 4, "__shared__": 5}
"""Lines that are nobody's, in the order of the report; tenants come first."""


def place(line):
    """Where a line stands among equals."""
    return (ORDER.get(line, 0), line)


def divide(units, weights):
    """Whole cents by weight."""
    total, sign = sum(weights.values()), -1 if units < 0 else 1
    exact = {line: abs(units) * weight / total for line, weight in weights.items()}
    shares = {line: int(value) for line, value in exact.items()}
    names = sorted(weights, key=lambda line: (-(exact[line] - shares[line]), place(line)))
    for line in names[: abs(units) - sum(shares.values())]:
        shares[line] += 1
    return {line: sign * share for line, share in shares.items()}


def rounded(amounts, whole=None):
    """Amounts to cents that sum to their rounded sum."""
    floors = [amount.numerator // amount.denominator for amount in amounts]
    left = (round(sum(amounts)) if whole is None else whole) - sum(floors)
    rest = sorted(range(len(amounts)), key=lambda i: floors[i] - amounts[i])
    return [floor + (index in rest[:left]) for index, floor in enumerate(floors)]


def time_weights(hours, calls, used):
    """Each hour's cost among those who called in it; without a call, or unused, it is idle."""
    weights, idle = defaultdict(Fraction), Fraction(0)
    if not hours:
        for of_hour in calls.values():
            for tenant, ns in of_hour.items():
                weights[tenant] += ns
        return weights, idle
    for hour, cost in hours.items():
        here = calls.get(hour, {})
        busy = cost * (used.get(hour, 1) if here else 0)
        for tenant, ns in here.items():
            weights[tenant] += busy * ns / sum(here.values())
        idle += cost - busy
    return weights, idle


def column(cents, weights, idle, nobody, tenants, idle_mode):
    """One charge's cents by line."""
    if not sum(weights.values()):
        nobody = "__idle__" if idle else nobody
        even = nobody == "__idle__" and idle_mode == "even" and tenants
        return divide(cents, dict.fromkeys(tenants, 1) if even else {nobody: 1})
    if not idle or idle_mode == "weighted":
        return divide(cents, weights)
    if idle_mode == "separate" or not tenants:
        return divide(cents, weights | {"__idle__": idle})
    both = divide(cents, {"a": sum(weights.values()), "b": idle})
    found = divide(both["a"], weights)
    for tenant, even in divide(both["b"], dict.fromkeys(tenants, 1)).items():
        found[tenant] += even
    return found


def allocate(parts, *, idle_mode, used):  # noqa: C901, PLR0912 - one page of rules
    """Cents by pool and line, as divided and with commitments counted the other way."""
    pools = defaultdict(list)
    for index, part in enumerate(parts):
        pools[part.pool].append(index)
    units = []
    for name in ("cents", "other"):
        exact = [getattr(part, name) for part in parts]
        sums = rounded([sum(exact[i] for i in of) for of in pools.values()])
        units.append({})
        for whole, of in zip(sums, pools.values(), strict=True):
            units[-1] |= dict(zip(of, rounded([exact[i] for i in of], whole), strict=True))
    columns, found = {}, (defaultdict(int), defaultdict(int))
    for index, part in sorted(enumerate(parts), key=lambda pair: pair[1].driver == "proportional"):
        weights, idle = dict.fromkeys(part.sums, Fraction(0)), Fraction(0)
        weights["__unattributed__"] = Fraction(part.unmeasured)
        if part.driver == "proportional":
            for other, cells in columns.items():
                if parts[other].driver != "proportional" and parts[other].cells <= part.cells:
                    for line, cents in cells.items():
                        weights[line] = weights.get(line, 0) + cents
            weights = {line: max(Fraction(0), Fraction(w)) for line, w in weights.items()}
        elif part.driver == "time":
            times, idle = time_weights(part.hours, part.calls, used)
            weights |= times
        else:
            for tenant, sums_of in part.sums.items():
                weights[tenant] += sums_of[part.driver]
        nobody = {"time": "__idle__", "requests": "__unattributed__"}
        more = (weights, idle, nobody.get(part.driver, "__shared__"), part.sums, idle_mode)
        columns[index] = column(units[0][index], *more)
        for sums, cells in zip(
            found, (columns[index], column(units[1][index], *more)), strict=True
        ):
            for line, cents in cells.items():
                sums[part.pool, line] += cents
    return tuple({key: cents for key, cents in sums.items() if cents} for sums in found)
