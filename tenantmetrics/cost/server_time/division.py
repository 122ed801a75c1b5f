"""Divide a segment's server time among its tenants: the sums of a query, in; shares, out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tenantmetrics.cost.server_time.common import CommonErrors, Errors, Kept
from tenantmetrics.cost.server_time.sql import BEGIN_GROUP, WORKLESS_GROUP
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

__all__ = ["LEAST_NS", "Cell", "Errors", "Kept", "Known", "Shares", "divided"]

LEAST_NS = 20_000
"""No call that does work takes less of the server: what parsing and planning a look-up takes."""

_MOST_RESTLESS = 4.0
"""A statement whose overhead is larger than others' has a larger spread too, but so many times at
the most: of few calls the overhead is hardly known."""

_WITHOUT_WORK = frozenset({WORKLESS_GROUP, BEGIN_GROUP})


class Cell(NamedTuple):
    """A tenant's calls of a group of statements.

    Attributes:
        tenant: The tenant.
        group: The group.
        calls: How many; weighted, where the rest is.
        rest_ns: Wall time less overhead.
        noise: Its variance, in units of one call's.
        bytes_: Request and response bodies.
        kept: What else these calls have in common.
    """

    tenant: str
    group: int
    calls: float
    rest_ns: float
    noise: float
    bytes_: float = 0.0
    kept: Kept = Kept()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a segment before it is divided.

    Attributes:
        overhead: One call's.
        error_ns: Standard error of its mean.
        total_ns: What all tenants get.
        errors: Standard errors of what else was taken off.
        by_total: The total is the server's own number, and tells the overhead's mean better.
        groups_ns: What a group's tenants get, where the server says it.
        groups_errors: The error of what a group gets, as a part of it, where others run it too.
        tenants_ns: What the server says of a tenant at the least, with the variance of that.
    """

    overhead: Overhead
    error_ns: float
    total_ns: float
    errors: Errors = field(default_factory=Errors)
    by_total: bool = False
    groups_ns: Mapping[int, float] | None = None
    groups_errors: Mapping[int, float] = field(default_factory=dict)
    tenants_ns: Mapping[str, tuple[float, float]] | None = None


class Shares(NamedTuple):
    """What tenants get.

    Attributes:
        tenants: Each tenant's server time.
        error_ns: The standard error that all calls have in common.
        common: Those that some have, in the order of `tenants`.
    """

    tenants: dict[str, Estimated]
    error_ns: float
    common: list[Common]


def divided(cells: Sequence[Cell], known: Known, *, with_errors: bool = True) -> Shares:
    """Divide a segment.

    Args:
        cells: All of the segment.
        known: What else is known.
        with_errors: Whether the errors that several tenants have in common are wanted.
    """
    common = CommonErrors(known.errors, known.overhead.mean_ns)
    apart: dict[int, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.calls > 0:
            apart[cell.group].append(cell)
    groups = {group: _by_tenant(members) for group, members in sorted(apart.items())}
    variance_ns2 = known.overhead.variance_ns2
    apart_ns2 = _apart(groups.get(WORKLESS_GROUP, ()), variance_ns2)
    surplus_ns, error_ns = _surplus(groups, known)
    server: dict[str, float] = defaultdict(float)
    variance: dict[str, float] = defaultdict(float)
    calls: dict[str, float] = defaultdict(float)
    for group, members in groups.items():
        total = None if known.groups_ns is None else known.groups_ns.get(group, 0.0)
        if group in _WITHOUT_WORK:
            shares = _by_calls(members, total or 0.0)
        else:
            restless, own_ns2 = 1.0, apart_ns2
            if total is not None:
                restless = _restless(members, total, known.overhead)
                own_ns2 = max(own_ns2, _long_misfit(members, total, known.overhead) ** 2)
            parts = [
                Part(
                    count,
                    rest_ns - count * surplus_ns,
                    restless * noise * variance_ns2 + count * count * own_ns2,
                )
                for _, _, count, rest_ns, noise, _, _ in members
            ]
            shares = divide(parts, total)
            if with_errors:
                rest = math.fsum(part.rest_ns for part in parts)
                common.add(group, apart[group], rest, total)
                if error := known.groups_errors.get(group):
                    pairs = zip(members, shares, strict=True)
                    common.add_total(group, {of.tenant: one.server_ns for of, one in pairs}, error)
        most = math.inf if total is None else (total / 2) ** 2
        works = group not in _WITHOUT_WORK
        for cell, (server_ns, own) in zip(members, shares, strict=True):
            tenant = cell.tenant
            server[tenant] += server_ns
            variance[tenant] += min(most, own)
            calls[tenant] += cell.calls if works else 0.0
    tenants = _settled(server, variance, calls, known)
    errors = common.of(tenants, calls if known.by_total else None) if with_errors else []
    return Shares(tenants, error_ns, errors)


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


def _surplus(groups: Mapping[int, Sequence[Cell]], known: Known) -> tuple[float, float]:
    """What a call's overhead is more than was thought, so that residues add up to the total."""
    if not known.by_total:
        return 0.0, 0.0 if known.groups_ns is not None else known.error_ns
    work = [cell for group, cells in groups.items() if group not in _WITHOUT_WORK for cell in cells]
    calls = math.fsum(cell.calls for cell in work)
    if not calls:
        return 0.0, 0.0
    rest = math.fsum(cell.rest_ns for cell in work)
    noise = math.fsum(cell.noise for cell in work) * known.overhead.variance_ns2
    return (rest - known.total_ns) / calls, math.sqrt(noise) / calls


def _by_calls(cells: Iterable[Cell], total_ns: float) -> list[Divided]:
    members = list(cells)
    calls = math.fsum(cell.calls for cell in members)
    amounts = [total_ns * cell.calls / calls for cell in members]
    # A BEGIN takes less than a set_config, and who makes more of which is not known.
    return [Divided(amount, amount * amount) for amount in amounts]


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
