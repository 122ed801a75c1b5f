"""FOCUS rows as CSV: one row a line and pool, for whoever loads cost data in that form.

The mandatory columns of FOCUS 1.2 and the Allocated columns of 1.3; the tenant stands in
`x_TenantId` too. Of each pool the rows' costs sum to the pool and their ratios to 1. The origin
charge counts as a quantity of one, so a row's quantity is its ratio. BilledCost is what was billed
and EffectiveCost what it is worth with commitments counted when they are used; where the bill tells
of one only, both are that. ListCost and ContractedCost are the bill's own, divided as the pool is;
where the bill has none, and at list prices, they are the effective cost. FOCUS wants no null there.
https://focus.finops.org/focus-specification/v1-3
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tenantmetrics.cost.allocate import by_remainder
from tenantmetrics.cost.drivers import WORDS, Driver
from tenantmetrics.cost.statement import LineKind, Pool, Statement
from tenantmetrics.report import rate
from tenantmetrics.report.documents import moment
from tenantmetrics.report.model import Report, Row, build
from tenantmetrics.report.text import guarded, write_files
from tenantmetrics.report.work import method_versions

__all__ = ["COLUMNS", "as_focus", "write"]

COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency",
    "BillingPeriodStart", "BillingPeriodEnd", "ChargeCategory", "ChargeClass", "ChargeDescription",
    "ChargePeriodStart", "ChargePeriodEnd", "ContractedCost", "EffectiveCost", "InvoiceIssuerName",
    "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName", "ServiceSubcategory", "ChargeFrequency", "InvoiceId",
    "AllocatedMethodId", "AllocatedMethodDetails", "AllocatedResourceId", "AllocatedResourceName",
    "AllocatedTags", "x_TenantId", "x_LineKind", "x_Status",
)  # fmt: skip

_CATEGORIES = {"credits": "Credit", "taxes": "Tax"}
_SERVICES = {
    "observability": ("Management and Governance", "Amazon CloudWatch", "Observability"),
    "secrets": ("Security", "AWS Secrets Manager", "Other (Security)"),
}
_SERVICES |= dict.fromkeys(
    ("credits", "taxes", "fixed", "unclassified"), ("Other", "unspecified", "Other (Other)")
)
_DATABASE = ("Databases", "Amazon Aurora", "Relational Databases")
"""Category, service and subcategory (FOCUS 1.2, ServiceSubcategory)."""


def as_focus(statement: Statement) -> str:
    """The statement as FOCUS rows in CSV.

    Raises:
        UnbalancedError: The statement's lines do not add up.
    """
    report = build(statement)
    out = io.StringIO()
    writer = csv.writer(out)
    extra, converted = _conversion(statement)
    writer.writerow((*COLUMNS, *extra))
    names = statement.group_names
    # What a row says in every pool, once: there may be a million rows to write.
    rows = [
        (
            row,
            guarded(row.tenant),
            json.dumps(dict(zip(names, row.groups, strict=False)), ensure_ascii=False),
            json.dumps(report.meaning(row)) if row.kind is not LineKind.TENANT else "",
        )
        for row in report.rows
    ]
    for index, pool in enumerate(statement.pools):
        of_pool = _OfPool.of(report, pool)
        writer.writerows(
            of_pool.row(row, tenant, tags, *costs, meaning=meaning) + converted
            for (row, tenant, tags, meaning), *costs in zip(
                rows, *of_pool.costs(report, index), strict=True
            )
            if costs[0] or costs[1]
        )
    return out.getvalue()


def write(statement: Statement, path: str | os.PathLike[str]) -> None:
    """Write `as_focus`'s rows to a file, whole or not at all.

    Raises:
        UnbalancedError: The statement's lines do not add up.
        ReportError: The file cannot be written.
    """
    write_files({path: as_focus(statement)})


def _conversion(statement: Statement) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns of our own on the exchange rate, and their values; none without one."""
    if statement.rate is None:
        return (), ()
    names = ("x_BilledCurrency", "x_ExchangeRate", "x_ExchangeRateDate", "x_ExchangeRateSource")
    return names, rate.cells(statement.rate)


@dataclass(frozen=True, slots=True)
class _OfPool:
    """A pool's rows: what they share stands in runs of neighbouring columns."""

    amount: Decimal
    other: Decimal
    is_amortized: bool
    first: tuple[str, ...]
    last: tuple[str, ...]
    driver: str
    methods: str
    status: str
    has_quantity: bool

    @classmethod
    def of(cls, report: Report, pool: Pool) -> _OfPool:
        statement = report.statement
        start, end = moment(statement.period.start_s), moment(statement.period.end_s)
        account = statement.account or "unspecified"
        # A tax has no quantity, a credit need not have one (FOCUS 1.2, PricingQuantity).
        category = _CATEGORIES.get(pool.name, "Usage")
        has_quantity = category == "Usage"
        return cls(
            amount=pool.amount,
            other=pool.amount if pool.other is None else pool.other,
            is_amortized=statement.amortized,
            first=(
                account, "", statement.currency, start, end,
                category, "",
                f"{pool.title}, allocated by {pool.driver}", start, end,
            ),
            last=(
                "Share" if has_quantity else "",
                "AWS", "AWS", *_SERVICES.get(pool.name, _DATABASE),
                "Usage-Based" if has_quantity else "One-Time", guarded(pool.invoice),
                f"tenantmetrics:{pool.name}",
            ),
            driver=json.dumps(pool.driver),
            methods=_methods(statement, pool),
            status=" ".join(report.status) or "FINAL",
            has_quantity=has_quantity,
        )  # fmt: skip

    def costs(self, report: Report, index: int) -> Iterator[Sequence[Decimal]]:
        """The rows' amounts in the pool of that number, and the same counted in three other ways.

        They are: with commitments counted the other way, at list prices, at agreed prices.
        """
        amounts = [row.amounts[index] for row in report.rows]
        others = [row.others[index] if row.others else row.amounts[index] for row in report.rows]
        effective = amounts if self.is_amortized else others
        pool, quantum = report.statement.pools[index], report.statement.quantum
        yield from (amounts, others)
        for cost in (pool.listed, pool.contracted):
            shares = effective if any(effective) else amounts
            if cost is None or not sum(shares, Decimal(0)):
                yield effective
            else:
                yield _shared(cost, shares, quantum)

    def row(  # noqa: PLR0917 - the values that differ from row to row
        self,
        row: Row,
        tenant: str,
        tags: str,
        amount: Decimal,
        other: Decimal,
        listed: Decimal,
        contracted: Decimal,
        *,
        meaning: str,
    ) -> tuple[str, ...]:
        """One row, its values in the order of `COLUMNS`."""
        means = f', "x_Meaning": {meaning}' if meaning else ""
        cost = f"{amount:f}"
        more = cost if other == amount else f"{other:f}"
        billed, effective = (more, cost) if self.is_amortized else (cost, more)
        # Where commitments make the one nothing, the other one has the ratio; charges that cancel
        # each other out have none.
        share = amount / self.amount if self.amount else Decimal(0)
        if not self.amount and self.other:
            share = other / self.other
        ratio = f"{share:.12f}"
        # What json.dumps makes of it, without calling it a million times.
        details = (
            f'{{"Elements": [{{"AllocatedRatio": {float(ratio)!r}, "UsageUnit": {self.driver}}}]'
            f"{self.methods}{means}}}"
        )
        return (
            billed, *self.first, f"{contracted:f}", effective, "AWS", f"{listed:f}",
            ratio if self.has_quantity else "", *self.last, details,
            tenant, tenant, tags, tenant if row.kind is LineKind.TENANT else "", str(row.kind),
            self.status,
        )  # fmt: skip


def _shared(cost: Decimal, shares: Sequence[Decimal], quantum: Decimal) -> list[Decimal]:
    """A cost by shares of either sign, in whole quanta that add up to it: by largest remainder."""
    parts = by_remainder(round(cost / quantum), [int(share / quantum) for share in shares])
    return [part * quantum for part in parts]


def _methods(statement: Statement, pool: Pool) -> str:
    """How server time was found, as a member of the details; empty for other drivers."""
    if statement.server_time is None or pool.driver != WORDS[Driver.SERVER_TIME]:
        return ""
    return f', "x_Methods": {json.dumps(method_versions(statement.server_time))}'
