"""Every row of the tenants' file is used or named."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tenantmetrics.cost import Capacity, monthly, read_capacity
from tenantmetrics.cost.statement import LineKind


@pytest.fixture
def of(ledger, write_hour, tmp_path):
    """A statement of the tenants acme and bee with a file of facts."""
    write_hour("2026-11-20T10:00", {"acme": (3, 40), "bee": (1, 10)})

    def make(text, **more):
        path = tmp_path / "tenants.csv"
        path.write_text(text)
        return monthly(ledger, month="2026-11", tenants=path, **more)

    return make


@pytest.mark.parametrize("name", ["cee", "Bee", " bee", "ACME", "bee "])
def test_a_tenant_that_pays_and_did_nothing_has_a_line_and_a_margin(of, name):
    """Whatever it is called, its revenue does not vanish."""
    statement = of(f"tenant,revenue,plan\nacme,10,pro\n{name},7,free\n")
    line = next(line for line in statement.lines if line.tenant == name)
    assert (line.kind, line.total, line.revenue, line.groups) == (LineKind.TENANT, 0, 7, ("free",))
    assert sum(one.revenue or 0 for one in statement.lines) == 17
    note = next(note for note in statement.notes if "named nobody with usage" in note)
    assert name in note
    assert "a revenue of 7" in note
    assert statement.lines[-1].kind is not LineKind.TENANT


@pytest.mark.parametrize(
    ("name", "alike"), [("Bee", "bee"), (" bee", "bee"), ("ACME", "acme"), ("\uff41cme", "acme")]
)
def test_names_that_differ_by_case_or_blanks_are_pointed_out(of, name, alike):
    """They may be one tenant, and count as two."""
    statement = of(f"tenant,revenue\n{name},7\n")
    assert any(f"{name!r} and {alike!r}" in note for note in statement.notes)


def test_a_row_without_revenue_is_named_and_makes_no_line(of):
    """A group alone is nothing to show."""
    statement = of("tenant,plan\nacme,pro\ncee,free\n")
    assert "cee" not in [line.tenant for line in statement.lines]
    assert any("named nobody with usage: cee" in note for note in statement.notes)


def test_a_file_of_which_every_row_is_used_has_no_note(of):
    """Nothing to say."""
    statement = of("tenant,revenue\nacme,10\nbee,2\n")
    assert not any("file" in note for note in statement.notes)


def test_shares_that_no_pool_asks_for_are_said(of):
    """They change nothing."""
    assert any("shares" in n for n in of("tenant,share\nacme,0.5\nbee,0.5\n").notes)
    used = of("tenant,share\nacme,0.5\nbee,0.5\n", drivers={"compute": "fixed"})
    assert not any("shares of the tenants' file" in note for note in used.notes)


def test_hours_of_another_month_are_counted(of, tmp_path):
    """A capacity file of a year has them, and an off-by-one month, too."""
    path = tmp_path / "acu.csv"
    path.write_text("hour,acu\n2026-10-31T23,1\n2026-11-20T10,1\n2026-12-01T00,1\n")
    statement = of("tenant\nacme\n", capacity=Capacity(hourly=read_capacity(path)))
    assert any("2 hours of the capacity's are outside" in note for note in statement.notes)


def test_the_report_says_what_made_the_idle_part(of, tmp_path):
    """Nothing, or the measured part of each hour; of wall time no load is known."""
    path = tmp_path / "acu.csv"
    for more, words in (("", "nothing says how much"), (",40", "the CPU did not use")):
        head = "hour,acu,utilization_percent" if more else "hour,acu"
        path.write_text(f"{head}\n2026-11-20T10,1{more}\n2026-11-20T11,1{more}\n")
        statement = of("tenant\nacme\n", capacity=Capacity(hourly=read_capacity(path)))
        assert words in next(p.detail for p in statement.pools if p.name == "compute")
        assert Decimal(0) < statement.total
