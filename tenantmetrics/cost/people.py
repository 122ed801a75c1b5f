"""Who a bill is divided among, and what is known of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from tenantmetrics.cost.drivers import Consumer, consumer
from tenantmetrics.cost.inputs import TenantFacts
from tenantmetrics.cost.usage import TenantUsage
from tenantmetrics.statement import Line, Usage

__all__ = ["consumers", "with_facts"]


def consumers(
    tenants: Sequence[TenantUsage],
    stored: Mapping[str, int],
    facts: Mapping[str, TenantFacts],
    fixed_pools: Collection[str],
) -> list[Consumer]:
    """Everyone who called, stores something or has a fixed share.

    Args:
        tenants: Usage from the ledger.
        stored: Measured bytes by tenant.
        facts: What a file says of tenants.
        fixed_pools: Pools that are divided by fixed shares.
    """
    used = {one.tenant: one for one in tenants}
    shares = {name for name, fact in facts.items() if fact.share} if fixed_pools else set()
    people = []
    for name in {*used, *stored, *shares}:
        one = used.get(name, TenantUsage(name, Usage(), 0))
        share = facts[name].share if name in shares else 0
        fixed = dict.fromkeys(fixed_pools, share)
        people.append(consumer(name, one.usage, one.time_weight, stored.get(name, 0), fixed))
    return people


def with_facts(line: Line, facts: Mapping[str, TenantFacts], names: Sequence[str]) -> Line:
    """A line with its groups, in the order of `names`, and its revenue."""
    fact = facts.get(line.tenant)
    if fact is None:
        return replace(line, groups=("",) * len(names)) if names else line
    groups = tuple(fact.groups.get(name, "") for name in names)
    return replace(line, groups=groups, revenue=fact.revenue)
