"""`python -m tenantmetrics.console [--check]`: write the committed files, or only compare them."""

from __future__ import annotations

import sys
from pathlib import Path

from tenantmetrics.console.committed import drift, write

_ROOT = Path(__file__).parents[2]


def _main() -> int:
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    changed = drift(_ROOT) if check else write(_ROOT)
    for name in changed:
        sys.stdout.write(f"{'differs' if check else 'wrote'} {name}\n")
    if check and changed:
        sys.stdout.write("run: python -m tenantmetrics.console\n")
    return int(check and bool(changed))


sys.exit(_main())
