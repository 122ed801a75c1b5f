"""An allocator written from docs/report.md alone agrees with the report on every cell."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from allocator import allocate
from random_months import World, at_list_prices, on_bill


def cells(statement, of):
    """Whole cents by pool and line, but those of nothing."""
    return {
        (pool.name, line.tenant): int(amount * 100)
        for line in statement.lines
        for pool, amount in zip(statement.pools, of(line), strict=True)
        if amount
    }


def compared(seed, made):
    """The number of cells that were compared, none of which differs."""
    with TemporaryDirectory() as folder:
        world = World(seed, Path(folder))
        statement, parts = made(world)
    report = (
        cells(statement, lambda line: line.amounts),
        cells(statement, lambda line: line.others or line.amounts),
    )
    expected = allocate(parts, world.idle)
    assert report == expected, (seed, world.division, world.idle)
    return sum(map(len, expected))


@pytest.mark.parametrize("made", [on_bill, at_list_prices])
@settings(max_examples=max(2, settings.default.max_examples // 40))
@given(seed=st.integers(0, 2**64))
def test_the_report_agrees_with_an_allocator_written_from_the_page(made, seed):
    """Clusters, accounts, zones, commitments, credits, tiers, server time, idle modes."""
    assert compared(seed, made) > 5
