"""How a month stands before its end: its budgets, what they will have cost, and what is not known.

What a tenant cost on a day is what the statement says that it cost in the month, spread over days:
of each pool by what the pool cost on the day times the tenant's part of that day's use, in the
pool's own measure (server time counts as wall time less waits here); evenly over what the pool cost
where it is divided by something that has no days. Earlier months are spread alike, at this month's
prices.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cached_property

from tenantmetrics.cost.budget_model import MONTH_OVER, Budget, BudgetState, Forecast, Outlook
from tenantmetrics.cost.budgets import lines_of, notes_on_budgets, read_budgets, spent_of
from tenantmetrics.cost.drivers import Driver, driver_of
from tenantmetrics.cost.forecast import FEWEST, FEWEST_ALONE, MonthDays, rest_of
from tenantmetrics.cost.month_days import DayCosts, days_of, first_weekday
from tenantmetrics.cost.period import month_of
from tenantmetrics.cost.request import AllocationRequest
from tenantmetrics.cost.statement import Line, Statement
from tenantmetrics.errors import LedgerError, PriceError, ReportError

__all__ = ["budgets_of", "with_outlook"]

_EARLIER = 3
"""Months that are looked back on: a quarter has every weekday a dozen times."""

_MEASURES = {
    Driver.SERVER_TIME: "net_ns",
    Driver.WALL_TIME: "wall_ns",
    Driver.BILLED_REQUESTS: "billed_requests",
    Driver.ROWS: "rows",
    Driver.BYTES: "bytes",
    Driver.CALLS: "calls",
}
"""Fields of `DayUsage`, by the drivers that have days."""


def with_outlook(
    statement: Statement, request: AllocationRequest, budgets: Sequence[Budget], now_s: float
) -> Statement:
    """A statement with its budgets and forecasts, where there are any or they are asked for.

    Args:
        statement: In the report's currency.
        request: What was asked for.
        budgets: Those of the tenants' file.
        now_s: Seconds since the epoch.
    """
    if not budgets and not request.forecast:
        return statement
    states, total, unknown, notes = [], None, MONTH_OVER, list[str]()
    months: list[DayCosts] = []
    if now_s < statement.period.end_s:
        months, unknown, notes = _months(statement, request, now_s)
    daily = _Daily(statement, request, months) if months else None
    for budget in budgets:
        lines = lines_of(budget, statement)
        spent = spent_of(budget, statement, lines)
        state = BudgetState(budget, spent, unknown=unknown, has_lines=bool(lines))
        if daily is not None:
            found = daily.forecast(budget, lines, state.spent)
            state = (
                replace(state, unknown=found)
                if isinstance(found, str)
                else replace(state, forecast=found, unknown="")
            )
        states.append(state)
    if daily is not None:
        everything = Budget(Decimal(0))
        found = daily.forecast(everything, statement.lines, statement.total)
        total, unknown = (None, found) if isinstance(found, str) else (found, "")
    notes += notes_on_budgets(states)
    ordered = tuple(sorted(states, key=lambda state: state.order))
    return replace(statement, outlook=Outlook(ordered, total, unknown, tuple(notes)))


def budgets_of(request: AllocationRequest) -> list[Budget]:
    """The budgets of the request's tenants' file.

    Raises:
        ReportError: The file or a value does not parse.
    """
    return read_budgets(request.tenants) if request.tenants is not None else []


def _months(
    statement: Statement, request: AllocationRequest, now_s: float
) -> tuple[list[DayCosts], str, list[str]]:
    """This month and those before it; none and why, where this one is not known by its days."""
    try:
        months = [days_of(request, statement.period, now_s)]
    except (LedgerError, ReportError, PriceError) as error:
        return [], f"the days cannot be read: {error}", []
    notes = []
    if gaps := len([day for day in months[0].gaps if day < months[0].complete]):
        notes.append(
            f"{gaps} day{'s' * (gaps != 1)} of the month so far without data: the forecast does "
            "not take them for days without cost."
        )
    period = statement.period
    for _ in range(_EARLIER):
        period = month_of(period.start_s - 1, period.timezone)
        try:
            months.append(days_of(request, period, now_s))
        except (LedgerError, ReportError, PriceError) as error:
            reason = str(error).rstrip(".")
            notes.append(f"The forecast knows nothing of {period.label} or before it: {reason}.")
            break
    return months, "", notes


class _Daily:
    """What lines of a statement cost by day, in this month and the earlier ones.

    Args:
        statement: The statement.
        request: What was asked for.
        months: This month, then those before it.
    """

    def __init__(
        self, statement: Statement, request: AllocationRequest, months: Sequence[DayCosts]
    ) -> None:
        self._statement = statement
        self._months = months
        self._measures = [
            _MEASURES.get(driver_of(pool.name, request.chosen)) for pool in statement.pools
        ]

    @cached_property
    def _factors(self) -> list[float]:
        """Money of the statement for a unit of each pool's days."""
        this = self._months[0]
        factors = []
        for pool in self._statement.pools:
            whole = sum(this.pools.get(pool.name, {}).values()) + this.once.get(pool.name, 0.0)
            factors.append(float(pool.amount) / whole if whole else 0.0)
        return factors

    @cached_property
    def _used(self) -> list[dict[str, dict[str, dict[int, int]]]]:
        """By month and measure: what each tenant used by day; under "" what all did."""
        found = []
        for month in self._months:
            of_month: dict[str, dict[str, dict[int, int]]] = {}
            for measure in {name for name in self._measures if name}:
                by_tenant: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
                for (tenant, day), used in month.usage.items():
                    amount = getattr(used, measure)
                    by_tenant[f"t{tenant}"][day] = amount
                    by_tenant[""][day] += amount
                of_month[measure] = by_tenant
            found.append(of_month)
        return found

    def forecast(self, budget: Budget, lines: Sequence[Line], spent: Decimal) -> Forecast | str:
        """What some lines will have cost, or why that is not known."""
        this = self._months[0]
        whole = not budget.tenant and not budget.groups
        costs = [
            self._whole(number, budget.pool) if whole
            else self._of_lines(number, budget.pool, lines)
            for number in range(len(self._months))
        ]  # fmt: skip
        until = this.billed if whole else this.complete
        if not this.pools:
            return "the bill is not by the day"
        months = []
        for month, by_day in zip(self._months, costs, strict=True):
            last = until if month is this else len(month.borders)
            unknown = self._unknown(month, whole=whole)
            days = [None if day in unknown else by_day.get(day, 0.0) for day in range(max(last, 0))]
            months.append(MonthDays(first_weekday(month.period), len(month.borders), days))
        earlier = [month for month in months[1:] if month.is_history]
        known = len(months[0].known())
        if not (rest := rest_of(months[0], earlier)):
            return _why(known, bool(earlier), sum(cost or 0 for cost in months[0].costs))
        # What was spent since the last complete day is a part of the rest.
        begun = sum(cost for day, cost in costs[0].items() if day >= until)
        after = max(rest.amount - begun, 0.0) if rest.amount >= 0 else rest.amount - begun
        low, high = after - rest.half_width, max(after, rest.amount - begun) + rest.half_width
        if spent >= 0 and rest.amount >= 0:
            low = max(low, 0.0)
        named = [m.period.label for m, d in zip(self._months, months, strict=True) if d in earlier]
        amounts = [self._money(spent, part) for part in (after, low, high)]
        return Forecast(amounts[0], amounts[1], amounts[2], known, tuple(named))

    def _money(self, spent: Decimal, more: float) -> Decimal:
        return (spent + Decimal(repr(more))).quantize(self._statement.quantum) + 0

    @staticmethod
    def _unknown(month: DayCosts, *, whole: bool) -> frozenset[int]:
        """Days whose cost is not known: without any usage, or of the bill without any charge."""
        if not (whole and month.is_billed):
            return month.gaps | {
                day for day in range(len(month.borders))
                if not any(day in by_day for by_day in month.pools.values())
            }  # fmt: skip
        days = range(len(month.borders))
        return frozenset(
            day for day in days if not any(day in by_day for by_day in month.pools.values())
        )

    def _whole(self, number: int, pool: str) -> dict[int, float]:
        """What all lines cost by day, in a pool or in all."""
        found: dict[int, float] = defaultdict(float)
        for of_month, factor in zip(self._statement.pools, self._factors, strict=True):
            if pool in {"", of_month.name}:
                for day, amount in self._months[number].pools.get(of_month.name, {}).items():
                    found[day] += amount * factor
        return found

    def _of_lines(self, number: int, pool: str, lines: Sequence[Line]) -> dict[int, float]:
        """What some lines cost by day, in a pool or in all."""
        found: dict[int, float] = defaultdict(float)
        for place, one in enumerate(self._statement.pools):
            if pool not in {"", one.name}:
                continue
            for line in lines:
                if line.amounts[place]:
                    for day, amount in self._of_line(number, place, line).items():
                        found[day] += amount
        return found

    def _of_line(self, number: int, place: int, line: Line) -> Mapping[int, float]:
        """What one line cost by day in one pool."""
        pool = self._statement.pools[place]
        by_day = self._months[number].pools.get(pool.name, {})
        measure = self._measures[place]
        amount = float(line.amounts[place])
        whole = float(pool.amount)
        if measure is not None:
            this = self._weighed(0, place, measure, line.tenant)
            if total := sum(this.values()):
                once = self._months[0].once.get(pool.name, 0.0) * self._factors[place]
                scale = amount * (1 - once / whole if whole else 1.0) / total
                weighed = this if not number else self._weighed(number, place, measure, line.tenant)
                return {day: part * scale for day, part in weighed.items()}
        share = amount / whole if whole else 0.0
        return {day: cost * self._factors[place] * share for day, cost in by_day.items()}

    def _weighed(self, number: int, place: int, measure: str, tenant: str) -> dict[int, float]:
        """A pool's days times a tenant's part of each day's use."""
        used = self._used[number][measure]
        mine, everyone = used.get(f"t{tenant}", {}), used.get("", {})
        by_day = self._months[number].pools.get(self._statement.pools[place].name, {})
        return {
            day: cost * mine.get(day, 0) / everyone[day]
            for day, cost in by_day.items()
            if everyone.get(day)
        }


def _why(known: int, has_earlier: bool, spent: float) -> str:
    """Why there is no forecast."""
    fewest = FEWEST if has_earlier else FEWEST_ALONE
    if known < fewest:
        beside = "beside an earlier month" if has_earlier else "without an earlier month"
        have = f"{known} complete day{'s' * (known != 1)} with data" if known else (
            "no complete day with data"
        )  # fmt: skip
        return f"the month has {have}, and {beside} it takes {fewest}"
    return "nothing was spent on the complete days" if not spent else "too little is known"
