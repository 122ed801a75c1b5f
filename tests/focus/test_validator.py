"""The FinOps Foundation's validator on our FOCUS files.

It needs Python 3.12 and pins a sqlglot that is older than ours, so it runs in an environment of its
own, which FOCUS_VALIDATOR_PYTHON names (`make test-long` makes it).
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tenantmetrics.cost.list_prices import TITLES
from tenantmetrics.cost.statement import Line, LineKind, Period, Pool, Statement, Usage
from tenantmetrics.records import IDLE, SHARED, UNATTRIBUTED
from tenantmetrics.report import focus

pytestmark = pytest.mark.long

PYTHON = os.environ.get("FOCUS_VALIDATOR_PYTHON", "")


def statement(**changes):
    """Every pool there is, every kind of line, commitments, credits and charges on no invoice."""
    pools, columns = [], []
    for number, (name, title) in enumerate(TITLES.items(), start=1):
        amount = Decimal(number * (-1 if name == "credits" else 1))
        other = amount * 2 if name == "compute" else None
        invoice = "" if name == "taxes" else "INV-1"
        listed = amount * 2 if name in {"compute", "io", "credits"} else None
        pools.append(
            Pool(
                name,
                title,
                amount,
                "calls",
                "",
                other=other,
                invoice=invoice,
                listed=listed,
                contracted=None if listed is None else listed / 3,
            )
        )
        columns.append((amount, amount if other is None else other))
    kinds = {
        "acme": LineKind.TENANT, "=cmd": LineKind.TENANT, "Zoë": LineKind.TENANT,
        UNATTRIBUTED: LineKind.UNATTRIBUTED, IDLE: LineKind.IDLE, SHARED: LineKind.SHARED,
        "unclassified": LineKind.UNCLASSIFIED,
    }  # fmt: skip
    cent = Decimal("0.01")
    lines = []
    for place, (name, kind) in enumerate(kinds.items()):
        # The first line has what the others leave.
        of_all = [(-6 if place == 0 else 1) * (cent, 2 * cent)[i] for i in range(2)]
        whole = [pair if place == 0 else (Decimal(0), Decimal(0)) for pair in columns]
        amounts = tuple(pair[0] + of_all[0] for pair in whole)
        others = tuple(pair[1] + of_all[1] for pair in whole)
        lines.append(Line(name, kind, Usage(1), amounts, others=others))
    made = Statement(
        period=Period("2026-11", 1793491200, 1796083200), currency="EUR", quantum=cent,
        basis="CUR", estimate=False, pools=tuple(pools), lines=tuple(lines),
        account="111122223333",
    )  # fmt: skip
    return replace(made, **changes)


@pytest.mark.skipif(not PYTHON, reason="make test-long runs it, where there is Python 3.12")
@pytest.mark.parametrize("changes", [{}, {"amortized": True, "draft": ("x",), "account": ""}])
def test_the_validator_finds_no_row_that_fails(tmp_path, changes):
    """Each rule of FOCUS 1.2 that it can check holds for each row."""
    path = tmp_path / "rows.csv"
    focus.write(statement(**changes), path)
    found = subprocess.run(
        [PYTHON, str(Path(__file__).with_name("validate.py")), str(path), "1.2"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    totals = re.search(r"Total: (\d+) \| Pass: (\d+) \| Fail: (\d+)", found.stdout)
    assert totals is not None, found.stderr[-2000:]
    failed = [line.split()[1] for line in found.stdout.splitlines() if ": FAIL" in line]
    # Of rules on some rows ("null where there is no invoice") it makes rules on all of them, and
    # what such a rule is a part of fails with it.
    own = {rule.rstrip(":") for rule in failed} - {
        "InvoiceId-C-003-C", "InvoiceId-C-004-C", "InvoiceId-C-005-C", "InvoiceId-C-000-O",
    }  # fmt: skip
    assert own == set()
    assert int(totals[2]) > 100
