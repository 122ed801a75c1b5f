"""Where one architecture becomes cheaper than another.

Only what is asked for varies: the number of Data API requests, of I/O requests, or the average
capacity; all else stays as the month had it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tenantmetrics.cost.alternatives import MILLION, Cluster, Setup, Workload, accesses, clusters
from tenantmetrics.cost.prices import TIERED, PriceList

__all__ = ["BreakEven", "break_evens", "requests_for"]


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Where two architectures cost the same.

    Attributes:
        question: What is asked, in words that the value ends.
        value: The answer; None where one side is the cheaper one at any value.
        unit: What it counts.
        always: Which side that is, if so.
    """

    question: str
    value: Decimal | None
    unit: str
    always: str = ""


def requests_for(prices: PriceList, amount: Decimal) -> Decimal | None:
    """How many Data API requests a month an amount buys; None where they cost nothing.

    Args:
        prices: The tiers.
        amount: Money, 0 or more.
    """
    below, left = 0, amount
    for tier in prices.tiers["data_api_million"]:
        each = tier.price / TIERED["data_api_million"]
        if each and (tier.up_to is None or left <= (tier.up_to - below) * each):
            return below + left / each
        if tier.up_to is None:
            break
        left -= (tier.up_to - below) * each
        below = tier.up_to
    return None


def break_evens(workload: Workload, setup: Setup, prices: PriceList) -> list[BreakEven]:
    """Where the month's architecture costs as much as another, by requests, I/O and capacity.

    Raises:
        PriceError: The list lacks a price.
    """
    every = clusters(workload, setup, prices)
    serverless, serverless_io, made, made_io = every
    api, nat = accesses(workload, setup, prices)
    today = serverless_io if workload.io_optimized else serverless
    found = []
    for other in (today, *(cluster for cluster in every if cluster.provisioned)):
        where = "on the same cluster" if other is today else f"on {other.name}"
        left = other.total + nat.fixed - today.total - api.fixed
        value = requests_for(prices, left) if left >= 0 else None
        found.append(
            BreakEven(
                f"The Data API on {today.name} costs as much as {nat.name} {where} at",
                value,
                "requests a month",
                "" if value is not None else nat.name if left < 0 else "the Data API",
            )
        )
    for standard, optimized in ((serverless, serverless_io), (made, made_io)):
        premium = optimized.compute + optimized.storage - standard.compute - standard.storage
        found.append(_io_break_even(standard, premium, prices))
    found += _capacity_break_evens((serverless, serverless_io), (made, made_io), workload, prices)
    return found


def _io_break_even(standard: Cluster, premium: Decimal, prices: PriceList) -> BreakEven:
    price = prices.price("io_million")
    kind = standard.name.removesuffix(", standard")
    value = premium * MILLION / price if price and premium >= 0 else None
    always = "" if value is not None else "standard" if premium >= 0 else "I/O-Optimized"
    return BreakEven(
        f"{kind}: I/O-Optimized costs as much as standard at", value, "I/O requests a month", always
    )


def _capacity_break_evens(
    serverless: Sequence[Cluster], made: Sequence[Cluster], workload: Workload, prices: PriceList
) -> list[BreakEven]:
    found = []
    for one, other in zip(serverless, made, strict=True):
        price = prices.price("acu_hour_io_optimized" if one.io_optimized else "acu_hour")
        found.append(
            BreakEven(
                f"{one.name} costs as much as {other.name} at",
                other.compute / price / workload.hours if price else None,
                "ACU on average",
                "" if price else one.name,
            )
        )
    return found
