"""What every format shows: rows with shares, headline figures, the method in words.

Numbers stay numbers here; each format writes them its own way, with the helpers in `text`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cached_property
from operator import attrgetter

from tenantmetrics.cost.statement import Line, LineKind, Statement, Usage
from tenantmetrics.records import UNMETERED
from tenantmetrics.report.coins import decimals_note
from tenantmetrics.report.compare import Comparison, compare
from tenantmetrics.report.work import Work, coverage, differences, work_of

__all__ = ["MEANING", "GroupSum", "Report", "Row", "build"]

MEANING = {
    LineKind.TENANT: "",
    LineKind.UNATTRIBUTED: "calls that named no tenant",
    LineKind.OVERFLOW: "tenants beyond a cap on series",
    LineKind.UNMETERED: "load that no metered call caused",
    LineKind.IDLE: "capacity that nobody used",
    LineKind.SHARED: "cost that belongs to all",
    LineKind.UNCLASSIFIED: "charges that match no pool",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line, with what follows from it.

    Attributes:
        tenant: The tenant's id, or a name such as `__idle__`.
        kind: What the line stands for; None for a row that folds several tenants.
        usage: What its calls did.
        amounts: Money by pool.
        total: Money over all pools.
        share: Part of the whole bill, 0 to 1; 0 where the bill is 0.
        groups: Its groups, in the order of the statement's `group_names`.
        revenue: What the tenant pays, where that is known.
        folded: How many tenants the row stands for.
        work: What it made the database do; None where that was not estimated.
        others: Money by pool with commitments counted the other way; empty where it is the same.
    """

    tenant: str
    kind: LineKind | None
    usage: Usage
    amounts: tuple[Decimal, ...]
    total: Decimal
    share: Decimal
    groups: tuple[str, ...] = ()
    revenue: Decimal | None = None
    folded: int = 1
    work: Work | None = None
    others: tuple[Decimal, ...] = ()

    @property
    def margin(self) -> Decimal | None:
        """What is left of the revenue; None where there is none known."""
        return None if self.revenue is None else self.revenue - self.total


@dataclass(slots=True)
class GroupSum:
    """The tenants of one group; revenue is of those for which it is known."""

    name: str
    tenants: int = 0
    total: Decimal = Decimal(0)
    revenue: Decimal | None = None

    def add(self, row: Row) -> None:
        """Count a tenant in."""
        self.tenants += 1
        self.total += row.total
        if row.revenue is not None:
            self.revenue = (self.revenue or Decimal(0)) + row.revenue


@dataclass(frozen=True)
class Report:
    """A statement, ready to be shown.

    Attributes:
        statement: Where it comes from.
        rows: All of its lines.
        everything: The sum of the rows' usage.
    """

    statement: Statement
    rows: tuple[Row, ...]
    everything: Usage

    @property
    def title(self) -> str:
        """The heading."""
        return f"Cost per tenant, {self.statement.period.label}"

    @property
    def status(self) -> tuple[str, ...]:
        """Words that must stand out: DRAFT, ESTIMATE."""
        draft = ("DRAFT",) if self.statement.draft else ()
        return draft + (("ESTIMATE",) if self.statement.estimate else ())

    @property
    def caveats(self) -> tuple[str, ...]:
        """Why those words stand there, a sentence each."""
        why = [f"Draft: {reason}." for reason in self.statement.draft]
        if self.statement.estimate:
            why.append(f"Estimate, not a bill: usage at {self.statement.basis}.")
        if words := decimals_note(self.statement.quantum, self.statement.currency):
            why.append(words)
        if (rate := self.statement.rate) is not None:
            billed = f"{rate.total:f} {rate.base}"
            why.append(f"Converted from {billed} at {rate.words()}; notes have {rate.base}.")
        return tuple(why)

    @property
    def comparison(self) -> Comparison | None:
        """What changed since the statement it is compared with, if there is one."""
        previous = self.statement.previous
        return None if previous is None else compare(self.statement, previous)

    def groups(self) -> tuple[tuple[str, tuple[GroupSum, ...]], ...]:
        """Tenants' money by each kind of group, the most expensive group first."""
        result = []
        for place, name in enumerate(self.statement.group_names):
            sums: dict[str, GroupSum] = {}
            for row in self.rows:
                if row.kind is LineKind.TENANT:
                    value = row.groups[place] if row.groups else ""
                    sums.setdefault(value, GroupSum(value)).add(row)
            ordered = sorted(sums.values(), key=lambda group: (-group.total, group.name))
            result.append((name, tuple(ordered)))
        return tuple(result)

    def per_gigabyte(self) -> Decimal | None:
        """What a gigabyte (10**9 bytes) sent and received cost in compute and requests.

        None where none was moved. What is stored or taxed does not hang on it.
        """
        moved = self.everything.request_bytes + self.everything.response_bytes
        amounts = (p.amount for p in self.statement.pools if p.name in {"compute", "data_api"})
        return sum(amounts, Decimal(0)) * 10**9 / moved if moved else None

    def meaning(self, row: Row) -> str:
        """What a line stands for, and of idle capacity, what says how much it is."""
        return ": ".join(filter(None, self.words(row)))

    def words(self, row: Row) -> tuple[str, str]:
        """The two parts of a line's meaning; "" where there is none."""
        why = self.statement.idle_by if row.kind is LineKind.IDLE else ""
        return MEANING[row.kind] if row.kind else "", why

    @property
    def losses(self) -> tuple[Row, ...]:
        """Tenants that pay less than they cost, the largest loss first."""
        losing = [row for row in self.rows if row.margin is not None and row.margin < 0]
        return tuple(sorted(losing, key=lambda row: (row.margin, row.tenant)))

    @property
    def revenue(self) -> Decimal:
        """What the tenants pay whose revenue is known."""
        return sum((row.revenue for row in self.rows if row.revenue is not None), Decimal(0))

    @property
    def margin(self) -> Decimal:
        """What is left of it: their revenue less their cost."""
        return sum((row.margin for row in self.rows if row.margin is not None), Decimal(0))

    @property
    def tenants(self) -> int:
        """How many tenants there are."""
        return sum(row.kind is LineKind.TENANT for row in self.rows)

    def of(self, kind: LineKind) -> Decimal:
        """Money on all lines of a kind."""
        return sum((row.total for row in self.rows if row.kind is kind), Decimal(0))

    def per_thousand_calls(self) -> Decimal | None:
        """What a thousand calls cost; None without calls."""
        calls = self.everything.calls
        return self.statement.total * 1000 / calls if calls else None

    def folded(self, top: int) -> tuple[Row, ...]:
        """The rows, all but the `top` most expensive tenants in one, so that they still add up."""
        tenants = [row for row in self.rows if row.kind is LineKind.TENANT]
        others = [row for row in self.rows if row.kind is not LineKind.TENANT]
        rest = tenants[top:]
        if len(rest) < 2:  # noqa: PLR2004 - one tenant folded would take the same row
            return self.rows
        amounts = tuple(sum(column) for column in zip(*(row.amounts for row in rest), strict=True))
        total = sum((row.total for row in rest), Decimal(0))
        row = Row(
            tenant=f"{len(rest):,} more tenants",
            kind=None,
            usage=_sum(row.usage for row in rest),
            amounts=tuple(Decimal(amount) for amount in amounts),
            total=total,
            share=_share(total, self.statement.total),
            folded=len(rest),
            work=_work_sum(rest),
        )
        return (*tenants[:top], row, *others)

    @cached_property
    def server_ns(self) -> int:
        """Server time of all rows, the unmetered among it; 0 where it was not estimated."""
        return sum(row.work.server_ns for row in self.rows if row.work is not None)

    @cached_property
    def differences(self) -> tuple[str, ...]:
        """Tenants whose share of the work differs most from their share of wall time."""
        return differences(self.rows)

    def method(self) -> tuple[str, ...]:
        """How the bill was divided, a sentence each."""
        sentences = [
            f"{pool.title}: {pool.detail}; divided by {pool.driver}."
            for pool in self.statement.pools
        ]
        server = self.statement.server_time
        if server is not None:
            sentences += coverage(server)
        sentences.append(
            "Shares are rounded by largest remainder, so the lines add up to every pool exactly."
        )
        return tuple(sentences)


def build(statement: Statement) -> Report:
    """Make the model that the formats share.

    Raises:
        UnbalancedError: The statement's lines do not add up; nothing of it may be shown.
    """
    statement.check()
    server = statement.server_time
    work = {} if server is None else work_of(server)
    if server is not None and server.unmetered_ns:
        work[UNMETERED] = Work(server.unmetered_ns)
    rows = tuple(_row(line, statement.total, work.get(line.tenant)) for line in statement.lines)
    return Report(statement, rows, _sum(row.usage for row in rows))


def _row(line: Line, whole: Decimal, work: Work | None) -> Row:
    total = line.total
    return Row(
        line.tenant,
        line.kind,
        line.usage,
        line.amounts,
        total,
        _share(total, whole),
        line.groups,
        line.revenue,
        work=work,
        others=line.others,
    )


def _work_sum(rows: Sequence[Row]) -> Work | None:
    """Of several rows; the sum of intervals is none."""
    works = [row.work for row in rows if row.work is not None]
    if not works:
        return None
    shares = [work.share for work in works if work.share is not None]
    return Work(sum(work.server_ns for work in works), sum(shares, Decimal(0)))


def _share(part: Decimal, whole: Decimal) -> Decimal:
    return part / whole if whole else Decimal(0)


def _sum(usages: Iterable[Usage]) -> Usage:
    names = [field.name for field in fields(Usage)]
    # One tuple a usage and one sum a column: 100,000 usages take a tenth of a second.
    columns = zip(*map(attrgetter(*names), usages), strict=True)
    return Usage(**dict(zip(names, map(sum, columns), strict=False)))
