"""The ledger exporter: real Parquet on a real disk."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from datetime import UTC, datetime

import duckdb
import pyarrow.parquet as pq
import pytest

from tenantmetrics import ledger
from tenantmetrics.errors import ConfigError, MissingExtraError
from tenantmetrics.export.base import ExportError
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import UNATTRIBUTED

FOREVER = float("inf")


def _files(root):
    return sorted(p.relative_to(root) for p in root.rglob("*") if p.is_file())


def test_a_window_becomes_one_file_that_holds_every_number_exactly(tmp_path, make_window):
    """What goes in comes out: keys, integers beyond a double's reach, the histogram, the time."""
    window = make_window("acme")
    LedgerExporter(tmp_path).export([window], FOREVER)
    assert [str(p) for p in _files(tmp_path)] == [str(ledger.file_path(window))]
    (row,) = pq.read_table(tmp_path / ledger.file_path(window), partitioning=None).to_pylist()
    assert row == {
        "window_start": datetime(2026, 11, 20, 21, 15, tzinfo=UTC), "window_s": 60,
        "writer": "host-1", "sequence": 0, "tenant": "acme", "operation": "ExecuteStatement",
        "outcome": "ok", "source": "session", "resource_arn": "arn:x", "database": "app",
        "calls": 3, "duration_ns": 15_000_003, "duration_min_ns": 4_000_000,
        "duration_max_ns": 6_000_000, "duration_us2": 77_000_000, "waited_ns": 3,
        "attempts": 4, "request_bytes": 900,
        "response_bytes": 2**53 + 1, "billed_requests": 3, "rows_returned": 7, "rows_written": 2,
        "scale": 4, "bucket_index": [356, 357], "bucket_count": [1, 2], "lost": 0,
    }  # fmt: skip


def test_losses_stand_in_rows_of_their_own_and_change_no_sum(tmp_path, make_window):
    """Any engine can add up what was lost, and adding up calls does not see those rows."""
    LedgerExporter(tmp_path).export(
        [make_window("acme", losses={"queue_full": 7, "closed": 0})], FOREVER
    )
    everything = duckdb.sql(
        "SELECT sum(calls), sum(lost), count(*) FILTER (lost > 0), max(outcome) FILTER (lost > 0),"
        f" max(tenant) FILTER (lost > 0) FROM read_parquet('{tmp_path}/**/*.parquet')"
    ).fetchall()
    assert everything == [(3, 7, 1, "queue_full", UNATTRIBUTED)]


def test_writing_a_window_again_changes_nothing(tmp_path, make_window):
    """A repeat after an unclear failure replaces the file with the same bytes."""
    window = make_window("bee", "acme")
    exporter = LedgerExporter(tmp_path)
    exporter.export([window], FOREVER)
    before = (tmp_path / ledger.file_path(window)).read_bytes()
    exporter.export([window], FOREVER)
    assert (tmp_path / ledger.file_path(window)).read_bytes() == before
    assert len(_files(tmp_path)) == 1


def test_a_window_of_losses_only_is_written_too(tmp_path, make_window):
    """A minute in which every call was lost still says so."""
    LedgerExporter(tmp_path).export([make_window(losses={"queue_full": 9})], FOREVER)
    assert pq.read_table(next(tmp_path.rglob("*.parquet"))).column("lost").to_pylist() == [9]


def test_a_name_with_half_a_surrogate_pair_does_not_keep_the_window_out(tmp_path, make_window):
    """A tenant's name that is no valid text is written in a form that is."""
    LedgerExporter(tmp_path).export([make_window("acme", "bad\ud800")], FOREVER)
    table = pq.read_table(next(tmp_path.rglob("*.parquet")))
    assert table.column("tenant").to_pylist() == ["acme", "bad\\ud800"]


def test_past_the_deadline_nothing_is_written_and_the_windows_are_reported(tmp_path, make_window):
    """What is not delivered in time is known to have failed, so it can be tried again."""
    windows = [make_window("acme", sequence=n) for n in range(2)]
    with pytest.raises(ExportError) as caught:
        LedgerExporter(tmp_path, clock=lambda: 10.0).export(windows, 10.0)
    assert caught.value.failed == tuple(windows)
    assert not caught.value.uncertain
    assert not _files(tmp_path)


def test_one_window_that_fails_does_not_keep_the_others_out(tmp_path, make_window):
    """Each window fails alone, and leaves no temporary file behind."""
    windows = [make_window("acme", sequence=n) for n in range(3)]
    (tmp_path / ledger.file_path(windows[1])).mkdir(parents=True)
    with pytest.raises(ExportError) as caught:
        LedgerExporter(tmp_path).export(windows, FOREVER)
    assert caught.value.failed == (windows[1],)
    assert _files(tmp_path) == [ledger.file_path(windows[0]), ledger.file_path(windows[2])]


def test_a_kill_in_the_middle_of_writing_leaves_no_file_that_a_reader_picks_up(tmp_path):
    """SIGKILL while the bytes go to disk: only a hidden temporary file is left."""
    script = textwrap.dedent("""
        import os, signal, sys
        from tenantmetrics.export.ledger import LedgerExporter
        from tenantmetrics.records import Window
        def die(descriptor):
            os.ftruncate(descriptor, 4); os.kill(os.getpid(), signal.SIGKILL)
        os.fsync = die
        LedgerExporter(sys.argv[1]).export([Window(0, 60, "w", 0, {}, {})], float("inf"))
    """)
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = _files(tmp_path)
    assert left.name.startswith(".")
    assert not left.name.endswith(".parquet")


def test_pyarrow_missing_is_told_when_configuring(tmp_path, monkeypatch):
    """The error names the extra, at the time the exporter is asked for."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r"tenantmetrics\[ledger\]"):
        LedgerExporter(tmp_path)


def test_a_folder_that_cannot_be_made_is_told_when_configuring(tmp_path):
    """A file in the way is one clear error that names the folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"file/ledger' cannot be made"):
        LedgerExporter(tmp_path / "file" / "ledger")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to every folder")
def test_a_folder_that_is_read_only_is_told_when_configuring(tmp_path):
    """Better now than once a minute in a log."""
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(ConfigError, match="not writable"):
        LedgerExporter(tmp_path)


def test_ten_thousand_tenants_are_written_column_by_column(tmp_path, make_window):
    """A window of 10,000 tenants is one file of 10,000 rows that adds up."""
    window = make_window(*(f"tenant-{n}" for n in range(10_000)))
    started = time.monotonic()
    LedgerExporter(tmp_path).export([window], started + 60)
    table = pq.read_table(next(tmp_path.rglob("*.parquet")))
    assert table.num_rows == 10_000
    assert sum(table.column("calls").to_pylist()) == 30_000


@pytest.fixture
def full_window(make_window, make_statements):
    """A window with statements."""
    return replace(make_window("acme", "bee"), statements=make_statements("acme", "bee"))


def test_a_windows_statements_are_a_file_of_their_own(tmp_path, full_window):
    """Every number exactly, sorted, in the declared columns; the main table is as without them."""
    LedgerExporter(tmp_path).export([full_window], FOREVER)
    assert _files(tmp_path) == [
        ledger.statements_path(full_window), ledger.file_path(full_window)
    ]  # fmt: skip
    table = pq.read_table(tmp_path / ledger.statements_path(full_window), partitioning=None)
    assert table.schema == ledger.arrow_schema(ledger.STATEMENT_COLUMNS)
    rows = table.to_pylist()
    assert [(row["tenant"], row["fingerprint"]) for row in rows] == [
        ("acme", 7), ("acme", 2**62 + 1), ("bee", 7), ("bee", 2**62 + 1)
    ]  # fmt: skip
    assert rows[1] == {
        "window_start": datetime(2026, 11, 20, 21, 15, tzinfo=UTC), "window_s": 60,
        "writer": "host-1", "sequence": 0, "tenant": "acme", "resource_arn": "arn:x",
        "database": "app", "fingerprint": 2**62 + 1, "summary": f"SELECT t{2**62 + 1}",
        "kind": "work", "calls": 3, "duration_ns": 15_000_003, "duration_us2": 77_000_000,
        "waited_ns": 3, "request_bytes": 900, "response_bytes": 2**40 + 1, "rows_returned": 7,
        "rows_written": 2,
    }  # fmt: skip
    before = [path.read_bytes() for path in sorted(tmp_path.rglob("*.parquet"))]
    LedgerExporter(tmp_path).export([full_window], FOREVER)
    assert [path.read_bytes() for path in sorted(tmp_path.rglob("*.parquet"))] == before


PACKED = {
    "duration_ns", "duration_min_ns", "duration_max_ns", "duration_us2", "waited_ns",
    "request_bytes", "response_bytes",
}  # fmt: skip


@pytest.mark.parametrize("of", [ledger.file_path, ledger.statements_path])
def test_times_and_bytes_are_packed_by_their_differences(tmp_path, full_window, of):
    """Hardly two are the same: dictionaries of them would be a fifth of the file, for nothing."""
    LedgerExporter(tmp_path).export([full_window], FOREVER)
    path = tmp_path / of(full_window)
    group = pq.read_metadata(path).row_group(0)
    packed = {
        column.path_in_schema
        for column in map(group.column, range(group.num_columns))
        if "DELTA_BINARY_PACKED" in column.encodings and "RLE_DICTIONARY" not in column.encodings
    }
    columns = {column.path_in_schema for column in map(group.column, range(group.num_columns))}
    assert packed == PACKED & columns
    assert len(packed) >= 5
    every = ", ".join(f"sum({name})" for name in sorted(packed))
    ((*sums,),) = duckdb.sql(f"SELECT {every} FROM read_parquet('{path}')").fetchall()
    rows = pq.read_table(path, partitioning=None).to_pylist()
    assert sums == [sum(row[name] for row in rows) for name in sorted(packed)]


def test_statements_are_written_first_so_that_no_main_file_lacks_them(tmp_path, full_window):
    """Where they cannot be written the window has failed as a whole, and is tried again."""
    in_the_way = tmp_path / ledger.statements_path(full_window)
    in_the_way.mkdir(parents=True)
    with pytest.raises(ExportError) as caught:
        LedgerExporter(tmp_path).export([full_window], FOREVER)
    assert caught.value.failed == (full_window,)
    assert _files(tmp_path) == []


def test_a_kill_between_the_two_files_leaves_no_main_file(tmp_path):
    """SIGKILL after the statements: a reader of the main table sees nothing of the window."""
    script = textwrap.dedent("""
        import os, signal, sys
        from tenantmetrics.export import ledger
        from tenantmetrics.records import Window
        from tenantmetrics.statement_table import StatementTable
        table = StatementTable()
        table.add("acme", ("arn", "db", 1, "SELECT", "work"), *(1,) * 8)
        sync = ledger._sync_folder
        def die(folder):
            sync(folder); os.kill(os.getpid(), signal.SIGKILL)
        ledger._sync_folder = die
        window = Window(0, 60, "w", 0, {}, {}, statements=table)
        ledger.LedgerExporter(sys.argv[1]).export([window], float("inf"))
    """)
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = _files(tmp_path)
    assert left.parts[0] == "_statements"


def test_a_statement_of_a_tenant_with_half_a_surrogate_pair_is_written(
    tmp_path, make_window, make_statements
):
    """As in the main table."""
    window = replace(make_window("bad\ud800"), statements=make_statements("bad\ud800"))
    LedgerExporter(tmp_path).export([window], FOREVER)
    for path in tmp_path.rglob("*.parquet"):
        assert set(pq.read_table(path).column("tenant").to_pylist()) == {"bad\\ud800"}


def test_squares_beyond_64_bits_do_not_keep_the_window_out(tmp_path, make_window):
    """Calls of hours have such; they are cut off there."""
    window = make_window("acme")
    (series,) = window.series.values()
    series.duration_us2 = 2**70
    LedgerExporter(tmp_path).export([window], FOREVER)
    (path,) = tmp_path.rglob("*.parquet")
    assert pq.read_table(path).column("duration_us2").to_pylist() == [2**63 - 1]
