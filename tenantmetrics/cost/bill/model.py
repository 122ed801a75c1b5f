"""A bill, whatever file it came from."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tenantmetrics.cost.known import plus
from tenantmetrics.errors import ReportError

__all__ = ["Bill", "BillFilter", "Charges", "Place", "PoolCharge", "pattern_of"]


def pattern_of(cluster: str) -> str:
    """A regular expression of the whole of a resource that names a cluster, in any case.

    Names of clusters are not case-sensitive (RDS API, CreateDBCluster, "stored as a lowercase
    string").

    Args:
        cluster: A cluster's name, resource id or ARN; `*` and `?`, which none of them can have,
            stand for any characters and for one.
    """
    escaped = re.escape(cluster.lower()).replace(r"\*", ".*").replace(r"\?", ".")
    named = escaped if cluster.lower().startswith("arn:") else f"(arn:.*:)?{escaped}"
    return f"(?i:{named})"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillFilter:
    """Which charges of a bill count. Empty fields let everything through.

    Attributes:
        account: The usage account's id.
        cluster: The whole name, resource id or ARN of a cluster; `*` and `?` make it a pattern.
        resources: Other names of that cluster: its resource id, its instances.
        tag: Key and value of a resource tag.
    """

    account: str = ""
    cluster: str = ""
    resources: tuple[str, ...] = ()
    tag: tuple[str, str] | None = None

    @classmethod
    def of(cls, account: str | None, cluster: str | None, tag: str | None) -> BillFilter:
        """From texts as a command line has them.

        Raises:
            ReportError: The tag is not KEY=VALUE, or a text is blank, which would let everything
                through.
        """
        for name, text in (("bill_account", account), ("bill_cluster", cluster), ("tag", tag)):
            if text is not None and not text.strip():
                what = name.removeprefix("bill_")
                raise ReportError(f"the {what} to filter the bill by is blank").about(name)
        key, equals, value = (tag or "").partition("=")
        if tag and not (key and equals):
            raise ReportError(f"tag {tag!r} must be KEY=VALUE").about("tag")
        return cls(account=account or "", cluster=cluster or "", tag=(key, value) if tag else None)


@dataclass(slots=True)
class PoolCharge:
    """What a bill charges in one pool.

    Attributes:
        amount: Exact.
        other: The same with commitments counted the other way: when used, or when paid.
        listed: The same at list prices; None where no charge says it.
        contracted: The same at agreed prices; None where no charge says it.
        foreign: What of the amount is of services that have no pool.
        foreign_other: The same of `other`.
        rows: Rows of the file that went in.
        quantity: In the usage types' own units; reported only where they have one and the same.
        usage_types: Those that went in.
        invoices: Numbers of the invoices that the charges are on.
    """

    amount: Decimal = Decimal(0)
    other: Decimal = Decimal(0)
    rows: int = 0
    quantity: Decimal = Decimal(0)
    usage_types: set[str] = field(default_factory=set)
    invoices: set[str] = field(default_factory=set)
    listed: Decimal | None = None
    contracted: Decimal | None = None
    foreign: Decimal = Decimal(0)
    foreign_other: Decimal = Decimal(0)

    def add(self, other: PoolCharge) -> None:
        """Take another place's charges in."""
        self.amount += other.amount
        self.other += other.other
        self.rows += other.rows
        self.quantity += other.quantity
        self.usage_types |= other.usage_types
        self.invoices |= other.invoices
        self.foreign += other.foreign
        self.foreign_other += other.foreign_other
        self.listed = plus(self.listed, other.listed)
        self.contracted = plus(self.contracted, other.contracted)


@dataclass(frozen=True, slots=True)
class Place:
    """What a charge says of where it was made; each is "" where it does not say.

    Attributes:
        account: The usage account.
        region: The region.
        resource: The database's cluster or instance, as the bill names it.
        payer: Whether the account is the one that pays.
    """

    account: str = ""
    region: str = ""
    resource: str = ""
    payer: bool = False


@dataclass(slots=True)
class Charges:
    """The charges of one place.

    Attributes:
        pools: By pool.
        by_hour: What compute cost by hour since the epoch.
        hourly: No charge of compute is longer than an hour.
        sessions: What its capacity could keep running, by hour since the epoch.
        unknown_hours: Hours with a charge that does not say what capacity it is of.
        ahead_hours: Hours whose compute costs something where commitments count the other way.
    """

    pools: dict[str, PoolCharge] = field(default_factory=lambda: defaultdict(PoolCharge))
    by_hour: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    hourly: bool = True
    sessions: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    unknown_hours: set[int] = field(default_factory=set)
    ahead_hours: set[int] = field(default_factory=set)

    @property
    def total(self) -> Decimal:
        """All of it, exact."""
        return sum((pool.amount for pool in self.pools.values()), Decimal(0))

    @property
    def compute_by_hour(self) -> dict[int, Decimal]:
        """Compute by hour; empty where it is not by the hour."""
        return dict(self.by_hour) if self.hourly and len(self.by_hour) > 1 else {}

    @property
    def sessions_by_hour(self) -> dict[int, Decimal]:
        """Sessions that each hour's capacity can keep running, where all of its charges tell."""
        return {
            hour: sessions
            for hour, sessions in self.sessions.items()
            if hour not in self.unknown_hours
        }

    def add(self, other: Charges) -> None:
        """Take another place's charges in."""
        for name, pool in other.pools.items():
            self.pools[name].add(pool)
        for hour, amount in other.by_hour.items():
            self.by_hour[hour] += amount
        self.hourly = self.hourly and other.hourly
        self.ahead_hours |= other.ahead_hours
        self.unknown_hours |= other.unknown_hours
        for hour, sessions in other.sessions.items():
            self.sessions[hour] += sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """The charges of a period.

    Attributes:
        basis: Where they come from, in words.
        currency: ISO 4217 code.
        account: The paying account; "" where the file does not say.
        pools: By pool.
        compute_by_hour: What compute cost in each hour since the epoch; empty for a bill that is
            not by the hour.
        sessions_by_hour: What its capacity could keep running, in sessions, by hour, where the
            charges of all of it tell.
        estimated: AWS says that it is not final.
        regions: Of the Aurora charges.
        accounts: Usage accounts of the Aurora charges, where the file says them.
        notes: What a reader must know, such as what a filter excluded.
        draft: Why it is not final, apart from `estimated`.
        by_hour: What was charged in each pool by hour since the epoch, None for charges of no hour
            and of more than a day; empty unless asked for.
        places: The same charges by where they were made; empty where the bill does not say.
    """

    basis: str
    currency: str
    account: str = ""
    pools: Mapping[str, PoolCharge]
    compute_by_hour: Mapping[int, Decimal] = field(default_factory=dict)
    sessions_by_hour: Mapping[int, Decimal] = field(default_factory=dict)
    estimated: bool = False
    regions: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    draft: tuple[str, ...] = ()
    by_hour: Mapping[int | None, Mapping[str, Decimal]] = field(default_factory=dict)
    places: Mapping[Place, Charges] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        """All of it, exact."""
        return sum((pool.amount for pool in self.pools.values()), Decimal(0))

    def of(self, charges: Charges) -> Bill:
        """A bill of some of its charges only."""
        return replace(
            self,
            pools=charges.pools,
            compute_by_hour=charges.compute_by_hour,
            sessions_by_hour=charges.sessions_by_hour,
        )
