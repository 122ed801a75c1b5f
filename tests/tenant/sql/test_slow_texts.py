"""A generator that looks for slow texts: nesting, chains, lists, literals, comments, unions.

Time is the thread's own, so that other processes do not count, and in units of what sqlglot takes
for a plain statement on the same machine. What stands in the list of the slowest was once slow.
"""

from __future__ import annotations

import random
import re
import time
import tracemalloc
from collections.abc import Callable, Iterable

import pytest

from tenantmetrics import config
from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.health import Health
from tenantmetrics.tenant.resolve import Resolver
from tenantmetrics.tenant.sql.parser import parse_template
from tests.tenant.sql.heavy_texts import HeavyTexts

IN_TEST = 40
IN_LONG_TEST = 700
TEXT_CHARS = 65_536
PARAMETER = re.compile(r":(\w+)")
UNIT = "SELECT a, b FROM c JOIN d ON d.id = c.did WHERE c.tenant_id = 't' AND d.x IN (1, 2, 3)"
UNITS = 400
"""A text of 64 kB may take as long as so many parses of the plain one (0.1 ms): four times the
bound of 10 ms, for machines on which the parts of the work differ."""
PEAK_BYTES = 64_000_000

HEADS = (
    "SELECT {}", "SELECT * FROM b WHERE {}", "SELECT * FROM b WHERE tenant_id = :t AND {}",
    "SELECT * FROM {}", "UPDATE b SET x = {}", "DELETE FROM b WHERE {}",
    "INSERT INTO b (tenant_id, x) VALUES {}", "INSERT INTO b SELECT {}", "WITH q AS ({}) SELECT 1",
    "MERGE INTO b USING {} ON true WHEN MATCHED THEN DELETE", "{}", "EXPLAIN {}", "CALL {}",
)  # fmt: skip
WRAPPED = (
    ("(", ")"), ("NOT ", ""), ("- ", ""), ("CASE WHEN ", " THEN 1 END"), ("f(", ")"),
    ("ARRAY[", "]"),
    ("CAST(", " AS numeric(10))"), ("(SELECT ", ")"), ("(SELECT * FROM b WHERE ", ")"), ("[", "]"),
    ("EXISTS (SELECT 1 FROM b WHERE ", ")"), ("id IN (", ")"), ("LATERAL (SELECT ", ") x"),
    ("coalesce(", ", :t)"), ("(VALUES (", "))"), ("b JOIN (", ") x ON true"), ("", "::text"),
    ("", "[1]"), ("", ".f"), ("a = ", ""), ("a + (", ") * 2"), ("x OVER (PARTITION BY ", ")"),
    ("SELECT 1 UNION ", ""), ("(SELECT 1 UNION ", ") x"), ("WITH a AS (SELECT ", ") SELECT 1"),
    ("INTERVAL ", ""), ("LIMIT (", ")"), ("E'", "'"), ("$a$", "$a$"), ("/*", "*/"), ('"', '"'),
    ("SELECT * FROM (", ") x"), ("SELECT * FROM b b1, LATERAL (", ") x"), ("row(", ")"),
)  # fmt: skip
PARTS = (
    "1", "'x'", ":t", "a", "b.tenant_id = :t", "tenant_id = 'x'", "SELECT 1", "null", "-1", "a1",
    "b x JOIN c y ON x.id = y.id", "(1, 'a')", "'x'::text", "lower('x')", "1.5", "--c\n", "/* */",
    "E'a\\'",
)  # fmt: skip
COMMAS = (
    ", ", " AND ", " OR ", " UNION SELECT ", " JOIN ", " LEFT JOIN c ON ", ".", "::", " || ", "[1]",
    " ", "\n", ";", " -> ", "; SELECT ", " NATURAL JOIN ", ", LATERAL ", " EXCEPT SELECT ", "''",
    " = ", " IS NOT ", " NOT IN (SELECT 1) AND ", "), (",
)  # fmt: skip
ONCE_SLOW = (
    lambda: "SELECT " + "LATERAL (SELECT " * 12 + "1" + ")" * 12,
    lambda: "SELECT f(1)" + ".g(2)" * 300,
    lambda: "SELECT " + "(SELECT * FROM b WHERE " * 38 + "a" + ")[1]" * 38,
    lambda: "SELECT * FROM b " + "JOIN c " * 30,
    lambda: "SELECT a" + "[1]" * 2_000,
    lambda: "SELECT " + "ARRAY[" * 20 + "1" + "]" * 20,
    lambda: "SELECT * FROM b WHERE " + " AND ".join(["tenant_id = 'x'"] * 3_500),
    lambda: "SELECT E'" + "\\'" * 30_000 + "'",
    lambda: "SELECT 1 " + "/* ' */" * 9_000,
    lambda: "SELECT 1" + "; SELECT 1" * 6_000,
    lambda: "INSERT INTO b (tenant_id, x) VALUES " + ", ".join(["('t', lower('x'))"] * 3_200),
    lambda: "INSERT INTO b (tenant_id, x) VALUES " + ", ".join(["('t', f(g('x')))"] * 3_200),
    lambda: "INSERT INTO b (tenant_id, x) VALUES ('t', " + "f(1, " * 10_000,
    lambda: "INSERT INTO b (tenant_id, x) VALUES " + "('t'::numeric(1), " * 3_000,
    lambda: "UPDATE b SET x = 1 FROM (VALUES (1)) v" + ", (VALUES (1)) v" * 3_000,
    lambda: "SELECT 'x' RETURNING jsonb" + " with wrapper" * 4_000 + " (",
    lambda: "INSERT INTO b (tenant_id, x) VALUES " + ", ".join(
        f"(:t{n}::uuid, :x{n})" for n in range(3_000)),
    lambda: "INSERT INTO b (tenant_id, x) VALUES " + ", ".join(
        (f"(:t{n}, {n})", f"('x{n}', NULL)", f"(NULL, {n}, :t{n})")[n % 3] for n in range(3_500)),
    lambda: "INSERT INTO b (tenant_id, x) VALUES " + ", ".join(
        (f"(coalesce(:t{n}, 'x'), {n})", f"(:t{n}::uuid, -{n})")[n % 2] for n in range(2_700)),
    lambda: "SELECT 1 FROM b WHERE tenant_id IN (" + ", ".join(
        f":t{n}" for n in range(8_000)) + ")",
    lambda: "SELECT 1 FROM b WHERE tenant_id = ANY(ARRAY[" + ",".join(
        f"CAST(:t{n} AS uuid)" for n in range(2_700)) + "])",
    lambda: "SELECT 1 FROM b WHERE tenant_id IN (" + ", ".join(
        f"{n}, :p{n}" for n in range(4_400)) + ")",
    lambda: "SELECT 1 FROM b WHERE tenant_id IN (" + ", ".join(
        f"1_{n}" for n in range(9_000)) + ")",
    lambda: "SELECT $1$ " + "$1$ " * 16_000,
    lambda: "SELECT " + "/*" * 32_000,
    lambda: "SELECT " + "a" + " + ('x'::text) * 2" * 3_800 + " '",
    lambda: "SELECT " + ", ".join(
        f"set_config('app.tenant{n}', 'x', false)" for n in range(39)) + ", f(1)" * 9_000,
    lambda: "WITH c0 AS (SELECT * FROM b), "
    + ", ".join(f"c{n} AS (SELECT x.* FROM c{n - 1} x JOIN c{n - 1} y USING (id))"
                for n in range(1, 500)) + " SELECT * FROM c499",
)  # fmt: skip
MILLION = 1_000_000
LARGE_VALUES = {
    "quotes": "{" + ",".join(f'"t{number}" ' for number in range(MILLION // 20)) + "}",
    "one in quotes": "{" + ",".join(["t"] * (MILLION // 20)) + ',"t"}',
    "escapes": '{"' + '\\"' * (MILLION // 2) + '"}',
    "commas": "{" + "," * MILLION + "}",
    "names": ",".join(f"t{number}" for number in range(MILLION // 7)),
    "digits": "1" * MILLION,
    "blanks": " " * MILLION,
    "surrogates": "\ud800" * MILLION,
}
READ_BY = (
    "tenant_id = ANY(:t)", "tenant_id = ANY(:t::int[])", "tenant_id = ANY(:t::varchar(9)[])",
    "tenant_id = ANY(string_to_array(:t, ','))", "tenant_id IN (" + ":t, " * 140 + ":t)",
    "tenant_id = nullif(:t, '')", "(:t = 7 OR tenant_id = :u)", "(:u = ANY(:t) OR tenant_id = :u)",
    "(lower(upper(trim(:t))) = '' OR tenant_id = :u)",
)  # fmt: skip
OF_LARGE_VALUES = 3
"""Times the limit of a text of 64 kB: what is longer has 50 ms."""


def at_random(chosen: random.Random) -> str:
    """One text of at most 64 kB."""
    head = chosen.choice(HEADS)
    wrapped = [chosen.choice(WRAPPED) for _ in range(chosen.randint(1, 4))]
    inner = chosen.choice(PARTS)
    if chosen.random() < 0.4:
        depth = chosen.choice((3, 8, 15, 40, 400, 5_000))
        opening, closing = ("".join(one[side] for one in wrapped) for side in (0, 1))
        body = opening * depth + inner + closing * depth
    else:
        one = "".join(start for start, _ in wrapped) + inner
        one += "".join(end for _, end in reversed(wrapped))
        body = chosen.choice(COMMAS).join([one] * chosen.choice((10, 40, 200, 1_000, 8_000)))
    if chosen.random() < 0.2:
        body = body + chosen.choice(COMMAS) + chosen.choice(PARTS)
    return head.format(body)[:TEXT_CHARS]


def _took_s(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return time.thread_time() - start


def _limit_s() -> float:
    """The bound here and now, in what sqlglot takes for a plain statement."""
    parse_template(UNIT)
    least_s = min(_took_s(lambda: [parse_template(UNIT) for _ in range(20)]) for _ in range(5))
    return UNITS * least_s / 20


def _first_sight(sql: str, limit_s: float) -> float:
    """Its time as a part of the bound, the least of some: a busy machine makes one take longer."""
    names = dict.fromkeys(PARAMETER.findall(sql))
    values = [{"name": name, "value": {"stringValue": f"of {name}"}} for name in names]
    request = request_of(
        "ExecuteStatement", {"sql": sql, "transactionId": "t", "parameters": values}
    )
    part = _took_s(lambda: Resolver(config.load({}), Health()).claims(request)) / limit_s
    for _ in range(4):
        if part <= 1:
            break
        took_s = _took_s(lambda: Resolver(config.load({}), Health()).claims(request))
        part = min(part, took_s / _limit_s())
    return part


def _slow_ones(texts: Iterable[str]) -> list[str]:
    limit_s = _limit_s()
    parts = ((sql, _first_sight(sql, limit_s)) for sql in texts)
    return [f"{part:.1f} of the bound: {sql[:200]!r}" for sql, part in parts if part > 1]


def test_texts_that_were_slow_once_are_not(make_resolver):
    """Each of them took more than the bound, most of them seconds."""
    make_resolver().claims(request_of("ExecuteStatement", {"sql": UNIT}))
    assert not _slow_ones(make()[:TEXT_CHARS] for make in ONCE_SLOW)


@pytest.mark.parametrize("condition", READ_BY)
def test_no_value_takes_long_whatever_reads_it(condition, make_resolver):
    """A million characters, read in 30 places: some of these took seconds, and one 22."""
    sql = "SELECT * FROM b WHERE " + " AND ".join([condition] * (30 if len(condition) < 99 else 1))
    resolver = make_resolver()
    resolver.bound(sql)
    slow = []
    for name, text in LARGE_VALUES.items():
        for hint in ({}, {"typeHint": "DECIMAL"}):
            given = [{"name": "t", "value": {"stringValue": text}, **hint}]
            given.append({"name": "u", "value": {"stringValue": "acme"}})
            request = request_of("ExecuteStatement", {"sql": sql, "parameters": given})
            limit_s = OF_LARGE_VALUES * _limit_s()
            if min(_took_s(lambda r=request: resolver.claims(r)) for _ in range(3)) > limit_s:
                slow.append((name, hint))
    assert not slow


def test_a_few_texts_at_random_are_not_slow(make_resolver):
    """The same each time."""
    make_resolver().claims(request_of("ExecuteStatement", {"sql": UNIT}))
    chosen = random.Random(5)
    assert not _slow_ones(at_random(chosen) for _ in range(IN_TEST))
    heavy = HeavyTexts(chosen)
    assert not _slow_ones(heavy.one() for _ in range(IN_TEST))


@pytest.mark.long
def test_of_many_texts_at_random_none_is_slow_or_large(make_resolver, seed):
    """Others each time; a failure prints what repeats them."""
    make_resolver().claims(request_of("ExecuteStatement", {"sql": UNIT}))
    chosen = random.Random(seed)
    assert not _slow_ones(at_random(chosen) for _ in range(IN_LONG_TEST))
    heavy = HeavyTexts(chosen)
    assert not _slow_ones(heavy.one() for _ in range(IN_LONG_TEST))
    resolver = make_resolver()
    tracemalloc.start()
    try:
        for _ in range(IN_LONG_TEST // 10):
            sql = chosen.choice((at_random, lambda _: heavy.one()))(chosen)
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            resolver.claims(request_of("ExecuteStatement", {"sql": sql}))
            assert tracemalloc.get_traced_memory()[1] - before < PEAK_BYTES, sql[:200]
    finally:
        tracemalloc.stop()
