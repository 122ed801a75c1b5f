"""Statements to show."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from tenantmetrics.records import IDLE, UNATTRIBUTED
from tenantmetrics.statement import Line, LineKind, Period, Pool, Statement, Usage


@pytest.fixture
def make_statement() -> Callable[..., Statement]:
    """A statement of `{tenant: (data_api, compute)}` in cents, idle and unattributed lines too."""

    def make(tenants: dict[str, tuple[int, int]], **changes: object) -> Statement:
        cent = Decimal("0.01")
        lines = [
            Line(
                name,
                LineKind.TENANT,
                Usage(
                    1000 * abs(api),
                    abs(api),
                    5_000_000_000 * abs(compute),
                    1000 * abs(api),
                    10,
                    20,
                    30,
                    40,
                ),
                (api * cent, compute * cent),
            )
            for name, (api, compute) in tenants.items()
        ]
        lines.append(Line(UNATTRIBUTED, LineKind.UNATTRIBUTED, Usage(7), (cent, cent)))
        lines.append(Line(IDLE, LineKind.IDLE, Usage(), (Decimal(0), 250 * cent)))
        sums = [sum((line.amounts[i] for line in lines), Decimal(0)) for i in range(2)]
        fields: dict[str, object] = {
            "period": Period("2026-11", 1793491200, 1796083200),
            "currency": "USD",
            "quantum": cent,
            "basis": "list prices of 2026-03-31, us-east-1",
            "estimate": True,
            "pools": (
                Pool("data_api", "Data API", sums[0], "billed requests", "1,000 requests"),
                Pool("compute", "Compute", sums[1], "share of database time", "1 ACU for 3 h"),
            ),
            "lines": tuple(lines),
            "notes": ("A note on the data.",),
        }
        return Statement(**{**fields, **changes})

    return make
