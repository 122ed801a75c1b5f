"""`python -m benchmarks [NAME ...]`: every benchmark, or those named; `make bench` runs all.

Each module here has a `main()` that prints one table, with its peers measured in the same run.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import sys
from pathlib import Path

import benchmarks


def machine() -> str:
    """One line on what the figures were measured on."""
    model = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "")
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
        f"{f' of {model}' if model else ''}, CPython {platform.python_version()}"
    )


def main() -> None:
    """Run the benchmarks that the command line names, else all."""
    known = sorted(
        module.name
        for module in pkgutil.iter_modules(benchmarks.__path__)
        if not module.name.startswith("_")
    )
    named = sys.argv[1:] or known
    if unknown := sorted(set(named) - set(known)):
        sys.exit(f"no benchmark {', '.join(unknown)}: known are {', '.join(known)}")
    print(f"machine: {machine()}")
    for name in named:
        print(f"\n== {name}")
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
