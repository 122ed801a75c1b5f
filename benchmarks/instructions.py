"""Instructions that a call costs, counted by valgrind's callgrind: no noise of machine or clock.

Threads are counted apart: what the caller waits for, and what runs behind it. The variants share
one process and one client. Needs `valgrind`; takes some minutes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks._calls import METERED, PEER, PLAIN, VARIANTS
from benchmarks.callers_thread import WARM_UP_CALLS

CALLS = 512
"""As many as wake the background thread, whose waking is part of the price."""
_TOTALS = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


def _counts() -> tuple[dict[str, float], float]:
    """Instructions a call of the first thread by variant; of our own, a metered call."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                "--separate-threads=yes",
                "--dump-before=getppid",  # `_calls` calls it before its calls and after them
                f"--callgrind-out-file={folder}/out",
                sys.executable,
                "-m",
                "benchmarks._calls",
                str(CALLS),
            ],
            env=os.environ | {"PYTHONHASHSEED": "0"},
            check=True,
            stderr=subprocess.DEVNULL,
        )

        def total(name: Path) -> int:
            return int(_TOTALS.findall(name.read_text())[-1])

        found = {
            variant: total(Path(folder) / f"out.{2 * number + 2}-01") / CALLS
            for number, variant in enumerate(VARIANTS)
        }
        behind = total(Path(folder) / "out-02")
    return found, behind / (len(METERED) * (CALLS + WARM_UP_CALLS))


def main() -> None:
    """Print the table."""
    found, behind = _counts()
    peer = found[PEER] - found[PLAIN]
    print(f"{'instructions a call':38}{'caller':>10}{'added':>10}{'of OTel':>9}")
    for variant, caller in found.items():
        added = caller - found[PLAIN]
        print(f"{variant:38}{caller:10,.0f}{added:10,.0f}{added / peer:9.1%}")
    print(f"tenantmetrics' own thread: {behind:,.0f} a metered call")


if __name__ == "__main__":
    main()
