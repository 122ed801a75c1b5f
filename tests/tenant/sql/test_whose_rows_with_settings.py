"""The judge, with settings that tell more tenants: none of them names a wrong one.

With a schema, ids are the same for all tenants where the key has the tenant in it, columns that
are no keys have equal values in all, and a table's rows are everybody's. With `tenant_tables` and
`tenant_shared_rows`, one table's status is the tenant, and rows without a tenant are in all
databases; a tenant's rows point at them.
"""

from __future__ import annotations

import json
import random

import pytest

from tests.tenant.sql.judging import TENANTS, judge_of, judged

IN_TEST = 120
IN_LONG_TEST = 4_000
NAMED_AT_LEAST = 0.04

COLUMNS = ["id", "tenant_id", "aid", "bid", "status"]
SCHEMA = {
    "public.a": {
        "tenant": "tenant_id", "columns": COLUMNS, "keys": {"a_pkey": ["id"]},
        "foreign_keys": [
            {"columns": ["aid"], "parent": "a", "parent_columns": ["id"]},
            {"columns": ["bid"], "parent": "d", "parent_columns": ["id"]},
        ],
    },
    "public.b": {
        "tenant": "tenant_id", "columns": COLUMNS, "keys": {"b_pkey": ["id"]},
        "foreign_keys": [{"columns": ["aid"], "parent": "a", "parent_columns": ["id"]}],
    },
    "public.c": {
        "tenant": "tenant_id", "columns": COLUMNS, "keys": {"c_pkey": ["tenant_id", "id"]},
        "foreign_keys": [
            {"columns": ["aid"], "parent": "b", "parent_columns": ["id"]},
            {
                "columns": ["tenant_id", "bid"], "parent": "c",
                "parent_columns": ["tenant_id", "id"],
            },
        ],
    },
    "public.d": {
        "shared": True, "columns": ["id", "aid", "bid", "status"], "keys": {"d_pkey": ["id"]},
    },
}  # fmt: skip


def _block(tenant):
    return 10 * (TENANTS.index(tenant) + 1)


def _with_schema(table, tenant):
    """Ids of a and b are unique; those of c are the same for all; b.bid is a number of no key."""
    if table == "d":
        return
    seed = random.Random(f"schema{table}{tenant}")
    block = _block(tenant)
    own = [block + 1, block + 2, None]
    common = [1, 2, 3, 11, 21]
    for number in (1, 2, 3):
        key = number if table == "c" else block + number
        bid = seed.choice([1, 2, 3] if table in {"a", "c"} else common)
        yield (key, tenant, seed.choice(own), bid, seed.choice(["open", "done"]))


def _everybodys(table):
    """The rows of d; ids as in c, and as in a."""
    if table == "d":
        for key in (1, 2, 3, 11):
            yield (key, None, 1, 2, "open" if key % 2 else "done")


def _other(_, row):
    return (*row[:4], "done" if row[4] == "open" else "open")


def _with_tables(table, tenant):
    """The status of d is the tenant; cat's rows point at rows that have none."""
    seed = random.Random(f"tables{table}{tenant}")
    block = _block(tenant)
    own = [block + 1, block + 2, None, *([1, 2] if tenant == "cat" else [])]
    for number in (1, 2, 3):
        status = tenant if table == "d" else seed.choice(["open", "done"])
        yield (block + number, tenant, seed.choice(own), seed.choice(own), status)


def _shared(table):
    if table in {"a", "b"}:
        yield (1, None, 2, None, "open")
        yield (2, None, None, 1, "done")


def _other_of_tables(table, row):
    if table == "d":
        return (*row[:3], None if row[3] else row[0], row[4])
    return _other(table, row)


def _more(x, y, tenant):
    return (
        (f"({x}.tenant_id IS NULL OR {x}.tenant_id = {tenant})", 6),
        (f"({x}.tenant_id = {tenant} OR {x}.tenant_id IS NULL OR {y}.tenant_id = {tenant})", 1),
        (f"NOT ({x}.tenant_id IS NOT NULL AND {x}.tenant_id <> {tenant})", 1),
        (f"({x}.tenant_id IS NULL OR {x}.status = 'open')", 0.5),
        (f"{x}.status = {tenant}", 3),
        (f"{x}.tenant_id = {y}.status", 2),
    )


def _saved(chosen):
    """A row that an ORM saves, found by an id of its own."""
    tenant = chosen.choice(TENANTS)
    return (
        f"UPDATE {chosen.choice('abc')} SET tenant_id = '{tenant}', status = 'new' "
        f"WHERE id = {_block(tenant) + chosen.choice((1, 2, 3))}"
    )


WORLDS = {
    "schema": ((_with_schema, _other, _everybodys), {}, ()),
    "tables": (
        (_with_tables, _other_of_tables, _shared),
        {
            "tenant_tables": ["d:status"],
            "tenant_shared_rows": True,
            "tenant_trust_updates": True,
        },
        (_more, _saved),
    ),
}


@pytest.fixture(scope="module", params=WORLDS)
def world(request, tmp_path_factory):
    """A judge, the settings, and what the statements have beside the usual."""
    data, settings, more = WORLDS[request.param]
    if request.param == "schema":
        file = tmp_path_factory.mktemp("schema") / "schema.json"
        file.write_text(json.dumps({"tables": SCHEMA}))
        settings = {"tenant_schema": str(file)}
    with judge_of(*data) as judge:
        yield judge, settings, more


def test_no_setting_names_a_wrong_tenant(world, make_resolver, statements_at_random):
    """The same statements each time."""
    judge, settings, more = world
    resolver = make_resolver(**settings)
    wrong, named, ran = judged(judge, resolver, statements_at_random(3, *more), IN_TEST)
    assert not wrong, "\n".join(wrong[:20])
    assert named >= NAMED_AT_LEAST * IN_TEST
    assert ran >= 0.4 * named


@pytest.mark.long
def test_of_thousands_no_setting_names_a_wrong_tenant(
    world, make_resolver, statements_at_random, seed
):
    """Other statements each time; a failure prints what repeats them."""
    judge, settings, more = world
    resolver = make_resolver(**settings)
    wrong, named, ran = judged(judge, resolver, statements_at_random(seed, *more), IN_LONG_TEST)
    assert not wrong, "\n".join(wrong[:20])
    assert named >= NAMED_AT_LEAST * IN_LONG_TEST
    assert ran >= 0.4 * named
