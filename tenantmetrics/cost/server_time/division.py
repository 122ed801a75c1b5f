"""Divide a segment's server time among its tenants: the sums of a query, in; shares, out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tenantmetrics.cost.server_time.common import CommonErrors
from tenantmetrics.cost.server_time.known import LEAST_NS, WITHOUT_WORK, Cell, Known
from tenantmetrics.cost.server_time.sql_words import FAILED_GROUP, WORKLESS_GROUP
from tenantmetrics.cost.server_time.totals import UNTOLD, group_totals, work_of
from tenantmetrics.servertime import (
    MISFIT,
    Common,
    Divided,
    Estimated,
    Overhead,
    Part,
    between,
    divide,
)
from tenantmetrics.servertime.load import Z

__all__ = ["Shares", "divided"]

_MOST_RESTLESS = 4.0
"""A statement whose overhead is larger than others' has a larger spread too, but so many times at
the most: of few calls the overhead is hardly known."""


class Shares(NamedTuple):
    """What tenants get.

    Attributes:
        tenants: Each tenant's server time.
        common: Errors that several have in common, in the order of `tenants`.
    """

    tenants: dict[str, Estimated]
    common: list[Common]


def divided(cells: Sequence[Cell], known: Known, *, with_errors: bool = True) -> Shares:
    """Divide a segment.

    Args:
        cells: All of the segment.
        known: What else is known.
        with_errors: Whether the errors that several tenants have in common are wanted.
    """
    common = CommonErrors(known.errors, known.overhead.error_ns)
    apart: dict[int, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.calls > 0:
            apart[cell.group].append(cell)
    groups = {group: _by_tenant(members) for group, members in sorted(apart.items())}
    apart_ns2 = _apart(groups.get(WORKLESS_GROUP, ()), known.overhead.variance_ns2)
    totals, parts_of = group_totals(groups, known)
    said = known.groups_ns is not None
    server: dict[str, float] = defaultdict(float)
    variance: dict[str, float] = defaultdict(float)
    calls: dict[str, float] = defaultdict(float)
    taken: dict[str, float] = defaultdict(float)
    for group, members in groups.items():
        total = totals[group]
        works = group not in WITHOUT_WORK
        shares = _of_group(group, members, total, known, apart_ns2)
        if works and with_errors:
            common.add(group, apart[group], total, None if said else work_of(group, known))
            if error := known.groups_errors.get(group):
                pairs = zip(members, shares, strict=True)
                common.add_total(group, {of.tenant: share.server_ns for of, share in pairs}, error)
            part = parts_of.get(group, 0.0) / math.fsum(cell.calls for cell in members)
            for cell in members if part else ():
                taken[cell.tenant] += part * cell.calls
        most = (total / 2) ** 2 if said and group != FAILED_GROUP else math.inf
        for cell, (server_ns, own) in zip(members, shares, strict=True):
            tenant = cell.tenant
            server[tenant] += server_ns
            variance[tenant] += min(most, own)
            calls[tenant] += cell.calls if works else 0.0
    tenants = _settled(server, variance, calls, known)
    if not with_errors:
        return Shares(tenants, [])
    if known.by_total:
        common.add_untold(taken, UNTOLD * known.total_ns)
    return Shares(tenants, common.of(tenants, taken))


def _by_tenant(cells: list[Cell]) -> list[Cell]:
    """A group's cells, one a tenant; puts those given in order where that matters."""
    if len({cell.tenant for cell in cells}) == len(cells):
        return cells
    # Sums of doubles hang on their order, and rows come in any.
    cells.sort()
    found: dict[str, Cell] = {}
    for cell in cells:
        known = found.get(cell.tenant)
        if known is not None:
            cell = known._replace(  # noqa: PLW2901 - the sum so far
                calls=known.calls + cell.calls,
                rest_ns=known.rest_ns + cell.rest_ns,
                noise=known.noise + cell.noise,
            )
        found[cell.tenant] = cell
    return list(found.values())


def _of_group(
    group: int, members: Sequence[Cell], total_ns: float, known: Known, apart_ns2: float
) -> list[Divided]:
    """What each tenant gets of a group."""
    if group == FAILED_GROUP and known.groups_ns is not None:
        return _untold(members, known.overhead.variance_ns2)
    if group in WITHOUT_WORK:
        return _by_calls(members, total_ns)
    return _shares(members, total_ns, known, apart_ns2)


def _shares(
    members: Sequence[Cell], total_ns: float, known: Known, apart_ns2: float
) -> list[Divided]:
    """What each tenant gets of a group of statements that do work."""
    variance_ns2 = known.overhead.variance_ns2 * _restless(members, total_ns, known.overhead)
    own_ns2 = max(apart_ns2, _long_misfit(members, total_ns, known.overhead) ** 2)
    # Whose calls failed is not known, and each may have waited for as long as the others, or more.
    failing = known.groups_failing.get(members[0].group)
    failing_ns2 = failing * _mean_rest(members) ** 2 if failing else 0.0
    parts = [
        Part(count, rest_ns, noise * (variance_ns2 + failing_ns2) + count * count * own_ns2)
        for _, _, count, rest_ns, noise, _, _ in members
    ]
    return divide(parts, total_ns)


def _mean_rest(cells: Sequence[Cell]) -> float:
    return math.fsum(cell.rest_ns for cell in cells) / math.fsum(cell.calls for cell in cells)


def _apart(cells: Iterable[Cell], variance_ns2: float) -> float:
    """The variance between the tenants' own mean overheads: 0 if they differ by chance alone."""
    members = list(cells)
    calls = math.fsum(cell.calls for cell in members)
    if not calls:
        return 0.0
    center = math.fsum(cell.rest_ns for cell in members) / calls
    means = [
        (cell.rest_ns / cell.calls, cell.noise * variance_ns2 / cell.calls**2) for cell in members
    ]
    return between(means, center)


def _restless(cells: Iterable[Cell], total_ns: float, overhead: Overhead) -> float:
    """How many times the usual the variance of a group's overhead is.

    Long statements meet more of what keeps a machine busy. Their mean overhead tells by how much,
    and its deviation grows with it, as that of a log-normal one does.
    """
    members = list(cells)
    calls = math.fsum(cell.calls for cell in members)
    if not calls or overhead.mean_ns <= 0:
        return 1.0
    more = (math.fsum(cell.rest_ns for cell in members) - total_ns) / calls
    return min(_MOST_RESTLESS, max(1.0, 1 + more / overhead.mean_ns) ** 2)


def _long_misfit(cells: Iterable[Cell], total_ns: float, overhead: Overhead) -> float:
    """How far a tenant's mean overhead may be from the group's, nanoseconds a call.

    Who runs long statements meets its own: they come together, and small tenants' are done sooner.
    """
    calls = math.fsum(cell.calls for cell in cells)
    if not calls or overhead.mean_ns <= 0:
        return 0.0
    return MISFIT * overhead.mean_ns * min(1.0, total_ns / calls / overhead.mean_ns)


def _by_calls(cells: Iterable[Cell], total_ns: float) -> list[Divided]:
    members = list(cells)
    calls = math.fsum(cell.calls for cell in members)
    amounts = [total_ns * cell.calls / calls for cell in members]
    # A BEGIN takes less than a set_config, and who makes more of which is not known.
    return [Divided(amount, amount * amount) for amount in amounts]


def _untold(cells: Iterable[Cell], variance_ns2: float) -> list[Divided]:
    """Of calls that the server's account leaves out: nothing, and what they may have worked."""
    found = []
    for cell in cells:
        beyond_ns = cell.rest_ns - Z * math.sqrt(cell.noise * variance_ns2)
        found.append(Divided(0.0, max(cell.calls * LEAST_NS, beyond_ns) ** 2))
    return found


def _settled(
    server: Mapping[str, float],
    variance: Mapping[str, float],
    calls: Mapping[str, float],
    known: Known,
) -> dict[str, Estimated]:
    """No tenant below what its calls take at the least, and in sum the total."""
    tenants = known.tenants_ns or {}
    named = math.fsum(ns for ns, _ in tenants.values())
    kept = {
        tenant: max(calls[tenant] * LEAST_NS, ns - tenants.get(tenant, (0.0, 0.0))[0])
        for tenant, ns in server.items()
    }
    if known.groups_ns is not None:
        kept = {tenant: max(0.0, ns) for tenant, ns in server.items()}
    total = math.fsum(kept.values())
    factor = max(0.0, known.total_ns - named) / total if total > 0 else 0.0
    found = {}
    for tenant in sorted(set(server) | set(tenants)):
        said, said_variance = tenants.get(tenant, (0.0, 0.0))
        found[tenant] = Estimated(
            kept.get(tenant, 0.0) * factor + said,
            said_variance if said else variance.get(tenant, 0.0),
        )
    return found
