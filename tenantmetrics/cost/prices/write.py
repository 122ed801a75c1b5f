"""A price list as the TOML that `load` reads."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tenantmetrics.cost.prices import PriceList, Tier

__all__ = ["changes", "dumps"]

SOURCE = "https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/price-changes.html"


def dumps(prices: PriceList, kept: Sequence[str] = ()) -> str:
    """A price list as TOML.

    Args:
        prices: The list.
        kept: Entries that come from another file, which a comment says.
    """
    lines = [
        "# List prices from the AWS Price List API: no discounts, credits or taxes in them.",
        f"region = {json.dumps(prices.region)}",
        f"currency = {json.dumps(prices.currency)}",
        f"dated = {prices.dated.isoformat()}",
        f"sources = [{json.dumps(SOURCE)}]",
        "",
        "[prices]",
    ]
    for name, amount in prices.flat.items():
        lines.append(f"{name} = {amount:f}" + _note(name, kept))
    for name, tiers in prices.tiers.items():
        lines.append(f"{name} = [{_note(name, kept)}")
        lines += [f"  {{ {_tier(tier)} }}," for tier in tiers]
        lines.append("]")
    if prices.instances:
        lines += ["", "[instances]"]
    for name, one in prices.instances.items():
        lines.append(
            f"{json.dumps(name)} = {{ memory_gib = {one.memory_gib:f}, hour = {one.hour:f}, "
            f"hour_io_optimized = {one.hour_io_optimized:f} }}"
        )
    return "\n".join(lines) + "\n"


def changes(old: PriceList, new: PriceList) -> list[str]:
    """What differs, an entry a line: "acu_hour: 0.12 to 0.13"."""
    before, after = _flat(old), _flat(new)
    return [
        f"{name}: {before.get(name, 'none')} to {after.get(name, 'none')}"
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]


def _flat(prices: PriceList) -> dict[str, str]:
    texts = {name: f"{amount.normalize():f}" for name, amount in prices.flat.items()}
    for name, tiers in prices.tiers.items():
        texts[name] = " then ".join(f"{tier.price.normalize():f}" for tier in tiers)
    for name, one in prices.instances.items():
        texts[name] = f"{one.hour.normalize():f}, {one.hour_io_optimized.normalize():f}"
    return texts


def _tier(tier: Tier) -> str:
    up_to = "" if tier.up_to is None else f"up_to = {tier.up_to}, "
    return f"{up_to}price = {tier.price:f}"


def _note(name: str, kept: Sequence[str]) -> str:
    return "  # not AWS's answer: kept from the base file" if name in kept else ""
