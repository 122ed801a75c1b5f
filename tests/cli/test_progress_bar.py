"""The bar of `report`: rows read and time left, on a terminal only."""

from __future__ import annotations

import gzip
import io
import os
import pty
import re
import subprocess
import sys

import duckdb
import pytest
from rich.console import Console

from tenantmetrics.cli.progress_bar import progress_bar
from tenantmetrics.cost import progress
from tenantmetrics.cost.row_counts import rows_of_csv, rows_of_parquet


@pytest.fixture
def drawn():
    """What the bar draws at a width, as plain text, of a query over so many rows."""

    def draw(width, rows=3_000_000, *, terminal=True):
        out = io.StringIO()
        console = Console(file=out, width=width, force_terminal=terminal)
        with (
            duckdb.connect() as database,
            progress_bar(console),
            progress.step("reading the bill", lambda: rows, database),
        ):
            database.execute("SELECT sum(i) FROM range(1000) t(i)").fetchall()
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue())

    return draw


def test_a_wide_terminal_shows_rows_and_the_time_left(drawn):
    """About how many rows there are is enough."""
    text = drawn(120)
    assert re.search(r"reading the bill .* of about 3,000,000 rows .* left", text)


@pytest.mark.parametrize("width", [20, 40, 60, 95, 96, 200])
def test_it_fits_any_width(drawn, width):
    """Columns go before a line breaks."""
    lines = re.split(r"[\r\n]", drawn(width))
    assert max(map(len, lines)) <= width
    assert any("reading" in line for line in lines)


def test_rows_that_are_not_known_are_not_made_up(drawn):
    """A bar that moves, and no figures."""
    assert "rows" not in drawn(120, 0)


def test_what_has_no_rows_has_no_part_of_the_step_before(drawn):
    """Work after the reading is not at 0 %."""
    last = re.split(r"[\r\n]+", drawn(40).strip())[-1]
    assert last.strip() == "working it out"


def test_without_a_terminal_there_is_nothing(drawn):
    """A log of a pipeline stays clean, and the database counts nothing."""
    assert drawn(120, terminal=False) == ""


def test_the_database_prints_no_bar_of_its_own(tmp_path):
    """On a real terminal: it is told not to."""
    code = (
        "import duckdb\nfrom tenantmetrics.cli.progress_bar import progress_bar\n"
        "from tenantmetrics.cost import progress\ndatabase = duckdb.connect()\n"
        "with progress_bar(), progress.step('reading', lambda: 9, database):\n"
        " database.execute('SELECT sum(hash(a.i * b.i)) FROM range(3000) a(i), range(3000) b(i)')"
        ".fetchall()\n"
    )
    leader, follower = pty.openpty()
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=follower, check=True,
        env=environ, stdin=subprocess.DEVNULL, cwd=tmp_path,
    )  # fmt: skip
    os.close(follower)
    shown = os.read(leader, 65_536)
    os.close(leader)
    assert done.stdout == b""
    assert b"reading" in shown


def test_the_steps_of_nobody_cost_nothing():
    """The database is not asked, not even how many rows there are."""
    with progress.step("reading", lambda: 1 // 0, None):
        pass


@pytest.mark.parametrize("packed", [False, True])
def test_rows_of_a_large_csv_are_estimated_from_its_beginning(tmp_path, packed):
    """Within a tenth, packed or not; a small file is counted."""
    line = b"some,values,of,a,row,%d\n"
    large = b"".join(line % number for number in range(100_000))
    path = tmp_path / f"large.csv{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(large) if packed else large)
    assert rows_of_csv([path]) == pytest.approx(100_000, rel=0.3 if packed else 0.1)
    small = tmp_path / "small.csv"
    small.write_bytes(b"a,b\n1,2\n3,4\n")
    assert rows_of_csv([small, tmp_path / "none.csv"]) == 3


def test_rows_of_parquet_are_the_files_own_counts(tmp_path):
    """Of a few of them; one that is broken is told elsewhere."""
    for number in range(5):
        duckdb.sql(f"COPY (FROM range(100)) TO '{tmp_path}/{number}.parquet'")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    paths = sorted(tmp_path.glob("*.parquet"))
    assert rows_of_parquet(paths, duckdb.connect()) == pytest.approx(500, rel=0.2)
    assert rows_of_parquet([], duckdb.connect()) == 0
