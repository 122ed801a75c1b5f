"""A bill, whatever file it came from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from tenantmetrics.errors import ReportError

__all__ = ["Bill", "BillFilter", "PoolCharge", "pattern_of"]


def pattern_of(cluster: str) -> str:
    """A regular expression of the whole of a resource that names a cluster.

    Args:
        cluster: A cluster's name, resource id or ARN; `*` and `?`, which none of them can have,
            stand for any characters and for one.
    """
    escaped = re.escape(cluster).replace(r"\*", ".*").replace(r"\?", ".")
    return escaped if cluster.startswith("arn:") else f"(arn:.*:)?{escaped}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillFilter:
    """Which charges of a bill count. Empty fields let everything through.

    Attributes:
        account: The usage account's id.
        cluster: The whole name, resource id or ARN of a cluster; `*` and `?` make it a pattern.
        tag: Key and value of a resource tag.
    """

    account: str = ""
    cluster: str = ""
    tag: tuple[str, str] | None = None

    @classmethod
    def of(cls, account: str | None, cluster: str | None, tag: str | None) -> BillFilter:
        """From texts as a command line has them.

        Raises:
            ReportError: The tag is not KEY=VALUE.
        """
        key, equals, value = (tag or "").partition("=")
        if tag and not (key and equals):
            raise ReportError(f"tag {tag!r} must be KEY=VALUE").about("tag")
        return cls(account=account or "", cluster=cluster or "", tag=(key, value) if tag else None)


@dataclass(slots=True)
class PoolCharge:
    """What a bill charges in one pool.

    Attributes:
        amount: Exact.
        rows: Rows of the file that went in.
        quantity: In the usage types' own units; reported only where they have one and the same.
        usage_types: Those that went in.
    """

    amount: Decimal = Decimal(0)
    rows: int = 0
    quantity: Decimal = Decimal(0)
    usage_types: set[str] = field(default_factory=set)


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
        estimated: AWS says that it is not final.
        regions: Of the Aurora charges.
        accounts: Usage accounts of the Aurora charges, where the file says them.
        notes: What a reader must know, such as what a filter excluded.
    """

    basis: str
    currency: str
    account: str = ""
    pools: Mapping[str, PoolCharge]
    compute_by_hour: Mapping[int, Decimal] = field(default_factory=dict)
    estimated: bool = False
    regions: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> Decimal:
        """All of it, exact."""
        return sum((pool.amount for pool in self.pools.values()), Decimal(0))
