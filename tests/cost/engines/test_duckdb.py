"""The default engine: what it must not do besides summing up."""

from __future__ import annotations

from tenantmetrics.cost.engines.duckdb import DuckDB
from tenantmetrics.cost.period import parse_month


def test_a_long_query_writes_nothing_to_standard_output(ledger, write_hour):
    """DuckDB's progress bar would stand in the middle of a CSV that is piped into a file."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    opened = DuckDB().open(ledger, parse_month("2026-11"), skip_corrupt=False)
    (shown,) = opened.rows("SELECT current_setting('enable_progress_bar')")
    opened.close()
    assert shown == (False,)
