"""What one tenant may see of a month: its own figures, and no figure that others' are a part of.

Everything that a format shows of a tenant comes from a `TenantStatement`, and that is made here. It
leaves out what would tell of others: pools' sums, shares of the whole, the details of pools (they
have quantities of the cluster), notes, the bill's name and account, reasons of a draft with amounts
or names in them, and summaries of statements that name another tenant. Left out, too, is what is
between the provider and nobody else: revenue, margin, groups, and with rules the cost before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property

from tenantmetrics.cost.allocate import apportion
from tenantmetrics.cost.invoicing.price import invoices
from tenantmetrics.cost.invoicing.rules import Rules, suggestion
from tenantmetrics.cost.precision import says_enough, smallest_coin, steps
from tenantmetrics.cost.statement import Line, LineKind, Statement
from tenantmetrics.cost.top_statements import OTHER_STATEMENTS, TopStatement
from tenantmetrics.errors import ReportError
from tenantmetrics.report.coins import decimals_note
from tenantmetrics.report.tenant_statement.model import Month, Part, TenantStatement
from tenantmetrics.report.tenant_statement.others import Others
from tenantmetrics.report.work import METHOD_TITLES

__all__ = ["MOST_MONTHS", "Statements"]

MOST_MONTHS = 13
"""Months of a trend: a year, and the same month of the year before."""

_NOT_OVER = "the month is not over"
_HIDDEN = "a statement on other tables"
_OTHERS = "all other statements"


class Statements:
    """The statements of a month's tenants.

    Args:
        statement: The month, of all tenants.
        earlier: Earlier months, the first first; of another currency is refused.
        without_money: Labels of earlier months whose money is not known.
        stored: Bytes by tenant, where they were measured.
        rules: Markup and rounding; the amounts are cost if None.
        quantum: The smallest amount that is charged; the currency's coin if None.
        others: Names of tenants that are in none of these months, such as the tenants' file has.

    Raises:
        UnbalancedError: A month's lines do not add up.
        ReportError: The rules do not fit the tenants' file, or an earlier month is in another
            currency.
    """

    def __init__(
        self,
        statement: Statement,
        *,
        earlier: Sequence[Statement] = (),
        without_money: Sequence[str] = (),
        stored: Mapping[str, int] | None = None,
        rules: Rules | None = None,
        quantum: Decimal | None = None,
        others: Iterable[str] = (),
    ) -> None:
        statement.check()
        self._statement = statement
        self._stored = stored
        self._rules = rules
        self._elsewhere = frozenset(others)
        self._coin = quantum or smallest_coin(statement.currency)
        self._lines = _tenants_of(statement)
        self._parts = self._parts_of(statement)
        self._earlier = []
        for month in earlier[-(MOST_MONTHS - 1) :]:
            month.check()
            if month.currency != statement.currency:
                raise ReportError(
                    f"{month.period.label} is in {month.currency} and {statement.period.label} in "
                    f"{statement.currency}: they cannot stand in one trend"
                )
            lines = _tenants_of(month)
            parts = None if month.period.label in without_money else self._parts_of(month)
            self._earlier.append((month, lines, parts))

    @property
    def tenants(self) -> list[str]:
        """All tenants, by falling cost."""
        return list(self._lines)

    @property
    def month(self) -> str:
        """The month, such as "2026-11"."""
        return self._statement.period.label

    def check(self, tenants: Sequence[str]) -> None:
        """Make sure that these are tenants of the month.

        Raises:
            ReportError: One is not; names the one that may be meant.
        """
        for tenant in tenants:
            if tenant not in self._lines:
                raise ReportError(
                    f"there is no tenant {tenant!r} in {self._statement.period.label}"
                    f"{suggestion(tenant, self._lines)}"
                ).about("statement_for")

    def of(self, tenant: str) -> TenantStatement:
        """One tenant's statement.

        Args:
            tenant: One of `tenants`.
        """
        whole, line = self._statement, self._lines[tenant]
        parts = tuple(part for part in self._parts[tenant] if part.amount)
        quantum = self._quantum_of(line, whole.quantum)
        total = sum((part.amount for part in parts), quantum * 0)
        worked = whole.server_time.tenants.get(tenant) if whole.server_time is not None else None
        server_ns = None if whole.server_time is None else worked.server_ns if worked else 0
        this = Month(whole.period.label, total, line.usage.calls, bool(whole.draft))
        return TenantStatement(
            tenant=tenant,
            period=whole.period,
            currency=whole.currency,
            quantum=quantum,
            is_charge=self._rules is not None,
            status=(
                *(("DRAFT",) if whole.draft else ()),
                *(("ESTIMATE",) if whole.estimate else ()),
            ),
            caveats=_caveats(whole, quantum),
            parts=parts,
            usage=line.usage,
            server_ns=server_ns,
            load=None
            if server_ns is None or _NOT_OVER in whole.draft
            else server_ns / 1e9 / (whole.period.end_s - whole.period.start_s),
            stored_bytes=None if self._stored is None else self._stored.get(tenant, 0),
            months=(*self._trend(tenant), this),
            top_statements=self._top(tenant),
            method=tuple(_method(whole, parts, is_charge=self._rules is not None)),
        )

    def _trend(self, tenant: str) -> list[Month]:
        """The earlier months, from the first in which there was anything of it."""
        months: list[Month] = []
        for month, lines, parts in self._earlier:
            line = lines.get(tenant)
            total: Decimal | None = month.quantum * 0
            if parts is None:
                total = None
            elif line is not None:
                total = sum((part.amount for part in parts[tenant]), Decimal(0))
            calls = line.usage.calls if line is not None else 0
            if months or line is not None:
                months.append(Month(month.period.label, total, calls, bool(month.draft)))
        return months

    def _parts_of(self, statement: Statement) -> dict[str, list[Part]]:
        """Every tenant's amounts by pool, those of 0 among them."""
        if self._rules is not None:
            return {
                invoice.tenant: [Part(line.part, line.title, line.amount) for line in invoice.lines]
                for invoice in invoices(statement, self._rules, quantum=self._coin)
            }
        return {
            tenant: [
                Part(pool.name, pool.title, amount)
                for pool, amount in zip(
                    statement.pools, self._shown(line, statement.quantum), strict=True
                )
            ]
            for tenant, line in _tenants_of(statement).items()
        }

    def _quantum_of(self, line: Line, quantum: Decimal) -> Decimal:
        """What a tenant's amounts are shown in: coins, where its own say enough in them.

        More decimals because of what others cost would tell of them.
        """
        if self._rules is not None:
            return max(self._coin, self._rules.round_to or Decimal(0))
        for coarser in steps(smallest_coin(self._statement.currency)):
            if coarser > quantum and says_enough([line.total], coarser):
                return coarser
        return quantum

    def _shown(self, line: Line, quantum: Decimal) -> Sequence[Decimal]:
        shown = self._quantum_of(line, quantum)
        if shown == quantum:
            return line.amounts
        return [units * shown for units in apportion(line.amounts, shown)]

    def _top(self, tenant: str) -> tuple[TopStatement, ...] | None:
        if self._statement.top_statements is None:
            return None
        found: dict[str, TopStatement] = {}
        for statement in self._statement.top_statements.get(tenant, ()):
            summary = statement.summary
            if summary == OTHER_STATEMENTS:
                summary = _OTHERS
            elif self._others.named_in(summary, tenant):
                summary = _HIDDEN
            known = found.get(summary)
            found[summary] = TopStatement(
                summary,
                statement.calls + (known.calls if known else 0),
                statement.duration_ns + (known.duration_ns if known else 0),
                statement.rows + (known.rows if known else 0),
            )
        return tuple(sorted(found.values(), key=lambda one: (-one.duration_ns, one.summary)))

    @cached_property
    def _others(self) -> Others:
        earlier = (name for _, lines, _ in self._earlier for name in lines)
        return Others({*self._lines, *earlier, *(self._stored or ()), *self._elsewhere})


def _tenants_of(statement: Statement) -> dict[str, Line]:
    return {line.tenant: line for line in statement.lines if line.kind is LineKind.TENANT}


def _caveats(statement: Statement, quantum: Decimal) -> tuple[str, ...]:
    """Why a statement is not final: other reasons have amounts, counts and clusters in them."""
    caveats = []
    if statement.draft:
        over = _NOT_OVER not in statement.draft
        caveats.append(f"Draft: {'the figures may still change' if over else _NOT_OVER}.")
    if statement.estimate:
        caveats.append("Estimate at list prices, not of a bill.")
    if words := decimals_note(quantum, statement.currency):
        caveats.append(words)
    return tuple(caveats)


def _method(statement: Statement, parts: Sequence[Part], *, is_charge: bool) -> list[str]:
    """How the amounts come about; the drivers' words are fixed and have no figures."""
    drivers = {pool.name: pool.driver for pool in statement.pools}
    sentences = [
        f"{part.title}: by {drivers[part.name]}." for part in parts if part.name in drivers
    ]
    server = statement.server_time
    if server is not None and server.methods:
        titles = ", ".join(METHOD_TITLES[method.method] for method in server.methods)
        sentences.append(f"Server time is the time that PostgreSQL worked, found by {titles}.")
    if statement.rate is not None:
        sentences.append(f"Converted: {statement.rate.words()}.")
    if is_charge:
        sentences.append("Amounts are what is charged; they are rounded and add up to the total.")
    return sentences
