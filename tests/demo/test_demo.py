"""`tenantmetrics demo` as a newcomer runs it: what it proves, what it leaves, how it is stopped."""

import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

import psutil
import pytest

from tenantmetrics.demo.schema import TENANTS


@pytest.fixture
def temporary():
    """A folder for temporary files whose name is in the command line of all that is started.

    Short, for PostgreSQL's socket, and open to the user that PostgreSQL drops to.
    """
    with tempfile.TemporaryDirectory(prefix="tm-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def start(temporary, tmp_path):
    """Start a demo; a terminal's Ctrl-C reaches its whole process group."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "tenantmetrics", "demo", "-o", str(tmp_path), *arguments],
            env=os.environ | {"TMPDIR": str(temporary), "COLUMNS": "100"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def left_running(temporary):
    """Processes that were started with the folder in their command line."""
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [command for command in commands if any(str(temporary) in part for part in command)]


def interrupt(process):
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return out, err


def test_the_demo_ends_with_a_bill_that_four_independent_accounts_agree_on(
    start, temporary, tmp_path
):
    """A table of all tenants, equal counts, shares as PostgreSQL has them, files, no process."""
    process = start("--seconds", "3")
    out, err = process.communicate(timeout=120)

    assert (process.returncode, err) == (0, "")
    for tenant in TENANTS:
        assert tenant in out
    assert "__unattributed__" in out
    # On a machine that makes fewer than 200 calls in this time, the shares have no verdict.
    assert out.count("agree") == (3 if "too few calls" in out else 4)
    assert "DIFFER" not in out
    (folder,) = tmp_path.iterdir()
    files = {"capacity.csv", "ledger", "report.csv", "report.html", "tenant-schema.json"}
    assert {path.name for path in folder.iterdir()} == files
    rows = list(csv.DictReader((folder / "report.csv").read_text().splitlines()))
    # What the load leaves of the seconds that the cluster was awake is idle, if it leaves any.
    assert {row["tenant"] for row in rows} - {"__idle__"} == {*TENANTS, "__unattributed__"}
    idle = sum(Decimal(row["total_cost"]) for row in rows if row["tenant"] == "__idle__")
    assert idle < Decimal("0.9") * sum(Decimal(row["total_cost"]) for row in rows)
    total = sum(Decimal(row["total_cost"]) for row in rows)
    assert f"{len(rows)} lines add up to {total} USD" in out


@pytest.mark.parametrize("line", ["starting an embedded", "RDS Data API at"])
def test_ctrl_c_leaves_no_process_and_no_traceback(start, temporary, line):
    """While PostgreSQL starts, and in the middle of the load."""
    process = start("--seconds", "60")
    while not process.stdout.readline().startswith(line):
        assert process.poll() is None
    _, err = interrupt(process)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert left_running(temporary) == []
    assert list(temporary.iterdir()) == []


@pytest.mark.long
def test_ctrl_c_at_any_moment_leaves_no_process(start, temporary):
    """Thirty moments between the first instruction and the report."""
    rng = random.Random(20261120)
    for _ in range(30):
        process = start("--seconds", "1")
        try:
            process.wait(timeout=rng.uniform(0, 6))
        except subprocess.TimeoutExpired:
            interrupt(process)

        assert left_running(temporary) == []
        assert list(temporary.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_clear_line(start, tmp_path):
    """Non-zero, no traceback, nothing started that stays."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    process = start("-o", str(blocked / "below"), "--seconds", "1")
    _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert len(err.splitlines()) == 1
    assert str(blocked) in err
