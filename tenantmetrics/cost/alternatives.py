"""What a month would have cost on other architectures.

Four clusters, each reached through the Data API or through PostgreSQL connections from functions in
a VPC with a NAT gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tenantmetrics.cost.prices import PriceList
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import PriceError

__all__ = [
    "PARTS",
    "VOLUMES",
    "Access",
    "Alternative",
    "Cluster",
    "Setup",
    "Workload",
    "accesses",
    "alternatives",
    "at_volume",
    "clusters",
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
            f"{peak_acu} ACU: add one, or name one"
        ).about("instance")
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
