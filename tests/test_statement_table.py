"""The statement table: exact sums, bounded rows, little memory."""

import tracemalloc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.measures import BY_STATEMENT
from tenantmetrics.records import OVERFLOW
from tenantmetrics.statement_table import OTHER, Kind, StatementTable

MB = 1_000_000


def key(number, kind=Kind.WORK, arn="arn:x", database="app"):
    return (arn, database, number, f"SELECT t{number}", str(kind))


def total(table):
    """Every measure over all rows."""
    return [sum(row.sums[n] for row in table.rows()) for n in range(len(BY_STATEMENT))]


amounts = st.tuples(*(st.integers(0, 2**40) for _ in BY_STATEMENT))
calls = st.lists(
    st.tuples(
        st.sampled_from("abcdefgh"),
        st.integers(0, 30),
        st.sampled_from(list(Kind)),
        amounts.map(lambda sums: (sums[0] % 1000, *sums[1:])),
    ),
    max_size=60,
)


@given(calls, st.sampled_from([4, 16, 64, 1_000]))
def test_sums_stay_exact_whatever_the_bound(given_calls, max_rows):
    """Folding moves numbers to another row and loses none; amounts of more than 32 bits too."""
    table = StatementTable(max_rows)
    for tenant, number, kind, sums in given_calls:
        table.add(tenant, key(number, kind), *sums)
    assert total(table) == [
        sum(sums[n] for *_, sums in given_calls) for n in range(len(BY_STATEMENT))
    ]
    assert len({row[:2] for row in table.rows()}) == len(table)
    by_kind = Counter()
    for _, _, kind, sums in given_calls:
        by_kind[kind] += sums[0]
    found = Counter()
    for row in table.rows():
        found[row.key[4]] += row.sums[0]
    assert +found == +by_kind


@given(calls)
def test_each_pair_has_its_own_row_below_the_bound(given_calls):
    """Nothing is mixed up by the hash table."""
    table = StatementTable()
    wanted = {}
    for tenant, number, kind, sums in given_calls:
        table.add(tenant, key(number, kind), *sums)
        pair = tenant, key(number, kind)
        wanted[pair] = tuple(map(sum, zip(wanted.get(pair, (0,) * len(sums)), sums, strict=True)))
    assert {(row.tenant, row.key): row.sums for row in table.rows()} == wanted


def test_past_the_bound_a_tenants_statements_fold_and_then_tenants():
    """The tenant is kept as long as there is room for one more row of it."""
    table = StatementTable(64)
    for tenant in range(12):
        for number in range(4):
            table.add(f"t{tenant}", key(number), *(1,) * len(BY_STATEMENT))
    for tenant in range(500):
        table.add(f"u{tenant}", key(9), *(1,) * len(BY_STATEMENT))
    rows = list(table.rows())
    assert len(rows) <= 64 + 8 + 1_024
    assert sum(row.sums[0] for row in rows) == 548
    assert sum(row.sums[0] for row in rows if row.tenant == OVERFLOW) > 400
    folded = [row for row in rows if row.key[3] == OTHER]
    assert folded
    assert all(row.key[2] == 0 for row in folded)


def test_names_without_end_take_no_memory_without_end():
    """As where each call has another database, another statement and another tenant."""
    table = StatementTable(1_000)
    for number in range(20_000):
        table.add(f"t{number}", key(number, database=f"db{number}"), *(1,) * len(BY_STATEMENT))
    assert len(table) <= 1_000 + 125 + 1_024 + 4
    assert len(table.tenants) + len(table.statements) <= 2_500
    assert total(table)[0] == 20_000


@pytest.mark.long
def test_500_tenants_with_500_statements_take_at_most_20_mb():
    """The bound that a minute of a large fleet may take, all columns in use."""
    keys = [key(number) for number in range(500)]
    tenants = [f"tenant-{number:05d}" for number in range(500)]
    tracemalloc.start()
    try:
        table = StatementTable()
        for tenant in tenants:
            for one in keys:
                table.add(tenant, one, 3, 9_000_000, 3_000_000, 1, 900, 2_700, 6, 1)
        taken, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(table) == 250_000
    assert taken < 20 * MB
    assert peak < 20 * MB
