"""What a reader should see first: who costs more than it pays, moved most, is new or is gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from tenantmetrics.cost.statement import LineKind, Statement
from tenantmetrics.report.coins import given
from tenantmetrics.report.model import Report
from tenantmetrics.report.text import money

__all__ = ["MARGIN", "first"]

MARGIN = "Margin is revenue less what the database cost: it knows no other cost."

_MOST = 10
"""Tenants that a sentence names."""
_MOST_MOVED = 5


def first(report: Report) -> tuple[str, ...]:
    """Sentences, what may hurt most before the rest; none where there is nothing to say."""
    return (*_losses(report), *_changes(report))


def _losses(report: Report) -> Iterator[str]:
    statement, losses = report.statement, report.losses
    if not losses:
        return
    named = [
        f"{row.tenant} (pays {given(row.revenue or Decimal(0), statement)}, costs "
        f"{money(row.total, statement.quantum)})"
        for row in losses[:_MOST]
    ]
    verb = "s cost more than they pay" if len(losses) > 1 else " costs more than it pays"
    yield f"{len(losses):,} tenant{verb}: {_listed(named, len(losses))}."


def _changes(report: Report) -> Iterator[str]:
    statement = report.statement
    before = statement.previous
    if before is None or before.currency != statement.currency:
        return
    quantum = max(statement.quantum, before.quantum)
    now, then = _totals(statement), _totals(before)
    moved = sorted(
        ((now[name] - then[name], name) for name in now.keys() & then.keys()),
        key=lambda pair: (-abs(pair[0]), pair[1]),
    )
    named = []
    for change, name in moved[:_MOST_MOVED]:
        if change:
            sign = "+" if change > 0 else ""
            now_costs = money(now[name], quantum)
            named.append(f"{name} {sign}{money(change, quantum)} (to {now_costs})")
    if named:
        yield f"Moved most since {before.period.label}: {', '.join(named)}."
    for what, here, there in (("New", now, then), ("Gone", then, now)):
        alone = sorted(here.keys() - there.keys(), key=lambda name: (-here[name], name))
        if alone:
            words = [f"{name} ({money(here[name], quantum)})" for name in alone[:_MOST]]
            count = f"{len(alone):,} tenant{'s' * (len(alone) > 1)}"
            listed = _listed(words, len(alone))
            yield f"{what} since {before.period.label}, {count}: {listed}."


def _totals(statement: Statement) -> dict[str, Decimal]:
    """Tenants that did something, or cost something."""
    return {
        line.tenant: line.total
        for line in statement.lines
        if line.kind is LineKind.TENANT and (line.usage.calls or line.total)
    }


def _listed(names: Sequence[str], of: int) -> str:
    more = f" and {of - len(names):,} more" if of > len(names) else ""
    return ", ".join(names) + more
