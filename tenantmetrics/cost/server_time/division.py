"""Divide a segment's server time among its tenants: the sums of a query, in; shares, out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tenantmetrics.cost.server_time.sql import BEGIN_GROUP, WORKLESS_GROUP
from tenantmetrics.servertime import Divided, Estimated, Part, divide
from tenantmetrics.servertime.overhead import between

__all__ = ["LEAST_NS", "Cell", "Known", "divided"]

LEAST_NS = 20_000
"""No call that does work takes less of the server: what parsing and planning a look-up takes."""


_WITHOUT_WORK = frozenset({WORKLESS_GROUP, BEGIN_GROUP})


class Cell(NamedTuple):
    """A tenant's calls of a group of statements.

    Attributes:
        tenant: The tenant.
        group: The group.
        calls: How many; weighted, where the rest is.
        rest_ns: Wall time less overhead.
        noise: Its variance, in units of one call's.
    """

    tenant: str
    group: int
    calls: float
    rest_ns: float
    noise: float


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a segment before it is divided.

    Attributes:
        variance_ns2: Variance of one call's overhead.
        error_ns: Standard error of its mean.
        by_total: The total is the server's own number, and tells the overhead's mean better.
        total_ns: What all tenants get.
        groups_ns: What a group's tenants get, where the server says it.
        tenants_ns: What the server says of a tenant at the least, with the variance of that.
    """

    variance_ns2: float
    error_ns: float
    total_ns: float
    by_total: bool = False
    groups_ns: Mapping[int, float] | None = None
    tenants_ns: Mapping[str, tuple[float, float]] | None = None


def divided(cells: Sequence[Cell], known: Known) -> tuple[dict[str, Estimated], float]:
    """Each tenant's server time, and the standard error that all have in common.

    Args:
        cells: All of the segment.
        known: What else is known.
    """
    groups: dict[int, list[Cell]] = defaultdict(list)
    for cell in sorted(cells):
        if cell.calls > 0:
            groups[cell.group].append(cell)
    apart_ns2 = _apart(groups.get(WORKLESS_GROUP, ()), known.variance_ns2)
    surplus_ns, error_ns = _surplus(groups, known)
    server: dict[str, float] = defaultdict(float)
    variance: dict[str, float] = defaultdict(float)
    calls: dict[str, float] = defaultdict(float)
    for group, members in sorted(groups.items()):
        total = None if known.groups_ns is None else known.groups_ns.get(group, 0.0)
        if group in _WITHOUT_WORK:
            shares = _by_calls(members, total or 0.0)
        else:
            parts = [
                Part(
                    cell.calls,
                    cell.rest_ns - cell.calls * surplus_ns,
                    cell.noise * known.variance_ns2 + cell.calls * cell.calls * apart_ns2,
                )
                for cell in members
            ]
            shares = divide(parts, total)
        for cell, share in zip(members, shares, strict=True):
            server[cell.tenant] += share.server_ns
            most = math.inf if total is None else (total / 2) ** 2
            variance[cell.tenant] += min(most, share.variance_ns2)
            calls[cell.tenant] += 0.0 if group in _WITHOUT_WORK else cell.calls
    return _settled(server, variance, calls, known), error_ns


def _apart(cells: Sequence[Cell], variance_ns2: float) -> float:
    """The variance between the tenants' own mean overheads: 0 if they differ by chance alone."""
    calls = math.fsum(cell.calls for cell in cells)
    if not calls:
        return 0.0
    center = math.fsum(cell.rest_ns for cell in cells) / calls
    means = [
        (cell.rest_ns / cell.calls, cell.noise * variance_ns2 / cell.calls**2) for cell in cells
    ]
    return between(means, center)


def _surplus(groups: Mapping[int, Sequence[Cell]], known: Known) -> tuple[float, float]:
    """What a call's overhead is more than was thought, so that residues add up to the total."""
    if not known.by_total:
        return 0.0, 0.0 if known.groups_ns is not None else known.error_ns
    work = [cell for group, cells in groups.items() if group not in _WITHOUT_WORK for cell in cells]
    calls = math.fsum(cell.calls for cell in work)
    if not calls:
        return 0.0, 0.0
    rest = math.fsum(cell.rest_ns for cell in work)
    noise = math.fsum(cell.noise for cell in work) * known.variance_ns2
    return (rest - known.total_ns) / calls, math.sqrt(noise) / calls


def _by_calls(cells: Sequence[Cell], total_ns: float) -> list[Divided]:
    calls = math.fsum(cell.calls for cell in cells)
    return [Divided(total_ns * cell.calls / calls, 0.0) for cell in cells]


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
            0.0 if said else calls.get(tenant, 0.0),
        )
    return found
