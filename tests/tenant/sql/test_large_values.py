"""Values of any size, and batches of any number of sets, are read within bounds or not at all."""

from __future__ import annotations

import random

import psycopg
import pytest

from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.localapi.postgres import embedded
from tenantmetrics.records import UNATTRIBUTED, SessionVerb
from tenantmetrics.tenant.sql.array_literals import array_elements
from tests.tenant.sql.test_bounded_work import calls_of

ARRAYS = 2_000
CALLS = 800_000
SETS = 1_000
OF_LITERALS = ",".join(f"'x{number}'" for number in range(6_000))
HEAVY_IN_A_BATCH = {
    "a list of literals": f"SELECT * FROM b WHERE tenant_id IN ({OF_LITERALS}) OR tenant_id = :t",
    "a long list": "SELECT * FROM b WHERE tenant_id IN (" + ",".join([":t"] * 8_000) + ")",
    "rows": "INSERT INTO b (tenant_id, x) VALUES " + "('x', 1), " * 3_000 + "(:t, 1)",
    "conditions of values": "SELECT * FROM b WHERE "
    + " AND ".join(["(:x = '' OR tenant_id = :t)"] * 35),
    "set_config": "SELECT "
    + ", ".join(["set_config('app.current_tenant_id', :t, true)"] * 50),
}  # fmt: skip


def batch(sql, sets):
    given = [
        [{"name": name, "value": {"stringValue": text}} for name, text in values.items()]
        for values in sets
    ]
    return request_of(
        "BatchExecuteStatement", {"sql": sql, "transactionId": "t", "parameterSets": given}
    )


@pytest.mark.parametrize("name", HEAVY_IN_A_BATCH)
def test_a_batch_is_not_its_statements_work_a_thousand_times(name, resolver):
    """What is left of it is nobody's, and says so."""
    sets = [{"t": f"t{number}", "x": "x"} for number in range(SETS)]
    request = batch(HEAVY_IN_A_BATCH[name], sets)
    resolver.bound(request.sql)
    calls, claims = calls_of(lambda: resolver.claims(request))
    assert calls < CALLS
    assert claims.undecided
    for claim in claims.named:
        assert dict(claim.shares)[UNATTRIBUTED] > 0
    for step in claims.session[-1:]:
        assert (step.verb, step.tenant) == (SessionVerb.SET, f"t{SETS - 1}")


def test_a_usual_batch_of_any_length_is_told_in_full(resolver):
    """Each set has what its own parameters take."""
    sql = "INSERT INTO b (tenant_id, x) VALUES (:t, :x), (:t, :y)"
    sets = [{"t": f"t{number % 7}", "x": "1", "y": "2"} for number in range(7 * SETS)]
    (claim,) = resolver.claims(batch(sql, sets)).named
    assert dict(claim.shares) == {f"t{number}": 1 for number in range(7)}


@pytest.mark.parametrize("number", [1, 2, 100])
def test_a_long_name_is_read_as_often_as_it_may_be(number, resolver):
    """A name of 200,000 characters: it is encoded and hashed each time."""
    sql = "SELECT * FROM b WHERE tenant_id IN (" + ", ".join([":t"] * number) + ")"
    request = batch(sql, [{"t": "x" * 200_000}])
    claims = resolver.claims(request)
    assert claims.undecided == (number > 4)


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("{}", []), (" { } ", []), ("{a}", ["a"]), ("{a, b ,c}", ["a", "b", "c"]),
        ("{NULL,null,nullable}", [None, None, "nullable"]), ('{"NULL"}', ["NULL"]),
        ('{"a,b" , c}', ["a,b", "c"]), (r'{"a\"b","c\\"}', ['a"b', "c\\"]),
        (r'{"\\\"","\a\\\b"}', ['\\"', "a\\b"]), ('{""}', [""]), ('{"{}"}', ["{}"]),
        ('{a,"b",}', None), ('{"a"b}', None), ("{{a}}", None), ("{a", None), ("a", None),
        ('{"a}', None), ("{a\\b}", None), ('{a"b"}', None), ('{"a" "b"}', None), ('{,"a"}', None),
    ],
)  # fmt: skip
def test_arrays_in_a_text(text, elements):
    """What is more than a flat list, or none, is not told."""
    assert array_elements(text) == elements


def test_arrays_at_random_are_what_postgresql_reads():
    """Or not told, where it refuses them or they are nested."""
    chosen = random.Random(11)
    parts = ("a", "b c", '"', '"', "\\", ",", ",", " ", "NULL", "{", "}", '""', '"x"', "é", "\\\\")
    texts = [
        "{" + "".join(chosen.choices(parts, k=chosen.randint(0, 7))) + "}" for _ in range(ARRAYS)
    ]
    told = 0
    with embedded() as url, psycopg.connect(url, autocommit=True) as connection:
        for text in texts:
            elements = array_elements(text)
            if elements is None:
                continue
            try:
                (read,) = connection.execute("SELECT %s::text[]", [text]).fetchone()
            except psycopg.Error:
                continue
            told += 1
            assert elements == read, text
    assert told > ARRAYS // 10


def test_an_array_that_is_too_long_is_not_read():
    """Neither one of commas alone nor one of quotes."""
    assert array_elements("{" + "," * 60_000 + "}") is None
    assert array_elements('{"' + "\\" * 2_000_000 + '"}') is None
    assert array_elements("{" + ",".join(["a"] * 60_000) + "}") == ["a"] * 60_000
