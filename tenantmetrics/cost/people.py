"""Who a bill is divided among, and what is known of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from tenantmetrics.cost.drivers import Consumer, consumer
from tenantmetrics.cost.inputs import TenantFacts
from tenantmetrics.cost.server_time.model import ServerTime
from tenantmetrics.cost.statement import Line, Usage
from tenantmetrics.cost.usage import TenantUsage
from tenantmetrics.records import UNMETERED

__all__ = ["consumers", "with_facts"]


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
