"""The default engine: what it must not do besides summing up."""

from __future__ import annotations

import pytest

from tenantmetrics.cost.engines.duckdb import DuckDB
from tenantmetrics.cost.period import parse_month


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
