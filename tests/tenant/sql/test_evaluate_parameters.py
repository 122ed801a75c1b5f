"""Expressions of parameters come out as PostgreSQL computes them, or are not told."""

from __future__ import annotations

import random

import psycopg
import pytest
from sqlglot import exp

from tenantmetrics.localapi.postgres import embedded
from tenantmetrics.tenant.sql.operands import Values
from tenantmetrics.tenant.sql.parameter_conditions import computed
from tenantmetrics.tenant.sql.parser import parse_template
from tenantmetrics.tenant.sql.template import skeleton
from tenantmetrics.tenant.sql.value_operations import Unclear

EXPRESSIONS = 1_500
ONE = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
NONE = "00000000-0000-0000-0000-000000000000"
TOLD_AT_LEAST = 0.5

GIVEN = {
    "q": ("text", ["", "x", "X", " x", "all", "true", "1", "007", None]),
    "p": ("text", ["", "x", "all", "2020-01-01", None]),
    "n": ("bigint", [0, 1, 7, -5, None]),
    "f": ("boolean", [True, False, None]),
    "a": ("text[]", [[], ["x"], ["x", "all"], [None, "x"], None]),
    "g": ("uuid", [ONE, ONE.upper(), f"{{{ONE}}}", NONE, None]),
}


class Expressions:
    """Makes expressions of values; the same seed gives the same ones."""

    def __init__(self, seed):
        self._random = random.Random(seed)

    def values(self):
        return {name: self._random.choice(values) for name, (_, values) in GIVEN.items()}

    def boolean(self, depth=3):
        r = self._random
        b, t, i = self.boolean, self.text, self.integer
        flat = [
            lambda: ":f", lambda: ":f::boolean", lambda: r.choice(["true", "false"]),
            lambda: f"{t(0)} = {t(0)}", lambda: f"{t(0)} <> {t(0)}",
            lambda: f"{i(0)} {r.choice(['=', '<', '<=', '>', '>=', '<>'])} {i(0)}",
            lambda: f":{r.choice('qpnfag')} IS {r.choice(['', 'NOT '])}NULL",
            lambda: f"{t(0)} IN ({t(0)}, {t(0)})", lambda: ":q = ANY(:a)",
            lambda: ":q = ANY(ARRAY['x', 'all'])", lambda: ":q::date IS NULL AND :q IS NULL",
            lambda: f"{t(0)} IS {r.choice(['', 'NOT '])}DISTINCT FROM {t(0)}",
            lambda: f":g::uuid {r.choice(['=', '<>'])} '{r.choice([ONE, NONE])}'::uuid",
            lambda: f":g::uuid = ANY(ARRAY['{ONE}'::uuid, '{NONE}'])",
            lambda: f"NULLIF(:g::uuid, '{NONE}'::uuid) IS {r.choice(['', 'NOT '])}NULL",
            lambda: f"'{ONE}'::uuid IS {r.choice(['', 'NOT '])}DISTINCT FROM :g",
            lambda: ":a = '{}'", lambda: f":f = {r.choice(['true', 'false'])}",
        ]  # fmt: skip
        if depth <= 0 or r.random() < 0.3:
            return r.choice(flat)()
        return r.choice([
            lambda: f"({b(depth - 1)} AND {b(depth - 1)})",
            lambda: f"({b(depth - 1)} OR {b(depth - 1)})",
            lambda: f"NOT ({b(depth - 1)})",
            lambda: f"({b(depth - 1)}) IS {r.choice(['', 'NOT '])}{r.choice(['TRUE', 'FALSE'])}",
            lambda: f"CASE WHEN {b(depth - 1)} THEN {b(depth - 1)} ELSE {b(depth - 1)} END",
            lambda: f"CASE {t(0)} WHEN {t(0)} THEN {b(depth - 1)} END",
            lambda: f"coalesce({b(depth - 1)}, {b(depth - 1)})",
            lambda: f"{t(depth - 1)} = {t(depth - 1)}", lambda: f"{i(depth - 1)} > {i(0)}",
        ])()  # fmt: skip

    def text(self, depth=1):
        r = self._random
        flat = [":q", ":p", "''", "'x'", "'X'", "'all'", ":q::text", "(SELECT :p)", "NULL::text"]
        if depth <= 0:
            return r.choice(flat)
        return r.choice([
            lambda: f"lower({self.text(depth - 1)})", lambda: f"trim({self.text(depth - 1)})",
            lambda: f"coalesce({self.text(depth - 1)}, '')",
            lambda: f"NULLIF({self.text(depth - 1)}, {self.text(0)})",
            lambda: f"CASE WHEN :f THEN {self.text(0)} ELSE {self.text(0)} END",
            lambda: f"{self.integer(0)}::text",
        ])()  # fmt: skip

    def integer(self, depth=1):
        r = self._random
        if depth <= 0 or r.random() < 0.4:
            return r.choice([":n", "0", "1", "7", ":n::int"])
        return r.choice([
            lambda: f"length({self.text(0)})", lambda: "cardinality(:a::text[])",
            lambda: "array_length(:a, 1)", lambda: f"coalesce({self.integer(0)}, 0)",
        ])()  # fmt: skip


def written(sql, values):
    """The same text with values in the place of its parameters."""
    for name, (kind, _) in GIVEN.items():
        value = values[name]
        text = "NULL" if value is None else f"'{value}'"
        if isinstance(value, list):
            inner = ",".join("NULL" if element is None else element for element in value)
            text = "'{" + inner + "}'"
        sql = sql.replace(f":{name}", f"({text}::{kind})")
    return sql


def field(value):
    if value is None:
        return {"isNull": True}
    if isinstance(value, list):
        return {"arrayValue": {"stringValues": value}}
    kinds = {bool: "booleanValue", int: "longValue", str: "stringValue"}
    return {kinds[type(value)]: value}


def told(sql, values):
    """What it comes out as; a text that is not read is not told."""
    cut = skeleton(f"SELECT {sql}")
    (statement,) = parse_template(cut.template)
    assert isinstance(statement, exp.Select)
    test = computed(statement.expressions[0].unalias())
    if test is None:
        return Unclear.UNTOLD
    parameters = {name: {"name": name, "value": field(value)} for name, value in values.items()}
    return test.result(Values(cut.literals, parameters))


@pytest.fixture(scope="module")
def connection():
    with embedded() as url, psycopg.connect(url, autocommit=True) as opened:
        yield opened


def test_what_is_told_is_what_postgresql_computes(connection):
    """Random expressions over texts, numbers, flags and arrays."""
    source, told_ones, ran = Expressions(1), 0, 0
    for _ in range(EXPRESSIONS):
        sql, values = source.boolean(), source.values()
        try:
            (expected,) = connection.execute(f"SELECT {written(sql, values)}").fetchone()
        except psycopg.Error:
            continue
        ran += 1
        found = told(sql, values)
        if isinstance(found, str):
            found = {"true": True, "false": False}[found]
        if not isinstance(found, Unclear):
            told_ones += 1
            assert (found, type(found)) == (expected, type(expected)), (sql, values)
    assert ran > 0.8 * EXPRESSIONS
    assert told_ones > TOLD_AT_LEAST * ran


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("'1.0' = :q", "1"), ("'TRUE' = :q", "true"), ("'{a}' = :q", "{ a}"), ("'A' = :q", "a"),
        ("'x ' = :q", "x"), (":q::citext = 'ALL'", "all"), (":q::char(3) = 'all'", "allow"),
        (":q::varchar(3) = 'all'", "allow"), (":q < 'b'", "a"), (":q COLLATE de = 'a'", "b"),
        (":q || '' = 'b'", "a"), (":q LIKE 'b'", "a"), (":q::date = '2020-01-01'", "2020-1-1"),
        (":other = 'a'", "b"), ("random() > 1", "a"), ("current_user = 'a'", "b"),
    ],
)  # fmt: skip
def test_what_depends_on_a_type_or_a_collation_is_not_told(sql, value):
    """Two texts may be equal as numbers, arrays or case-insensitive text."""
    assert isinstance(told(sql, {"q": value}), Unclear)
