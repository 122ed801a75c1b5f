"""Fingerprints: our text and the view's give one number, different statements different ones.

`fixtures/fingerprints.json` holds texts as pg_stat_statements of PostgreSQL 15 and 18 shows them.
"""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.sqltext.fingerprint import MAX_TEXT, fingerprint

CASES = json.loads(
    (Path(__file__).parent.parent / "fixtures" / "fingerprints.json").read_text(encoding="utf-8")
)
PIECES = [
    "select", "id", ",", "(", ")", "[", "]", ":p", "$1", "1", "'a'", "::", "int", "numeric(10,2)",
    "cast", "as", "in", "-", "%", "%s", "%(a)s", "null", "is", "not", "set", "=", "to", "date",
    "timestamp", "with", "time", "zone", ".", ";", "/* , ... */", "'", '"', '"a"', "$$", "--", "\n",
    "rollback", "savepoint", "N$1", "THEN$2ELSE$3END", "case", "$",
]  # fmt: skip
texts = st.one_of(
    st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join)
)


@pytest.mark.parametrize("case", CASES, ids=[case["client"][:60] for case in CASES])
@pytest.mark.parametrize("version", ["postgresql_15", "postgresql_18"])
def test_the_views_text_and_ours_have_one_fingerprint(case, version):
    """Constants, parameters, lists and comments are folded alike on both sides."""
    assert fingerprint(case["client"]) == fingerprint(case[version])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("DECLARE c_1 CURSOR FOR SELECT a FROM t", 'declare "C-2" cursor for select a from t'),
        ("FETCH FORWARD 200 FROM c_1", "fetch forward $1 from c_2"),
        ("MOVE 5 IN c_1", "move $1 in c_2"),
        ("CLOSE c_1", "close c_2"),
    ],
)
def test_the_names_of_cursors_do_not_matter(one, other):
    """Drivers make up one for each: every call would be a statement of its own."""
    assert fingerprint(one) == fingerprint(other)


def test_different_statements_have_different_fingerprints():
    """Of all statements in the file, only those that differ in values alone are the same."""
    by_number = {}
    for case in CASES:
        by_number.setdefault(fingerprint(case["client"]), []).append(case["client"])
    same = {frozenset(texts) for texts in by_number.values() if len(texts) > 1}
    lists = frozenset(case["client"] for case in CASES if " WHERE id IN (" in case["client"])
    constants = frozenset(
        case["client"]
        for case in CASES
        if re.fullmatch(r"SELECT ?(?:DATE |E)?'.*[^xp]|SELECT 1", case["client"])
    )
    assert same == {lists, constants}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select a from t", "select b from t"),
        ("select a from t where b is null", "select a from t where b is true"),
        ("select a from t where b = 1", "select a from t where b > 1"),
        ("select a + 1 from t", "select a - 1 from t"),
        ('select "A" from t', "select a from t"),
        ("insert into t values (1, now()), (2, f())", "insert into t values (1, now())"),
        ("set role a", "set role b"),
        ("rollback", "rollback to a"),
        ("savepoint a", "release a"),
        ("set a.b = 1", "set a.c = 1"),
    ],
)
def test_what_is_no_value_is_kept_apart(one, other):
    """Folding stops at names, operators and tests."""
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize(
    ("client", "server"),
    [
        ("select a from t where b = %s and c %% 2 = 0", "select a from t where b = $1 and c%2=0"),
        ("select a from t where b = %(b)s::uuid", "select a from t where b = $1::uuid"),
        ("select a from t where b=%(long_name)s", "select a from t where b=$1"),
        ("select '%%s', %b from t", "select $1, $2 from t"),
        ("select a from t where b = CAST(%(b)s AS VARCHAR)", "select a from t where b = $1"),
        ("set time zone 'UTC'", "set time zone $1"),
        ("call f(1, 'a')", "call f($1, $2)"),
        ("deallocate p1", "DEALLOCATE $1"),
        ("select :b::timestamp with time zone and c", "select $1 and c"),
        ("select a from t where b = :b::s.mine[] and c", "select a from t where b=$1 and c"),
    ],
)  # fmt: skip
def test_other_clients_placeholders_and_types_are_folded_too(client, server):
    """What drivers and later versions make of a text is the same statement."""
    assert fingerprint(client) == fingerprint(server)


@given(texts)
def test_any_text_has_a_fingerprint_that_spacing_and_comments_do_not_change(sql):
    """No text raises, the number fits into a signed BIGINT, and is 0 only where nothing stands."""
    number = fingerprint(sql)
    assert 0 <= number < 2**63
    assert fingerprint(f" /* a */ {sql}") == number


@given(st.lists(st.sampled_from(PIECES[:18]), max_size=30))
def test_words_in_capitals_are_the_same_words(pieces):
    """Unquoted words have no case in PostgreSQL."""
    sql = " ".join(pieces)
    assert fingerprint(sql) == fingerprint(sql.upper().replace(":P", ":p"))


@given(st.integers(1, 40), st.integers(1, 40))
def test_the_length_of_a_list_does_not_matter(short, long):
    """A thousand lengths of an IN list are one statement, and so are the rows of an INSERT."""

    def text(count):
        values = ", ".join(f":v{number}" for number in range(count))
        rows = ", ".join(f"(:a{number}, now(), 1)" for number in range(count))
        return (f"delete from t where id in ({values})", f"insert into t values {rows}")

    assert [fingerprint(sql) for sql in text(short)] == [fingerprint(sql) for sql in text(long)]


@pytest.mark.parametrize(
    "text", ["'", "(", "((1),", "1,", "-", "%(", "%", "a$1", "::", "1::a[", "cast(1 as ", "set to "]
)
def test_time_is_linear_in_the_length_and_the_text_is_read_to_a_limit(text):
    """The longest text that is read ends, and what stands behind it is not read."""
    sql = text * (MAX_TEXT // len(text) + 1)
    assert fingerprint(sql) == fingerprint(sql[:MAX_TEXT])
