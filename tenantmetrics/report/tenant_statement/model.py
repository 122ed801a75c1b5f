"""What one tenant is shown of a month. `made.py` makes it; each format writes it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tenantmetrics.cost.statement import Period, Usage
from tenantmetrics.cost.top_statements import TopStatement

__all__ = ["Month", "Part", "TenantStatement"]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the total.

    Attributes:
        name: A pool's name, or `minimum`.
        title: The same for people.
        amount: Money.
    """

    name: str
    title: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Month:
    """One month of the trend.

    Attributes:
        label: Such as "2026-10".
        total: Money; None where it is not known.
        calls: Calls.
        draft: Whether it is not final.
    """

    label: str
    total: Decimal | None
    calls: int
    draft: bool = False


@dataclass(frozen=True, kw_only=True)
class TenantStatement:
    """What one tenant may see of a month.

    Attributes:
        tenant: Its id.
        period: The month.
        currency: ISO 4217 code.
        quantum: What amounts are multiples of.
        is_charge: Whether the amounts are what is charged, by rules; else they are cost.
        status: DRAFT, ESTIMATE; empty for a final statement of a bill.
        caveats: Why those words stand there, a sentence each.
        parts: Of the total; those of 0 are left out.
        usage: What its calls did.
        server_ns: Estimated server time; None where it was not estimated.
        load: Server time over the month's time, the sessions at work on average; None while the
            month runs, and where server time was not estimated.
        stored_bytes: What it stores; None where that was not measured.
        months: The trend, this month last.
        top_statements: What took its calls longest; None where that was not looked up.
        method: How the amounts come about, a sentence each.
    """

    tenant: str
    period: Period
    currency: str
    quantum: Decimal
    is_charge: bool
    status: tuple[str, ...]
    caveats: tuple[str, ...]
    parts: tuple[Part, ...]
    usage: Usage
    server_ns: int | None
    load: float | None
    stored_bytes: int | None
    months: tuple[Month, ...]
    top_statements: tuple[TopStatement, ...] | None
    method: tuple[str, ...]

    @property
    def total(self) -> Decimal:
        """The sum of the parts."""
        return sum((part.amount for part in self.parts), self.quantum * 0)
