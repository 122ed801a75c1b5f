"""The default engine: what it must not do besides summing up."""

from __future__ import annotations

import re
import tempfile

import pytest

from tenantmetrics.cost.engines import views
from tenantmetrics.cost.engines.duckdb import DuckDB
from tenantmetrics.cost.period import parse_month
from tenantmetrics.errors import LedgerError


def test_a_long_query_writes_nothing_to_standard_output(ledger, write_hour):
    """DuckDB's progress bar would stand in the middle of a CSV that is piped into a file."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    opened = DuckDB().open(ledger, parse_month("2026-11"), skip_corrupt=False)
    (shown,) = opened.rows("SELECT current_setting('enable_progress_bar')")
    opened.close()
    assert shown == (False,)


@pytest.mark.parametrize("old", [0, 1])
def test_files_of_version_1_and_2_are_read_together(ledger, write_hour, as_version_1, old):
    """Whichever comes first; columns that the older one lacks count as 0."""
    paths = [write_hour(f"2026-11-20T10:0{n}", {"acme": (n + 1, 1)}) for n in range(2)]
    as_version_1(paths[old])
    opened = DuckDB().open(ledger, parse_month("2026-11"), skip_corrupt=False)
    rows = opened.rows("SELECT sum(calls), sum(waited_ns), sum(duration_us2) FROM usage")
    opened.close()
    assert rows == [(3, 0, 0)]


def test_the_statement_table_is_not_read_with_the_main_table(ledger, write_hour):
    """Its folder begins with an underscore, and its rows would count every call twice."""
    path = write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    beside = ledger / "_statements" / path.relative_to(ledger)
    beside.parent.mkdir(parents=True, exist_ok=True)
    beside.write_bytes(path.read_bytes())
    opened = DuckDB().open(ledger, parse_month("2026-11"), skip_corrupt=False)
    rows = opened.rows("SELECT sum(calls) FROM usage")
    opened.close()
    assert rows == [(1,)]


SUMS = (
    "SELECT tenant, sum(calls), sum(duration_ns), sum(waited_ns), sum(lost) FROM usage GROUP BY 1"
)


@pytest.fixture
def copies(tmp_path, monkeypatch):
    """A ledger of four files is one of many; where its copies are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(views, "_MANY", 4)
    monkeypatch.setattr(views, "_AT_ONCE", 3)
    return folder


def test_many_small_files_are_read_once_and_the_copy_is_gone_afterwards(
    ledger, write_hour, as_version_1, copies
):
    """Opening a file takes as long as its rows do, and a report asks several times."""
    paths = [
        write_hour(f"2026-11-20T10:0{n}", {"acme": (n + 1, 1), "bee": (1, n)}, losses={"closed": n})
        for n in range(4)
    ]
    as_version_1(paths[2])
    opened = DuckDB().open(ledger, parse_month("2026-11"), skip_corrupt=False)
    first = sorted(opened.rows(SUMS))
    assert len(list(copies.rglob("usage-*.parquet"))) == 2
    for path in list(ledger.rglob("*.parquet")):
        path.unlink()
    assert sorted(opened.rows(SUMS)) == first
    assert first[1:] == [("acme", 10, 4_000_000, 0, 0), ("bee", 4, 6_000_000, 0, 0)]
    assert first[0][-1] == 6
    opened.close()
    assert list(copies.iterdir()) == []


def test_a_broken_file_among_many_small_ones_is_named_or_left_out(ledger, write_hour, copies):
    """The copy is made anew without it."""
    paths = [write_hour(f"2026-11-20T10:0{n}", {"acme": (n + 1, 1)}) for n in range(5)]
    paths[1].write_bytes(paths[1].read_bytes()[:-9])
    opened = DuckDB().open(ledger, parse_month("2026-11"), skip_corrupt=False)
    with pytest.raises(LedgerError, match=re.escape(paths[1].name)):
        opened.rows(SUMS)
    opened.close()
    opened = DuckDB().open(ledger, parse_month("2026-11"), skip_corrupt=True)
    assert opened.rows(SUMS) == [("acme", 13, 4_000_000, 0, 0)]
    assert paths[1].name in opened.left_out()
    opened.close()
