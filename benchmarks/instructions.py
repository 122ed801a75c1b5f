"""Instructions that a call costs, counted by valgrind's callgrind: no noise of machine or clock.

Each variant runs with N calls and with twice as many in processes of their own; the difference over
N is a call's. Threads are counted apart: what the caller waits for, and what runs behind it.
Needs `valgrind`; takes some minutes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks._calls import VARIANTS

CALLS = 300
_TOTALS = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)


def _counts(variant: str, calls: int) -> tuple[int, int]:
    """Instructions of the first thread and of all others, for a whole process."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                "valgrind",
                "--tool=callgrind",
                "--separate-threads=yes",
                f"--callgrind-out-file={folder}/out",
                sys.executable,
                "-m",
                "benchmarks._calls",
                variant,
                str(calls),
            ],
            env=os.environ | {"PYTHONHASHSEED": "0"},
            check=True,
            stderr=subprocess.DEVNULL,
        )
        threads = [
            int(_TOTALS.findall(path.read_text())[-1])
            for path in sorted(Path(folder).glob("out-*"))
        ]
    return threads[0], sum(threads[1:])


def main() -> None:
    """Print the table."""
    found = {}
    for variant in VARIANTS:
        few, many = _counts(variant, CALLS), _counts(variant, 2 * CALLS)
        found[variant] = tuple((b - a) / CALLS for a, b in zip(few, many, strict=True))
    base = found["boto3"][0]
    peer = found["OpenTelemetry botocore"][0] - base
    print(f"{'instructions a call':38}{'caller':>10}{'added':>10}{'of OTel':>9}{'behind':>10}")
    for variant, (caller, behind) in found.items():
        added = caller - base
        print(f"{variant:38}{caller:10,.0f}{added:10,.0f}{added / peer:9.1%}{behind:10,.0f}")


if __name__ == "__main__":
    main()
