"""The statements that took a tenant's calls longest."""

from __future__ import annotations

import pytest

from tenantmetrics.cost import monthly
from tenantmetrics.cost.period import parse_month
from tenantmetrics.cost.top_statements import top_statements
from tests.statement_rows import Opened

NOVEMBER = parse_month("2026-11")
START_S = 1_795_168_800


def row(tenant, summary, calls, milliseconds, *, kind="work", start_s=START_S, writer="w"):
    """A row of the table of statements."""
    return (
        start_s, 60, writer, 0, tenant, "arn:x", "app", hash(summary) % 1000, summary, kind, calls,
        milliseconds * 10**6, 0, 0, 0, 0, calls * 2, calls,
    )  # fmt: skip


def test_each_tenant_has_its_longest_statements_over_windows_and_writers():
    """Summed by summary, cold calls among them; not BEGIN and SET, and not other months."""
    opened = Opened(
        [
            row("acme", "SELECT a", 3, 30),
            row("acme", "SELECT a", 1, 10, writer="v", kind="cold_work"),
            row("acme", "SELECT b", 1, 39),
            row("acme", "SELECT c", 9, 5),
            row("acme", "BEGIN", 9, 900, kind="workless"),
            row("acme", "SELECT old", 9, 900, start_s=START_S - 40 * 86_400),
            row("bee", "SELECT a", 5, 1),
        ]
    )
    found = top_statements(opened, NOVEMBER, 2)
    shown = {
        tenant: [(one.summary, one.calls, one.duration_ns, one.rows) for one in of_it]
        for tenant, of_it in found.items()
    }
    assert shown == {
        "acme": [("SELECT a", 4, 40 * 10**6, 12), ("SELECT b", 1, 39 * 10**6, 3)],
        "bee": [("SELECT a", 5, 10**6, 15)],
    }
    assert list(top_statements(opened, NOVEMBER, 2, ["bee", "o'hara", "back\\slash"])) == ["bee"]


def test_equal_statements_are_in_the_order_of_their_text():
    """Whatever the order of the rows."""
    rows = [row("acme", f"SELECT {name}", 1, 7) for name in "cab"]
    (found,) = top_statements(Opened(rows), NOVEMBER, 2).values()
    assert [one.summary for one in found] == ["SELECT a", "SELECT b"]


def test_they_are_looked_up_when_asked_for(worked_ledger):
    """A scan of its own: not for a report without statements."""
    assert monthly(worked_ledger).top_statements is None
    found = monthly(worked_ledger, top_statements=3).top_statements
    assert found is not None
    assert {tenant: [one.summary for one in of_it] for tenant, of_it in found.items()} == {
        "chatty": ["SELECT s11"],
        "heavy": ["SELECT s22"],
    }


@pytest.mark.long
def test_on_s3_they_are_the_same(worked_ledger, upload):
    """The month's statements are fetched with its usage."""
    there = monthly(upload(), month="2026-11", top_statements=3)
    assert there.top_statements == monthly(worked_ledger, top_statements=3).top_statements != {}


def test_a_ledger_without_statements_has_none(ledger, write_hour):
    """As those of version 1, exported logs and metrics."""
    write_hour("2026-11-20T10:00", {"acme": (3, 40)})
    assert monthly(ledger, top_statements=3).top_statements == {}
