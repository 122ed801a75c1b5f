"""PostgreSQL judges random statements: a tenant that is not named has no part in what they do.

Keys are equal inside a tenant only, as an application's foreign keys are.
"""

from __future__ import annotations

import random

import pytest

from tests.tenant.sql.judging import TENANTS, judge_of, judged

IN_TEST = 400
IN_LONG_TEST = 50_000
NAMED_AT_LEAST = 0.08
"""Most statements at random restrict nothing; a judge that nobody asks would find nothing."""


def _rows(table, tenant):
    """Rows of one table: keys are of the tenant's own ten, or NULL."""
    block = 10 * (TENANTS.index(tenant) + 1)
    seed = random.Random(f"{table}{tenant}")
    for number in (1, 2, 3):
        keys = [block + number, *(seed.choice([block + 1, block + 2, None]) for _ in range(2))]
        yield (keys[0], tenant, keys[1], keys[2], seed.choice(["open", "done"]))


def _other(_, row):
    return (*row[:4], "done" if row[4] == "open" else "open")


@pytest.fixture(scope="module")
def judge():
    with judge_of(_rows, _other) as found:
        yield found


def test_a_tenant_that_is_not_named_has_no_part_in_it(judge, resolver, statements_at_random):
    """The same statements each time."""
    wrong, named, ran = judged(judge, resolver, statements_at_random(1), IN_TEST)
    assert not wrong, "\n".join(wrong[:20])
    assert named >= NAMED_AT_LEAST * IN_TEST
    assert ran >= 0.5 * named


@pytest.mark.long
def test_of_fifty_thousand_statements_none_names_a_wrong_tenant(
    judge, resolver, statements_at_random, seed
):
    """Other statements each time; a failure prints what repeats them."""
    statements = statements_at_random(seed)
    wrong, named, ran = judged(judge, resolver, statements, IN_LONG_TEST)
    assert not wrong, "\n".join(wrong[:20])
    assert named >= NAMED_AT_LEAST * IN_LONG_TEST
    assert ran >= 0.5 * named
