"""What the formats share."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tenantmetrics.cost.statement import LineKind
from tenantmetrics.errors import UnbalancedError
from tenantmetrics.report.model import build


def test_nothing_is_shown_of_a_statement_that_does_not_add_up(make_statement):
    """The error names the pool and the difference."""
    statement = make_statement({"acme": (100, 200)})
    pools = (replace(statement.pools[0], amount=Decimal("1.03")), statement.pools[1])
    with pytest.raises(UnbalancedError, match=r"Data API is 1.03 USD .* difference of -0.02"):
        build(replace(statement, pools=pools))


def test_folded_rows_still_add_up(make_statement):
    """All but the dearest in one row: money, usage and shares are those of the whole."""
    report = build(make_statement({f"t{n:02}": (50 - n, n) for n in range(40)}))
    rows = report.folded(10)
    assert len(rows) == 10 + 1 + 2
    fold = rows[10]
    assert (fold.tenant, fold.kind, fold.folded) == ("30 more tenants", None, 30)
    assert sum(row.total for row in rows) == report.statement.total
    assert sum(row.usage.calls for row in rows) == report.everything.calls
    assert sum(row.amounts[0] for row in rows) == report.statement.pools[0].amount


def test_a_single_tenant_is_never_folded(make_statement):
    """A row that says "1 more tenant" would hide a name and save no line."""
    report = build(make_statement({"a": (3, 3), "b": (2, 2), "c": (1, 1)}))
    assert report.folded(2) == report.rows


def test_a_bill_of_zero_has_shares_of_zero(make_statement):
    """No division by zero, and the statement is still made."""
    statement = make_statement({"acme": (0, 0)})
    statement = replace(
        statement,
        lines=tuple(replace(line, amounts=(Decimal(0), Decimal(0))) for line in statement.lines),
        pools=tuple(replace(pool, amount=Decimal(0)) for pool in statement.pools),
    )
    assert [row.share for row in build(statement).rows] == [0, 0, 0]


def test_headline_figures_are_those_of_the_lines(make_statement):
    """Tenants, cost of a thousand calls, idle money."""
    report = build(make_statement({"acme": (100, 200), "bee": (1, 1)}))
    assert report.tenants == 2
    assert report.of(LineKind.IDLE) == Decimal("2.50")
    assert report.per_thousand_calls() == report.statement.total * 1000 / 101_007


def test_draft_and_estimate_stand_in_the_status_with_their_reasons(make_statement):
    """A draft says why; a final bill has no badge."""
    report = build(make_statement({"acme": (1, 1)}, draft=("the month is not over",)))
    assert report.status == ("DRAFT", "ESTIMATE")
    assert report.caveats[0] == "Draft: the month is not over."
    assert build(make_statement({"acme": (1, 1)}, estimate=False)).status == ()
