"""The cost statement of a period: what `cost` computes and `report` shows.

Money is Decimal and already rounded: every amount is a multiple of the statement's quantum, and
every line's amounts stand in the order of the statement's pools. `Statement.check` proves that the
lines add up to the pools; nothing is shown that has not passed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from tenantmetrics.errors import UnbalancedError

if TYPE_CHECKING:
    from tenantmetrics.cost.budget_model import Outlook
    from tenantmetrics.cost.server_time.model import ServerTime
    from tenantmetrics.cost.top_statements import TopStatement

__all__ = ["ExchangeRate", "Line", "LineKind", "Period", "Pool", "Statement", "Usage"]


class LineKind(StrEnum):
    """What a line stands for; everything but `TENANT` is nobody's in particular."""

    TENANT = "tenant"
    UNATTRIBUTED = "unattributed"
    OVERFLOW = "overflow"
    UNMETERED = "unmetered"
    IDLE = "idle"
    SHARED = "shared"
    UNCLASSIFIED = "unclassified"


@dataclass(frozen=True, slots=True)
class Usage:
    """What the calls of one line did. `duration_ns` is wall time seen by the client."""

    calls: int = 0
    failed_calls: int = 0
    duration_ns: int = 0
    billed_requests: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    rows_returned: int = 0
    rows_written: int = 0


@dataclass(frozen=True, slots=True)
class Period:
    """A span of time.

    Attributes:
        label: How people call it ("2026-11").
        start_s: First second, since the epoch.
        end_s: First second after it.
        timezone: IANA name of the zone whose midnight are its borders.
    """

    label: str
    start_s: int
    end_s: int
    timezone: str = "UTC"

    @property
    def hours(self) -> range:
        """The period's hours, since the epoch; one that a half-hour zone cuts counts."""
        return range(self.start_s // 3600, -(-self.end_s // 3600))


@dataclass(frozen=True, slots=True)
class Pool:
    """A part of the bill that is divided by one driver.

    Attributes:
        name: Short fixed word; a column name in files.
        title: The same for people.
        amount: The part of the bill.
        driver: What it is divided by, in words.
        detail: How the amount came about, in words.
        quantity: How much was bought, in the unit of the price; None where units are mixed.
        other: The same charges with commitments counted the other way: when used where `amount`
            has them when paid, when paid where it has them when used. None where that is unknown.
        invoice: Number of the invoice that it is on; "" where there is none, or several.
        listed: The same charges at list prices, exact; None where that is not known.
        contracted: The same at agreed prices, exact; None where that is not known.
    """

    name: str
    title: str
    amount: Decimal
    driver: str
    detail: str = ""
    quantity: Decimal | None = None
    other: Decimal | None = None
    invoice: str = ""
    listed: Decimal | None = None
    contracted: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """What a statement was converted by.

    Attributes:
        base: The currency of the bill.
        currency: The currency of the statement.
        rate: As the file has it: how much of `currency` one unit of `base` is worth, or the other
            way round where `inverse`.
        day: Which day's rate it is.
        source: Who says so.
        inverse: The rate is that of one unit of `currency` in `base`; amounts were divided by it.
        total: The bill before it was converted.
    """

    base: str
    currency: str
    rate: Decimal
    day: date
    source: str
    inverse: bool = False
    total: Decimal = Decimal(0)

    def words(self) -> str:
        """The rate as one reads it: "1 USD = 0.8612 EUR, the rate of 2026-11-30 (ECB)"."""
        one, other = (self.base, self.currency)[:: -1 if self.inverse else 1]
        return f"1 {one} = {self.rate:f} {other}, the rate of {self.day} ({self.source})"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the statement.

    Attributes:
        tenant: The tenant's id, or a name such as `__idle__`.
        kind: What the line stands for.
        usage: What its calls did.
        amounts: Money, in the order of the statement's pools.
        groups: Its groups, in the order of the statement's `group_names`; "" where unknown.
        revenue: What the tenant pays in the period, where that is known.
        others: The pools' `other`, divided as the amounts are; empty where no pool has one.
    """

    tenant: str
    kind: LineKind
    usage: Usage
    amounts: tuple[Decimal, ...]
    groups: tuple[str, ...] = ()
    revenue: Decimal | None = None
    others: tuple[Decimal, ...] = ()

    @property
    def total(self) -> Decimal:
        """The line's sum over all pools."""
        return sum(self.amounts, Decimal(0))


@dataclass(frozen=True)
class Statement:
    """A period's bill, divided.

    Attributes:
        period: What it covers.
        currency: ISO 4217 code.
        quantum: The smallest amount: 0.01, or less for an estimate whose cents would say little.
        basis: Where the money comes from ("list prices of 2026-03-15, us-east-1").
        estimate: True where no AWS bill stands behind the amounts.
        draft: Why the statement is not final; empty for a final one.
        pools: The parts of the bill.
        lines: Tenants by falling cost, then the lines that are nobody's.
        notes: What a reader must know, such as files that were left out.
        group_names: What tenants are grouped by ("plan", "region").
        account: The AWS account that pays; "" where no bill says so.
        left_out: Input that could not be read and was left out, in words; empty if nothing was.
        server_time: How the server time was found that compute was divided by; None where it was
            divided by something else.
        idle_by: What says how much of the capacity was idle, in words; "" where no hours are known.
        amortized: Whether amounts count commitments when they are used, not when paid.
        previous: The statement that this one is compared with.
        top_statements: The statements that took longest, by tenant; None where none were looked up.
        covered: First and last second of the period that usage was seen for; None if none was.
        outlook: Its budgets and its forecast; None where there is neither.
        rate: What the amounts were converted by; None where they are in the bill's currency.
    """

    period: Period
    currency: str
    quantum: Decimal
    basis: str
    estimate: bool
    pools: tuple[Pool, ...]
    lines: tuple[Line, ...]
    draft: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    group_names: tuple[str, ...] = ()
    account: str = ""
    left_out: str = ""
    covered: tuple[int, int] | None = None
    server_time: ServerTime | None = None
    idle_by: str = ""
    amortized: bool = False
    previous: Statement | None = None
    top_statements: Mapping[str, tuple[TopStatement, ...]] | None = None
    outlook: Outlook | None = None
    rate: ExchangeRate | None = None

    @cached_property
    def total(self) -> Decimal:
        """The whole bill: the sum of the pools."""
        return sum((pool.amount for pool in self.pools), Decimal(0))

    def check(self) -> None:
        """Prove that every pool's lines add up to it.

        Raises:
            UnbalancedError: They do not; names the pool and the difference.
        """
        self._prove([pool.amount for pool in self.pools], [line.amounts for line in self.lines])
        if any(pool.other is not None for pool in self.pools):
            others = [pool.amount if pool.other is None else pool.other for pool in self.pools]
            self._prove(others, [line.others or line.amounts for line in self.lines])

    def _prove(self, amounts: Sequence[Decimal], lines: Iterable[Sequence[Decimal]]) -> None:
        sums = [Decimal(0)] * len(amounts)
        for line in lines:
            sums = [a + b for a, b in zip(sums, line, strict=True)]
        for pool, amount, found in zip(self.pools, amounts, sums, strict=True):
            if found != amount:
                raise UnbalancedError(
                    f"the lines of {self.period.label} do not add up: {pool.title} is "
                    f"{amount} {self.currency} and its lines are {found}, "
                    f"a difference of {found - amount}; nothing was written"
                )
