"""What a month would have cost on other architectures, and where one becomes cheaper than another.

Four clusters, each reached through the Data API or through PostgreSQL connections from functions in
a VPC with a NAT gateway. Only the number of Data API requests varies in a break-even; compute,
storage and I/O stay as the month had them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tenantmetrics.cost.prices import TIERED, PriceList
from tenantmetrics.errors import PriceError
from tenantmetrics.statement import Period

__all__ = [
    "PARTS",
    "VOLUMES",
    "Access",
    "Alternative",
    "BreakEven",
    "Cluster",
    "Setup",
    "Workload",
    "alternatives",
    "at_volume",
    "break_evens",
    "clusters",
    "requests_for",
]

GIB_PER_ACU = 2
"""Memory of a capacity unit (Aurora user guide, "Aurora Serverless v2 capacity")."""

MILLION = 1_000_000

VOLUMES = (1 * MILLION, 10 * MILLION, 100 * MILLION, 500 * MILLION, 1000 * MILLION)
"""Requests a month of the table by volume."""

PARTS = ("compute", "storage", "io", "data_api", "secrets", "nat")
"""What an alternative's cost is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a month asked for, whatever it ran on.

    Attributes:
        period: The month.
        requests: Data API requests as AWS meters them.
        acu_hours: Capacity unit hours of the whole month.
        peak_acu: The busiest hour's capacity, or the best that is known of it.
        storage_gb: GB stored.
        io_requests: Storage I/O requests.
        io_optimized: Whether the month ran on I/O-Optimized storage.
        assumptions: What of this is assumed, a sentence each.
    """

    period: Period
    requests: int
    acu_hours: Decimal
    peak_acu: Decimal
    storage_gb: Decimal
    io_requests: Decimal
    io_optimized: bool = False
    assumptions: tuple[str, ...] = ()

    @property
    def hours(self) -> int:
        """Hours of the month."""
        return len(self.period.hours)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What an alternative would be built of.

    Attributes:
        instance: Instance class of a provisioned cluster.
        instances: How many of them.
        nat_gateways: NAT gateways, one an availability zone where each has its own.
        nat_gb: GB a month through them. Not the database's traffic: that stays in the VPC.
        secrets: Secrets that the Data API needs.
    """

    instance: str
    instances: int = 1
    nat_gateways: int = 1
    nat_gb: Decimal = Decimal(0)
    secrets: int = 1


@dataclass(frozen=True, slots=True)
class Cluster:
    """A kind of cluster and what it costs in the month, however it is reached."""

    name: str
    provisioned: bool
    io_optimized: bool
    compute: Decimal
    storage: Decimal
    io: Decimal

    @property
    def total(self) -> Decimal:
        """All three."""
        return self.compute + self.storage + self.io


@dataclass(frozen=True, slots=True)
class Access:
    """A way to the database: what it costs whatever the volume, and whether requests are paid."""

    name: str
    fixed: Decimal
    per_request: bool


@dataclass(frozen=True, slots=True)
class Alternative:
    """One architecture's month.

    Attributes:
        cluster: What it runs on.
        access: How it is reached.
        parts: Amounts by the names in `PARTS`.
        current: Whether this is what the month ran on.
    """

    cluster: str
    access: str
    parts: dict[str, Decimal]
    current: bool

    @property
    def total(self) -> Decimal:
        """The sum of the parts."""
        return sum(self.parts.values(), Decimal(0))


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


def smallest_instance(prices: PriceList, peak_acu: Decimal) -> str:
    """The cheapest instance class with the memory of so many capacity units.

    Raises:
        PriceError: The list has no instances, or none that is large enough.
    """
    fitting = [
        (one.hour, name)
        for name, one in prices.instances.items()
        if one.memory_gib >= peak_acu * GIB_PER_ACU
    ]
    if not fitting:
        raise PriceError(
            f"{prices.origin}: no entry in instances has the {peak_acu * GIB_PER_ACU} GiB of "
            f"{peak_acu} ACU: add one, or name one with --instance"
        )
    return min(fitting)[1]


def clusters(workload: Workload, setup: Setup, prices: PriceList) -> list[Cluster]:
    """The four kinds of cluster, priced for the month.

    Raises:
        PriceError: The instance class has no price.
    """
    if setup.instance not in prices.instances:
        known = ", ".join(prices.instances) or "none"
        raise PriceError(
            f"{prices.origin}: no price for instance {setup.instance!r}; known are {known}"
        )
    instance = prices.instances[setup.instance]
    storage = workload.storage_gb * prices.price("storage_gb_month")
    io_storage = workload.storage_gb * prices.price("storage_gb_month_io_optimized")
    io = workload.io_requests * prices.price("io_million") / MILLION
    hours = workload.hours * setup.instances
    count = f"{setup.instances} x " if setup.instances > 1 else ""
    made = f"Provisioned {count}{setup.instance}"
    return [
        Cluster("Serverless v2, standard", False, False,
                workload.acu_hours * prices.price("acu_hour"), storage, io),
        Cluster("Serverless v2, I/O-Optimized", False, True,
                workload.acu_hours * prices.price("acu_hour_io_optimized"), io_storage, Decimal(0)),
        Cluster(f"{made}, standard", True, False,
                hours * instance.hour, storage, io),
        Cluster(f"{made}, I/O-Optimized", True, True,
                hours * instance.hour_io_optimized, io_storage, Decimal(0)),
    ]  # fmt: skip


def accesses(workload: Workload, setup: Setup, prices: PriceList) -> tuple[Access, Access]:
    """The Data API, and PostgreSQL connections behind a NAT gateway.

    Raises:
        PriceError: The list lacks the price of a NAT gateway.
    """
    hourly = prices.price("nat_gateway_hour") + prices.price("public_ipv4_hour")
    nat = workload.hours * setup.nat_gateways * hourly
    nat += setup.nat_gb * prices.price("nat_gateway_gb")
    return (
        Access("Data API", setup.secrets * prices.price("secret_month"), per_request=True),
        Access("PostgreSQL, NAT gateway", nat, per_request=False),
    )


def alternatives(workload: Workload, setup: Setup, prices: PriceList) -> list[Alternative]:
    """Every cluster with every access, in a fixed order.

    Raises:
        PriceError: The list lacks a price.
    """
    requests = prices.tiered_cost("data_api_million", workload.requests)
    return [
        Alternative(
            cluster.name,
            access.name,
            {
                "compute": cluster.compute,
                "storage": cluster.storage,
                "io": cluster.io,
                "data_api": requests if access.per_request else Decimal(0),
                "secrets": access.fixed if access.per_request else Decimal(0),
                "nat": Decimal(0) if access.per_request else access.fixed,
            },
            access.per_request
            and not cluster.provisioned
            and cluster.io_optimized is workload.io_optimized,
        )
        for cluster in clusters(workload, setup, prices)
        for access in accesses(workload, setup, prices)
    ]


def at_volume(workload: Workload, setup: Setup, prices: PriceList, requests: int) -> list[Decimal]:
    """Each alternative's total with another number of requests, in `alternatives`' order.

    Raises:
        PriceError: The list lacks a price.
    """
    cost = prices.tiered_cost("data_api_million", requests)
    return [
        cluster.total + access.fixed + (cost if access.per_request else 0)
        for cluster in clusters(workload, setup, prices)
        for access in accesses(workload, setup, prices)
    ]


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
    for other in (today, *(one for one in every if one.provisioned)):
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
