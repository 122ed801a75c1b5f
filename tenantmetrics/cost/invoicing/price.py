"""From cost to charge: markup, minimum and rounding, so that the lines of an invoice add up.

A line is a pool's cost times its markup, exact. What is rounded is either each line, and the total
is their sum; or the total, and then each line is rounded down and the coins that are left go to the
lines with the largest remainders, of equal ones to the first. Where the total is below the minimum,
a last line has the difference. So the lines of an invoice always add up to its total.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

from tenantmetrics.cost.allocate import apportion
from tenantmetrics.cost.invoicing.rules import Lines, Rounding, RoundPer, Rules, Terms, suggestion
from tenantmetrics.cost.precision import smallest_coin
from tenantmetrics.cost.statement import Line, LineKind, Statement
from tenantmetrics.errors import ReportError

__all__ = [
    "MINIMUM",
    "TOTAL",
    "Invoice",
    "InvoiceLine",
    "invoices",
    "untouched",
    "unused",
    "with_rules",
]

MINIMUM = "minimum"
"""The line that brings a total up to the minimum; no pool is called so."""

TOTAL = "total"
"""The one line of an invoice without lines for pools."""

_EXACT_DIGITS = 100
"""More than a cost times a markup can have."""


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line.

    Attributes:
        part: A pool's name, or `MINIMUM` or `TOTAL`.
        title: The same for people.
        amount: A multiple of the invoice's smallest amount.
    """

    part: str
    title: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Invoice:
    """What a tenant is charged for a month.

    Attributes:
        tenant: Its id.
        lines: In the order of the statement's pools, the minimum last; lines of 0 among them.
        cost: What it cost.
        export: Whether it is to be sent to anybody.
    """

    tenant: str
    lines: tuple[InvoiceLine, ...]
    cost: Decimal
    export: bool = True

    @property
    def total(self) -> Decimal:
        """The sum of the lines."""
        return sum((line.amount for line in self.lines), Decimal(0))


def invoices(
    statement: Statement, rules: Rules, *, quantum: Decimal | None = None
) -> list[Invoice]:
    """What each tenant is charged, in the order of the statement.

    Args:
        statement: Cost by tenant and pool. Lines that are no tenant's are charged to nobody.
        rules: Markup, minimum, rounding.
        quantum: The smallest amount that a provider takes; the currency's coin if None. Where the
            rules round to more, theirs counts.

    Raises:
        ReportError: The rules name a column that the tenants' file does not have, a minimum cannot
            be paid in coins, or two groups of a tenant say different things.
    """
    column_of = {name: place for place, name in enumerate(statement.group_names)}
    for column in rules.groups:
        if column not in column_of:
            raise ReportError(
                f"{rules.origin!r}: key groups.{column}: the tenants' file has no column {column!r}"
                f"{suggestion(column, column_of)}"
            )
    coin = smallest_coin(statement.currency)
    least = quantum or coin
    smallest = max(least, rules.round_to or Decimal(0))
    # A coin is as small as amounts get, and what a provider takes may be larger than that.
    if smallest % least or (rules.round_to is not None and rules.round_to % coin):
        raise ReportError(
            f"{rules.origin!r}: round_to = {rules.round_to} is no whole number of "
            f"{max(coin, least) if smallest % least else coin} {statement.currency}"
        )
    return [
        _invoice(line, statement, _Terms(rules, line, column_of), smallest)
        for line in statement.lines
        if line.kind is LineKind.TENANT
    ]


def with_rules(invoice: Invoice, rules: Rules) -> Invoice:
    """The invoice with the lines that the rules want: one for each pool, or one."""
    if rules.lines is Lines.POOL:
        return invoice
    line = InvoiceLine(TOTAL, rules.title, invoice.total)
    return Invoice(invoice.tenant, (line,), invoice.cost, invoice.export)


class _Terms:
    """What holds for one tenant."""

    def __init__(self, rules: Rules, line: Line, column_of: Mapping[str, int]) -> None:
        self.rules = rules
        self._tenant = line.tenant
        self._own = rules.tenants.get(line.tenant, Terms())
        self._groups = [
            (f"groups.{column}.{value}", terms)
            for column, values in rules.groups.items()
            for value, terms in values.items()
            if line.groups and line.groups[column_of[column]] == value
        ]

    def markup(self, pool: str) -> Decimal:
        """Percent on the cost of a pool."""
        return self._first(
            "markup_percent", lambda terms: terms.pools.get(pool), lambda terms: terms.markup
        )

    @property
    def minimum(self) -> Decimal:
        """The least that a month is charged at."""
        return self._first("minimum", lambda terms: terms.minimum)

    def _first(self, what: str, *of: Callable[[Terms], Decimal | None]) -> Decimal:
        """The first that is said: of the tenant, its groups, everybody; 0 if nothing is."""
        for say in of:
            if (own := say(self._own)) is not None:
                return own
        for say in of:
            if (of_groups := self._of_groups(what, say)) is not None:
                return of_groups
        everybody = (say(self.rules.everybody) for say in of)
        return next((said for said in everybody if said is not None), Decimal(0))

    @property
    def export(self) -> bool:
        """Whether an invoice is sent; a group that says no is enough."""
        if self._own.export is not None:
            return self._own.export
        said = [terms.export for _, terms in self._groups if terms.export is not None]
        return all(said) if said else self.rules.everybody.export is not False

    def _of_groups(self, what: str, say: Callable[[Terms], Decimal | None]) -> Decimal | None:
        said = [(name, say(terms)) for name, terms in self._groups]
        given = [(name, value) for name, value in said if value is not None]
        if len({value for _, value in given}) > 1:
            listed = ", ".join(f"{name} says {value}" for name, value in given)
            raise ReportError(
                f"{self.rules.origin!r}: the groups of tenant {self._tenant!r} disagree on {what}: "
                f"{listed}; say it of the tenant"
            )
        return given[0][1] if given else None


def _invoice(line: Line, statement: Statement, terms: _Terms, quantum: Decimal) -> Invoice:
    rules = terms.rules
    with localcontext(prec=_EXACT_DIGITS):
        exact = [
            amount * (100 + terms.markup(pool.name)) / 100
            for pool, amount in zip(statement.pools, line.amounts, strict=True)
        ]
        mode = rules.rounding
        if rules.round_per is RoundPer.LINE and rules.lines is Lines.POOL:
            units = [int(_rounded(amount, quantum, mode)) for amount in exact]
        else:
            whole = _rounded(sum(exact, Decimal(0)), quantum, mode)
            units = apportion(exact, quantum, int(whole))
        amounts = [unit * quantum for unit in units]
        minimum = terms.minimum
        if minimum % quantum:
            raise ReportError(
                f"{rules.origin!r}: a minimum of {minimum} {statement.currency} cannot be charged: "
                f"the smallest amount is {quantum}"
            )
        lines = [
            InvoiceLine(pool.name, rules.titles.get(pool.name, pool.title), amount)
            for pool, amount in zip(statement.pools, amounts, strict=True)
        ]
        if (missing := minimum - sum(amounts, Decimal(0))) > 0 and minimum:
            lines.append(InvoiceLine(MINIMUM, "Minimum charge", missing.quantize(quantum)))
    return Invoice(line.tenant, tuple(lines), line.total, terms.export)


def _rounded(amount: Decimal, quantum: Decimal, mode: Rounding) -> Decimal:
    """An amount in whole quanta; exact, because a quotient need not have an end."""
    quotient = Fraction(amount) / Fraction(quantum)
    below = quotient.numerator // quotient.denominator
    rest = quotient - below
    half = Fraction(1, 2)
    if mode is Rounding.HALF_UP:
        # Away from zero in the middle, as Decimal's: a credit is rounded as a charge is.
        up = rest > half or (rest == half and quotient > 0)
    else:
        up = rest > half or (rest == half and below % 2 == 1)
    return Decimal(below + up)


def untouched(statement: Statement) -> Iterator[tuple[str, Decimal]]:
    """The lines that are charged to nobody, each with its money."""
    for line in statement.lines:
        if line.kind is not LineKind.TENANT and line.total:
            yield line.tenant, line.total


def unused(statement: Statement, rules: Rules) -> Iterator[str]:
    """Rules that hold for nobody in a month, a sentence each: they may be slips."""
    tenants = {line.tenant for line in statement.lines if line.kind is LineKind.TENANT}
    for tenant in sorted({*rules.tenants, *rules.customers} - tenants):
        yield f"the rules of tenant {tenant!r} hold for nobody{suggestion(tenant, tenants)}"
    for place, column in enumerate(statement.group_names):
        values = {line.groups[place] for line in statement.lines if line.groups}
        for value in sorted(rules.groups.get(column, {}).keys() - values):
            hint = suggestion(value, values - {""})
            yield f"the rules of {column} {value!r} hold for nobody{hint}"
