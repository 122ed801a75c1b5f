"""No text takes the caller's thread for long: neither when it is planned nor when it is evaluated.

Work is counted in calls of functions, which are the same on any machine and under any load. The
parser is compiled, so what it does is counted in processor time, with a wide margin: a construct
whose time doubles with each level would take hours at the depths used here.
"""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import pytest

from tenantmetrics import config
from tenantmetrics.capture.request import Request
from tenantmetrics.health import Health
from tenantmetrics.tenant.resolve import Resolver
from tenantmetrics.tenant.sql.many_row_insert import bulk_rows
from tenantmetrics.tenant.sql.operands import Values
from tenantmetrics.tenant.sql.parser import parse_template
from tenantmetrics.tenant.sql.plan import operands_of
from tenantmetrics.tenant.sql.restrictions import State, evaluate
from tenantmetrics.tenant.sql.template import skeleton
from tests.tenant.sql.heavy_texts import WHOLE, HeavyTexts

TEXT_CHARS = 65_536
"""The longest text that the Data API takes."""
FIRST_SIGHT_CALLS = 140_000
HEAVY_CALLS = 45_000
"""4 ms beside the parser."""
AGAIN_CALLS = 10_000
PARSER_S = 1.0
CHAIN_S = 0.1
SIZES = (10, 20, 60, 200, 1_000, 5_000)


def chained(first: str, following: Callable[[int], str], last: str) -> Callable[[int], str]:
    """WITH queries, each of which reads the one before."""
    return lambda size: (
        f"WITH {first}"
        + "".join(f", c{number} AS ({following(number)})" for number in range(1, size))
        + last.format(size - 1)
    )


def nested(
    head: str, opening: str, core: str, closing: str, tail: str = ""
) -> Callable[[int], str]:
    return lambda size: head + opening * size + core + closing * size + tail


def listed(head: str, item: Callable[[int], str], comma: str, tail: str) -> Callable[[int], str]:
    return lambda size: head + comma.join(item(number) for number in range(size)) + tail


BASE = "c0 AS (SELECT * FROM b WHERE tenant_id = :t)"
OF_TENANT = " FROM b WHERE tenant_id = :t"
GROWING: dict[str, Callable[[int], str]] = {
    "joined twice": chained(
        BASE,
        lambda n: f"SELECT x.* FROM c{n - 1} x JOIN c{n - 1} y ON x.id = y.id",
        " SELECT * FROM c{}",
    ),
    "united twice": chained(
        BASE,
        lambda n: f"SELECT * FROM c{n - 1} UNION ALL SELECT * FROM c{n - 1}",
        " SELECT * FROM c{}",
    ),
    "read by subqueries": chained(
        BASE,
        lambda n: (
            f"SELECT * FROM c{n - 1} WHERE id IN (SELECT id FROM c{n - 1}) "
            f"AND tenant_id IN (SELECT tenant_id FROM c{n - 1})"
        ),
        " SELECT * FROM c{}",
    ),
    "sets a variable, and is read four times": chained(
        "c0 AS (SELECT set_config('app.current_tenant_id', :t, false) AS x)",
        lambda n: f"SELECT 1 AS x FROM c{n - 1} a, c{n - 1} b, c{n - 1} c, c{n - 1} d",
        " SELECT 1 FROM c{} WHERE x = 1",
    ),
    "read four times": chained(
        BASE,
        lambda n: (
            f"SELECT x.*, (SELECT 1 FROM c{n - 1}) FROM c{n - 1} x, c{n - 1} y, c{n - 1} z "
            "WHERE x.id = y.id AND y.id = z.id"
        ),
        " SELECT * FROM c{}",
    ),
    "recursive": chained(
        "RECURSIVE " + BASE,
        lambda n: (
            f"SELECT * FROM c{n - 1} UNION ALL "
            f"SELECT x.* FROM c{n} x JOIN c{n - 1} y ON x.id = y.id"
        ),
        " SELECT * FROM c{}",
    ),
    "recursive in recursive": nested(
        "", "WITH RECURSIVE a AS (", "SELECT 1 UNION SELECT 2", ") SELECT * FROM a UNION SELECT 3"
    ),
    "values": lambda size: (
        "WITH "
        + ",".join(f"v{n}(tenant_id) AS (VALUES (:t),(:t))" for n in range(size))
        + " SELECT * FROM b, "
        + ",".join(f"v{n}" for n in range(size))
        + " WHERE "
        + " AND ".join(f"b.tenant_id = v{n}.tenant_id" for n in range(size))
    ),
    "derived tables": nested("", "SELECT * FROM (", "SELECT *" + OF_TENANT, ") x"),
    "IN": nested("", "SELECT tenant_id FROM b WHERE tenant_id IN (", ":t", ")"),
    "OR in AND": nested(
        "SELECT * FROM b WHERE ", "(tenant_id = :t OR (x = 1 AND ", "tenant_id = :t", "))"
    ),
    "NOT": nested("SELECT * FROM b WHERE ", "NOT ", "tenant_id = :t", ""),
    "casts": nested("SELECT * FROM b WHERE tenant_id = :t", "::text", "", ""),
    "additions": nested("SELECT 1", " + 1", OF_TENANT, ""),
    "subscripts": nested("SELECT a", "[1]", "", "", OF_TENANT),
    "JOIN": listed(
        "SELECT * FROM b a ",
        lambda n: f"JOIN b a{n} ON a{n}.id = a{n - 1}.id",
        " ",
        " WHERE a0.tenant_id = :t",
    ),
    "LEFT JOIN": listed(
        "SELECT * FROM b a ",
        lambda n: f"LEFT JOIN b a{n} ON a{n}.id = a.id AND a{n}.tenant_id = :t",
        " ",
        " WHERE a.tenant_id = :t",
    ),
    "JOIN USING": listed(
        "SELECT * FROM b a ", lambda n: f"JOIN b a{n} USING (tenant_id)", " ", " WHERE a.x = :t"
    ),
    "NATURAL JOIN": listed(
        "SELECT * FROM b a ", lambda n: f"NATURAL JOIN b a{n}", " ", " WHERE a.tenant_id = :t"
    ),
    "columns without a table": lambda size: (
        listed("SELECT * FROM ", "b a{}".format, ",", "")(size)
        + listed(" WHERE ", lambda _: "tenant_id = :t", " AND ", "")(size)
    ),
    "LATERAL": listed(
        "SELECT * FROM b a, ", "LATERAL (SELECT * FROM b WHERE b.id = a.id) a{}".format, ",", ""
    ),
    "OR": listed("SELECT * FROM b WHERE ", "tenant_id = 't{}'".format, " OR ", ""),
    "ANDs of OR": listed(
        "SELECT * FROM b WHERE ", "(tenant_id = 't{0}' OR tenant_id = 'u{0}')".format, " AND ", ""
    ),
    "UNION": listed("", "SELECT * FROM b WHERE tenant_id = 't{}'".format, " UNION ALL ", ""),
    "INTERSECT": listed("", "SELECT * FROM b WHERE tenant_id = 't{}'".format, " INTERSECT ", ""),
    "COALESCE": listed("SELECT * FROM b WHERE tenant_id = COALESCE(", ":p{}".format, ",", ")"),
    "set_config": listed("SELECT ", "set_config('app.tenant', 't{}', true)".format, ",", ""),
    "set_config that nothing reads": listed(
        "WITH ", "c{} AS (SELECT set_config('app.tenant', :t, true))".format, ",", " SELECT 1"
    ),
    "UPDATE": listed(
        "UPDATE b SET ", "c{} = (SELECT x FROM b)".format, ",", " WHERE tenant_id = :t"
    ),
    "MERGE": listed(
        "MERGE INTO b USING s ON b.tenant_id = s.tenant_id AND s.tenant_id = :t ",
        lambda _: "WHEN MATCHED AND s.x = 1 THEN UPDATE SET y = 2",
        " ",
        "",
    ),
    "row of columns": lambda size: (
        listed("SELECT * FROM b WHERE (", lambda _: "tenant_id", ",", "")(size)
        + listed(") = (", lambda _: ":t", ",", ")")(size)
    ),
    "statements": nested("", "SELECT *" + OF_TENANT + ";", "", ""),
    "list of numbers": listed("SELECT * FROM b WHERE tenant_id IN (", str, ",", ")"),
    "list of parameters": listed("SELECT * FROM b WHERE tenant_id IN (", ":p{}".format, ",", ")"),
    "list of casts": listed("SELECT * FROM b WHERE tenant_id IN (", "{}::text".format, ",", ")"),
    "array": listed("SELECT * FROM b WHERE tenant_id = ANY(ARRAY[", str, ",", "])"),
    "rows": listed("INSERT INTO b (id, tenant_id) VALUES ", "({0}, 't{0}')".format, ",", ""),
    "rows of casts": listed(
        "INSERT INTO b (id, tenant_id) VALUES ", "({0}, 't{0}'::text)".format, ",", ""
    ),
    "rows of E literals": listed(
        "INSERT INTO b (id, tenant_id) VALUES ", "({0}, E't{0}\\n')".format, ",", ""
    ),
    "comment of pairs": listed("/*a='b',", "k{}='v'".format, ",", "*/ SELECT 1"),
    "comments": nested("SELECT 1", "/**/", "", ""),
    "comments in comments": nested("", "/*", "", "*/", "SELECT 1"),
    "one literal in many pieces": nested("SELECT 'a'", "\n'a'", "", ""),
    "dollars": nested("SELECT ", "$", "", ""),
    "quotes": nested("SELECT ", "'", "", '"'),
    "brackets": nested("SELECT ", "[", "", "]"),
    "parentheses": nested("SELECT ", "(", "1", ")"),
    "spaces": nested("SELECT ", " ", "1", "\n"),
    "search path": listed("SET search_path TO ", "s{}".format, ",", ""),
}
MARKS = [f"{name}, {size}" for name in GROWING for size in SIZES]


def text_of(mark: str) -> str:
    name, size = mark.rsplit(", ", 1)
    return GROWING[name](int(size))[:TEXT_CHARS]


def calls_of(work: Callable[[], Any]) -> tuple[int, Any]:
    """How many functions a piece of work calls, and what it gives."""
    count = 0

    def counted(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(counted)
    try:
        result = work()
    finally:
        sys.setprofile(None)
    return count, result


def request(sql: str, tenant: str) -> Request:
    return Request("ExecuteStatement", sql, [{"name": "t", "value": {"stringValue": tenant}}], "t")


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """The patterns of large INSERTs, which a process compiles once."""
    assert bulk_rows("INSERT INTO t (a) VALUES (1), (2)") is not None


@pytest.mark.parametrize("mark", MARKS)
def test_no_text_takes_long(mark, resolver):
    """Neither at first sight nor with another tenant, and it never raises."""
    sql = text_of(mark)
    first, claims = calls_of(lambda: resolver.claims(request(sql, "acme")))
    again, _ = calls_of(lambda: resolver.claims(request(sql, "bee")))
    assert first < FIRST_SIGHT_CALLS
    assert again < AGAIN_CALLS
    assert all(tenant != "__unattributed__" for claim in claims.named for tenant, _ in claim.shares)


def test_no_text_of_one_part_again_and_again_takes_long():
    """As heavy as the limits let them be, and a third of it: each kind, and others at random."""
    heavy = HeavyTexts(random.Random(3))
    texts = [heavy.repeated(whole, tokens) for whole in WHOLE for tokens in (400, 1_100)]
    texts += [heavy.one() for _ in range(30)]
    resolver = Resolver(config.load({}), Health())
    # What is compiled with the first text that needs it.
    resolver.claims(request(texts[0], "acme"))
    texts[0] += " "
    counts = {
        sql: calls_of(lambda sql=sql: resolver.claims(request(sql, "acme")))[0] for sql in texts
    }
    sql = max(counts, key=counts.__getitem__)
    assert counts[sql] < HEAVY_CALLS, sql


@pytest.mark.parametrize("name", ["joined twice", "united twice", "read four times"])
def test_queries_that_are_read_again_are_evaluated_once(name, resolver):
    """Eight WITH queries of one tenant are that tenant's, and take linear work."""
    plans = [resolver.bound(GROWING[name](size)).plan for size in (4, 8)]
    assert all(len(operands_of(plan)) < 200 for plan in plans)
    given = {"t": {"name": "t", "value": {"stringValue": "acme"}}}
    short, long = (
        calls_of(lambda plan=plan: evaluate(plan.node, Values((), given))) for plan in plans
    )
    assert long[0] < 3 * short[0]
    assert long[1].state is State.KNOWN
    assert set(long[1].shares) == {"acme"}


def test_a_list_of_tenants_that_many_queries_read_is_bounded(resolver):
    """20,000 names in one parameter and 40 queries that join them: undecided, not 800,000 steps."""
    sql = GROWING["read four times"](40).replace("= :t", "= ANY(:t)")
    names = [f"t{number}" for number in range(20_000)]
    given = {"t": {"name": "t", "value": {"arrayValue": {"stringValues": names}}}}
    plan = resolver.bound(sql).plan
    calls, answer = calls_of(lambda: evaluate(plan.node, Values((), given)))
    assert answer.state is State.UNDECIDED
    once = resolver.bound("SELECT * FROM b WHERE tenant_id = ANY(:t)").plan
    calls_once, answer = calls_of(lambda: evaluate(once.node, Values((), given)))
    assert calls < 4 * calls_once
    assert len(answer.shares) == len(names)


FRAGMENTS = [
    ("(", ")"), ("(SELECT ", ")"), ("f(", ")"), ("f(a, ", ")"), ("CAST(", " AS int)"),
    ("a IN (", ")"), ("(a, (", "))"), ("EXISTS(SELECT 1 WHERE ", ")"),
    ("CASE WHEN ", " THEN 1 END"),
    ("NOT ", ""), ("- ", ""), ("a BETWEEN ", " AND 2"), ("ARRAY[", "]"), ("ARRAY(SELECT ", ")"),
    ("a[", "]"), ("f() OVER (ORDER BY ", ")"), ("count(*) FILTER (WHERE ", ")"),
    ("(SELECT 1 LIMIT ", ")"), ("(SELECT 1 OFFSET ", ")"), ("(SELECT 1 FROM b WHERE ", ")"),
    ("(SELECT * FROM a, LATERAL ", ")"), ("(SELECT * FROM a, LATERAL f(", "))"),
    ("(SELECT 1 FROM (SELECT ", ") x)"), ("(SELECT 1 FROM LATERAL (SELECT ", ") x)"),
    ("(SELECT 1 UNION SELECT ", ")"), ("(WITH a AS (SELECT ", ") SELECT 1)"),
    ("(SELECT 1 FROM b JOIN c ON ", ")"), ("(SELECT 1 FROM f(", "))"), ("(VALUES (", "))"),
    ("ROW(", ")"), ("a = ANY(", ")"), ("INTERVAL ", ""), ("EXTRACT(day FROM ", ")"),
    ("substring(a FROM ", ")"), ("trim(both 'x' from ", ")"), ("coalesce(", ")"),
    ("json_object('a': ", ")"), ("f(x ORDER BY ", ")"), ("a::numeric(", ")"), ("DATE(", ")"),
    ("TIMESTAMP (", ")"), ("numeric(", ")"), ("struct(", ")"), ("map(", ")"),
    ("{", "}"), ("[", "]"),
    ("a AND ", ""), ("a OR ", ""), ("(SELECT 1 FROM (a JOIN ", " ON true))"),
    ("(SELECT 1 FROM a, (", ") b)"), ("(SELECT 1 FETCH FIRST ", " ROWS ONLY)"),
]  # fmt: skip


def deep(parts: tuple[tuple[str, str], ...], depth: int) -> str:
    opening, closing = "".join(part[0] for part in parts), "".join(part[1] for part in parts[::-1])
    return f"SELECT {opening * depth}1{closing * depth}"


def nestings() -> Iterator[str]:
    for fragment in FRAGMENTS:
        yield deep((fragment,), 19)
    for pair in permutations(FRAGMENTS, 2):
        yield deep(pair, 9)


def test_nothing_that_is_nested_doubles_the_parsers_time():
    """Each construct in itself, and each in each other."""
    for sql in nestings():
        template = skeleton(sql).template
        start = time.process_time()
        parse_template(template)
        assert time.process_time() - start < PARSER_S, sql


def test_no_chain_of_calls_takes_the_parsers_time_squared():
    """Calls and subscripts that follow each other, whatever stands between them."""
    for link in (
        "f(1)",
        "f(a[1:2])",
        "a[1].b",
        "a.b(1)",
        "f((SELECT 1))",
        "U&'x'.f(1)",
        '"f"(1)',
        "f() OVER (a)",
    ):
        for dot in (".", " . ", ".\n"):
            template = skeleton("SELECT " + dot.join([link] * 250)).template
            start = time.process_time()
            parse_template(template)
            assert time.process_time() - start < CHAIN_S, link


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT (r).a, (r).b, (r).c, " + ", ".join(f"(r).c{n}" for n in range(40)) + OF_TENANT,
        "SELECT 1" + OF_TENANT + "".join(f" AND (r).c{n} = f(x).y" for n in range(40)),
        "SELECT s.f(1)" + "".join(f" + s.f({n})" for n in range(40)) + OF_TENANT,
        "SELECT 1" + OF_TENANT + "".join(f" OR tenant_id = :t AND a[{n}].b" for n in range(20)),
    ],
)
def test_many_short_chains_are_none(sql, resolver):
    """A hundred fields of composite columns are read as before."""
    assert not resolver.bound(sql).plan.why


def test_slow_texts_take_no_memory_either():
    """What is kept of all of them is a small multiple of their length."""
    texts = [text_of(mark) for mark in MARKS if mark.endswith(", 200")]
    resolver = Resolver(config.load({}), Health())
    tracemalloc.start()
    for sql in texts:
        resolver.claims(request(sql, "acme"))
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 60 * sum(map(len, texts))
    assert peak < 90 * sum(map(len, texts))


BOUND_S, BOUND_OF_LONG_S = 0.010, 0.050
MARGIN = 3
"""Other work on the machine slows this thread's own time too."""
FULL = {name: make(TEXT_CHARS // len(make(1)) + 1)[:TEXT_CHARS] for name, make in GROWING.items()}
MILLION = 1_000_000
LONG = {
    "one literal": f"SELECT * FROM b WHERE tenant_id = 't' AND x = '{'a' * MILLION}'",
    "one E literal": "SELECT * FROM b WHERE x = E'" + "a\\n" * (MILLION // 3) + "'",
    "quotes": "SELECT '" + "''" * (MILLION // 2) + "'",
    "a comment": "/*" + "a" * MILLION + "*/ SELECT 1",
    "comments": "SELECT 1 " + "/* a */" * (MILLION // 7),
    "names": "SELECT " + ",".join(f"c{number}" for number in range(MILLION // 8)) + OF_TENANT,
    "conditions": "SELECT 1" + OF_TENANT + " AND x = 1" * (MILLION // 10),
    "statements": "SELECT 1;" * (MILLION // 9),
    "spaces": "SELECT" + " " * MILLION + "1",
    "rows": "INSERT INTO b (id, tenant_id) VALUES " + ",".join(["(1, 't')"] * 10_000),
    "ten millions": "SELECT " + "1," * 5 * MILLION + "1",
}


def own_time_s(work: Callable[[], object]) -> float:
    """Seconds of this thread's processor, the best of three."""
    taken = []
    for _ in range(3):
        start = time.thread_time()
        work()
        taken.append(time.thread_time() - start)
    return min(taken)


@pytest.mark.long
@pytest.mark.parametrize("name", [*MARKS, *FULL, *LONG])
def test_no_text_takes_this_thread_longer_than_the_bound(name):
    """10 ms for what the Data API takes, 50 ms for what is longer, where nothing else runs."""
    sql = LONG.get(name) or FULL.get(name) or text_of(name)
    bound = BOUND_OF_LONG_S if len(sql) > TEXT_CHARS else BOUND_S
    plans = [Resolver(config.load({}), Health()) for _ in range(3)]
    assert own_time_s(lambda: plans.pop().claims(request(sql, "acme"))) < MARGIN * bound
