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


def allocate(parts, *, idle_mode, used):  # noqa: C901, PLR0912 - one page of rules
    """Cents by pool and line; of cells, pool, driver, cents, hours, calls, sums, unmeasured."""
    pools = defaultdict(list)
    for index, part in enumerate(parts):
        pools[part[1]].append(index)
    sums = rounded([sum(parts[i][3] for i in of) for of in pools.values()])
    units = {}
    for whole, of in zip(sums, pools.values(), strict=True):
        units |= dict(zip(of, rounded([parts[i][3] for i in of], whole), strict=True))
    columns = {}
    for index in sorted(units, key=lambda i: parts[i][2] == "proportional"):
        cells, _, driver, _, hours, calls, tenants, unmeasured = parts[index]
        weights, idle = dict.fromkeys(tenants, Fraction(0)), Fraction(0)
        weights["__unattributed__"] = Fraction(unmeasured)
        if driver == "proportional":
            for other, column in columns.items():
                if parts[other][2] != "proportional" and parts[other][0] <= cells:
                    for line, cents in column.items():
                        weights[line] = weights.get(line, 0) + cents
            weights = {line: max(Fraction(0), Fraction(w)) for line, w in weights.items()}
        elif driver == "time":
            found, idle = time_weights(hours, calls, used)
            weights |= found
        elif driver is not None:
            for tenant, sums_of in tenants.items():
                weights[tenant] += sums_of[driver]
        nobody = {"time": "__idle__", "requests": "__unattributed__"}.get(driver, "__shared__")
        if not sum(weights.values()):
            nobody = "__idle__" if idle else nobody
            even = nobody == "__idle__" and idle_mode == "even" and tenants
            columns[index] = divide(
                units[index], dict.fromkeys(tenants, 1) if even else {nobody: 1}
            )
        elif not idle or idle_mode == "weighted":
            columns[index] = divide(units[index], weights)
        elif idle_mode == "separate" or not tenants:
            columns[index] = divide(units[index], weights | {"__idle__": idle})
        else:
            both = divide(units[index], {"a": sum(weights.values()), "b": idle})
            columns[index] = divide(both["a"], weights)
            for tenant, cents in divide(both["b"], dict.fromkeys(tenants, 1)).items():
                columns[index][tenant] += cents
    found = defaultdict(int)
    for index, column in columns.items():
        for line, cents in column.items():
            found[parts[index][1], line] += cents
    return {key: cents for key, cents in found.items() if cents}
