"""Budgets, what was spent of them, and what a month will have cost: what `report` shows of both."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

__all__ = ["MONTH_OVER", "Budget", "BudgetState", "BudgetStatus", "Forecast", "Outlook"]

MONTH_OVER = "the month is over"
"""Why there is no forecast, where nobody misses one."""


class BudgetStatus(StrEnum):
    """How a budget stands, the worst first."""

    OVER = "over"
    EXPECTED = "will be over"
    POSSIBLE = "may be over"
    WITHIN = "within"


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in a month, and by whom on what; what it does not name it does not narrow.

    Attributes:
        amount: In the report's currency.
        tenant: One tenant; "" for all.
        groups: Pairs of a group's kind and the group; only tenants that are in all of them.
        pool: One pool's name; "" for all.
    """

    amount: Decimal
    tenant: str = ""
    groups: tuple[tuple[str, str], ...] = ()
    pool: str = ""

    @property
    def scope(self) -> str:
        """What kind of budget it is, in a word."""
        if self.tenant:
            return "tenant"
        if self.groups:
            return "group"
        return "pool" if self.pool else "total"

    @property
    def name(self) -> str:
        """Whose it is: "acme", "plan=pro", "compute", "acme, compute", "everything"."""
        parts = [self.tenant] if self.tenant else [f"{kind}={one}" for kind, one in self.groups]
        return ", ".join([*parts, *([self.pool] if self.pool else [])]) or "everything"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What something will have cost by the month's end.

    Attributes:
        amount: The most likely amount.
        low: Lower end of its 95 % interval.
        high: Upper end of it.
        days: Complete days of this month that it is made from.
        months: The earlier months that it is made from ("2026-10"), the last one first.
    """

    amount: Decimal
    low: Decimal
    high: Decimal
    days: int
    months: tuple[str, ...] = ()

    @property
    def basis(self) -> str:
        """What it is made from, in words."""
        days = f"{self.days} complete day{'s' * (self.days != 1)}"
        return f"{days} and {', '.join(self.months) or 'no earlier month'}"


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget, and what became of it.

    Attributes:
        budget: Which.
        spent: In the month so far.
        forecast: By the month's end; None where that is not known.
        unknown: Why it is not.
        has_lines: Whether any line of the statement is of it.
    """

    budget: Budget
    spent: Decimal
    forecast: Forecast | None = None
    unknown: str = ""
    has_lines: bool = True

    @property
    def left(self) -> Decimal:
        """What may still be spent; negative where it is over."""
        return self.budget.amount - self.spent

    @property
    def status(self) -> BudgetStatus:
        """How it stands."""
        if self.left < 0:
            return BudgetStatus.OVER
        if self.forecast is not None and self.forecast.amount > self.budget.amount:
            return BudgetStatus.EXPECTED
        if self.forecast is not None and self.forecast.high > self.budget.amount:
            return BudgetStatus.POSSIBLE
        return BudgetStatus.WITHIN

    @property
    def used(self) -> Decimal | None:
        """The part of the budget that was spent, 1 for all of it; None of a budget of nothing."""
        return self.spent / self.budget.amount if self.budget.amount else None

    @property
    def order(self) -> tuple[int, int, Decimal, str]:
        """A key that sorts the worst first: by status, then by the part that is or will be used."""
        amount = self.spent if self.forecast is None else max(self.spent, self.forecast.amount)
        part = amount / self.budget.amount if self.budget.amount else Decimal(0)
        nothing = self.budget.amount == 0 and amount > 0
        return list(BudgetStatus).index(self.status), -nothing, -part, self.budget.name


@dataclass(frozen=True, slots=True)
class Outlook:
    """How a month stands before its end.

    Attributes:
        budgets: The worst first.
        total: What the whole bill will be; None where that is not known.
        unknown: Why it is not.
        notes: What a reader must know of both.
    """

    budgets: tuple[BudgetState, ...] = ()
    total: Forecast | None = None
    unknown: str = ""
    notes: tuple[str, ...] = ()
