"""What holds for every command: one line of what is wrong, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="Linux has /dev/full, this system does not")
def test_a_full_disk_behind_the_output_is_one_line():
    """The output of a command that is redirected to a disk without room."""
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tenantmetrics", "dashboards", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == "tenantmetrics: [Errno 28] No space left on device"
    assert "Traceback" not in done.stderr


INTERRUPTED = """
import signal
from tenantmetrics.cli import app, main

@app.app.command()
def interrupted():
    exec("signal.raise_signal(signal.SIGINT)", {"signal": signal})

main()
"""


def test_ctrl_c_is_status_130_while_python_runs_code_from_a_string(tmp_path):
    """As it does whenever a module with a dataclass is loaded."""
    (tmp_path / "commands.py").write_text(INTERRUPTED)
    done = subprocess.run(
        [sys.executable, "-m", "commands", "interrupted"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "")
