"""Who a bill is divided among, and what is known of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from tenantmetrics.cost.drivers import Consumer, consumer
from tenantmetrics.cost.inputs import TenantFacts
from tenantmetrics.cost.server_time.model import ServerTime
from tenantmetrics.cost.statement import Line, LineKind, Usage
from tenantmetrics.cost.usage import TenantUsage
from tenantmetrics.records import UNMETERED

__all__ = ["consumers", "notes_on_facts", "with_all", "with_facts"]


def consumers(
    tenants: Sequence[TenantUsage],
    stored: Mapping[str, int],
    facts: Mapping[str, TenantFacts],
    fixed_pools: Collection[str],
    server: ServerTime | None = None,
) -> list[Consumer]:
    """Everyone who called, stores something or has a fixed share.

    Args:
        tenants: Usage from the ledger.
        stored: Measured bytes by tenant.
        facts: What a file says of tenants.
        fixed_pools: Pools that are divided by fixed shares.
        server: Server time by tenant, where a pool is divided by it.
    """
    used = {tenant.tenant: tenant for tenant in tenants}
    shares = {name for name, fact in facts.items() if fact.share} if fixed_pools else set()
    people = []
    worked = server.tenants if server is not None else {}
    for name in {*used, *stored, *shares, *worked}:
        one = used.get(name, TenantUsage(name, Usage()))
        share = facts[name].share if name in shares else 0
        people.append(
            consumer(
                name,
                one.usage,
                server_weight=worked[name].weight if name in worked else 0,
                wall_weight=one.wall_weight,
                storage_bytes=stored.get(name, 0),
                fixed=dict.fromkeys(fixed_pools, share),
            )
        )
    if server is not None and server.unmetered_weight:
        people.append(consumer(UNMETERED, Usage(), server.unmetered_weight))
    return people


def with_facts(line: Line, facts: Mapping[str, TenantFacts], names: Sequence[str]) -> Line:
    """A line with its groups, in the order of `names`, and its revenue."""
    fact = facts.get(line.tenant)
    if fact is None:
        return replace(line, groups=("",) * len(names)) if names else line
    groups = tuple(fact.groups.get(name, "") for name in names)
    return replace(line, groups=groups, revenue=fact.revenue)


def with_all(lines: Sequence[Line], facts: Mapping[str, TenantFacts]) -> tuple[Line, ...]:
    """Lines, with one for each tenant that pays and did nothing: it has a margin, too."""
    there = {line.tenant for line in lines}
    pools = len(lines[0].amounts) if lines else 0
    more = [
        Line(name, LineKind.TENANT, Usage(), (Decimal(0),) * pools)
        for name, fact in sorted(facts.items())
        if name not in there and fact.revenue
    ]
    if not more:
        return tuple(lines)
    tenants = [line for line in lines if line.kind is LineKind.TENANT]
    rest = [line for line in lines if line.kind is not LineKind.TENANT]
    tenants = sorted([*tenants, *more], key=lambda line: (-line.total, line.tenant))
    return (*tenants, *rest)


def notes_on_facts(
    used: Collection[str], facts: Mapping[str, TenantFacts], fixed_pools: Collection[str]
) -> list[str]:
    """Which rows of the tenants' file are of nobody who used anything, and why that may be.

    Args:
        used: Names of everyone with usage, storage or a share.
        facts: What the file says of tenants.
        fixed_pools: Pools that are divided by fixed shares.
    """
    notes = []
    alone = sorted(name for name in facts if name not in used)
    if alone:
        revenue = sum((facts[name].revenue or Decimal(0) for name in alone), Decimal(0))
        worth = f", with a revenue of {revenue.normalize():f}" if revenue else ""
        notes.append(
            f"{len(alone):,} row{'s' * (len(alone) != 1)} of the tenants' file named nobody with "
            f"usage{worth}: {_some(alone)}."
        )
        alike = {_plain(name): name for name in sorted(used)}
        pairs = [f"{name!r} and {alike[_plain(name)]!r}" for name in alone if _plain(name) in alike]
        if pairs:
            notes.append(
                "Names of the tenants' file differ from those of the usage by case, blanks or "
                f"forms of letters only, and count as two tenants: {_some(pairs)}."
            )
    if any(fact.share for fact in facts.values()) and not fixed_pools:
        notes.append(
            "The shares of the tenants' file are not used: no pool is divided by fixed shares."
        )
    return notes


def _plain(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold()


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""  # noqa: PLR2004
    return ", ".join(names[:10]) + more
