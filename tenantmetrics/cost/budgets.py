"""Budgets of the tenants' file, and what a statement's lines have spent of them.

The column `budget` makes a row a budget: of the row's tenant; of a group or several, where the row
names no tenant; of one pool, where it fills the column `pool`; of all, where it names nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from decimal import Decimal

from tenantmetrics.cost.budget_model import Budget, BudgetState
from tenantmetrics.cost.cells import Cell, is_blank
from tenantmetrics.cost.inputs import BUDGET, POOL, TENANT_COLUMNS, tenant_rows
from tenantmetrics.cost.list_prices import TITLES
from tenantmetrics.cost.statement import Line, LineKind, Statement

__all__ = ["lines_of", "notes_on_budgets", "read_budgets", "spent_of"]

_NO_GROUPS = ("tenant", *TENANT_COLUMNS)
"""Columns of the tenants' file that are no groups."""


def read_budgets(path: str | os.PathLike[str]) -> list[Budget]:
    """The budgets of a tenants' file; none where it has no column `budget`.

    Raises:
        ReportError: The file or a value does not parse, a budget is there twice, or a row without
            a tenant has none; names file, row and column.
    """
    budgets: dict[tuple[str, tuple[tuple[str, str], ...], str], Budget] = {}
    for row in tenant_rows(path):
        if BUDGET not in row or is_blank(row):
            continue
        cell = row[BUDGET]
        if not cell.text.strip():
            if not row["tenant"].text.strip() or _pool(row):
                raise cell.wrong("a budget, and the row is of nothing else")
            continue
        budget = _budget(row, cell.amount("a budget, 0 or more"))
        key = (budget.tenant, budget.groups, budget.pool)
        if key in budgets:
            raise cell.wrong(f"the only budget of {budget.name!r}")
        budgets[key] = budget
    return list(budgets.values())


def _pool(row: dict[str, Cell]) -> str:
    return row[POOL].text.strip() if POOL in row else ""


def _budget(row: dict[str, Cell], amount: Decimal) -> Budget:
    pool = _pool(row)
    if pool and pool not in TITLES:
        raise row[POOL].wrong(f"a pool; they are {', '.join(TITLES)}")
    # A tenant's id is what it is, blanks among it; one of blanks alone is none.
    tenant = row["tenant"].text if row["tenant"].text.strip() else ""
    for column in ("revenue", "share"):
        if (not tenant or pool) and column in row and row[column].text.strip():
            raise row[column].wrong("empty, as it must be in a row that is a budget only")
    groups = [
        (name, cell.text) for name, cell in row.items()
        if name not in _NO_GROUPS and cell.text.strip() and not tenant
    ]  # fmt: skip
    return Budget(amount, tenant, tuple(groups), pool)


def lines_of(budget: Budget, statement: Statement) -> list[Line]:
    """The lines that a budget is of: all of them, where it names neither tenant nor group."""
    if budget.tenant:
        return [line for line in statement.lines if line.tenant == budget.tenant]
    if not budget.groups:
        return list(statement.lines)
    if not {name for name, _ in budget.groups} <= set(statement.group_names):
        return []
    places = [(statement.group_names.index(name), value) for name, value in budget.groups]
    return [
        line
        for line in statement.lines
        if line.kind is LineKind.TENANT
        and line.groups
        and all(line.groups[place] == value for place, value in places)
    ]


def spent_of(budget: Budget, statement: Statement, lines: Iterable[Line]) -> Decimal:
    """What the lines have spent, in the budget's pool or in all."""
    chosen = [not budget.pool or pool.name == budget.pool for pool in statement.pools]
    return sum(
        (
            amount
            for line in lines
            for amount, is_chosen in zip(line.amounts, chosen, strict=True)
            if is_chosen
        ),
        Decimal(0),
    )


def notes_on_budgets(states: Sequence[BudgetState]) -> list[str]:
    """Which budgets are of nobody and of nothing on the statement."""
    nobody = [state.budget.name for state in states if not state.has_lines]
    if not nobody:
        return []
    more = f" and {len(nobody) - 10} more" if len(nobody) > 10 else ""  # noqa: PLR2004
    return [f"No line is of these budgets, so nothing was spent: {', '.join(nobody[:10])}{more}."]
