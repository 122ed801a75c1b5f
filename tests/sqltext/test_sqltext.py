"""PostgreSQL's lexical rules and named parameters; PostgreSQL's own verdict is asked elsewhere."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tenantmetrics import sqltext
from tenantmetrics.sqltext import TokenKind
from tenantmetrics.sqltext.lexer import plain_tokens

ROUTINE = (
    "create or replace function f() returns int begin atomic"
    " select case when true then 1 end; select 2; end"
)
PIECES = [
    "select", "E'a\\'b :x'", "'it''s :x'", "E'a'\n'\\' :x'", '":x"', "U&'d\\0061t :x'", "B'01'",
    "$$ :x $$", "$t$ $$ :x $t$", "foo$bar$", "-- :x\n", "/* /* :x */ ' */", "a::int", ":=", ":a",
    ":1", "a[1:2]", "[", "]", "(", ")", "'", '"', "$", "$t$", "E'", "/*", "--", ";", ":", "\\", "1",
    "1.5e-3", "é", ":é", " ", "\n", ",", "array", "::", "e", "U&", "''",
]  # fmt: skip
texts = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=20).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=20).map(" ".join),
)


def names(sql, known=()):
    return [parameter.name for parameter in sqltext.parameters(sql, known)]


@given(texts)
@example("E'\\")
def test_tokens_joined_are_the_text(sql):
    """Nothing is lost, nothing overlaps, and no text makes the scanner raise."""
    tokens = list(sqltext.tokenize(sql))
    assert "".join(sql[start:end] for _, start, end in tokens) == sql
    assert all(start < end for _, start, end in tokens)
    assert all(token.kind is not TokenKind.UNTERMINATED for token in tokens[:-1])


@given(texts)
def test_the_short_way_to_parameters_agrees_with_the_tokens(sql):
    """`parameters` skips over what is no parameter and finds the very same ones."""
    by_token = [
        (sql[start + 1 : end], start, end)
        for kind, start, end in sqltext.tokenize(sql)
        if kind is TokenKind.PARAMETER
    ]
    assert sqltext.parameters(sql) == by_token


@given(texts)
def test_rewriting_each_parameter_to_itself_keeps_every_parameter(sql):
    """Placeholders that are again parameters are found again, in the same order."""
    again = sqltext.rewrite(sql, lambda found: f":{found.name}")
    assert names(again) == names(sql)


@given(texts)
def test_statements_are_ordered_spans_that_start_and_end_in_substance(sql):
    """Spans do not overlap, and neither space nor a separator is at their edges."""
    position = 0
    for start, end in sqltext.statement_spans(sql):
        assert position <= start < end <= len(sql)
        assert not sql[start].isspace() or sql[start] not in " \t\n\r\f\v"
        position = end


@given(texts)
def test_the_short_way_to_statements_agrees_with_the_tokens(sql):
    """A text without comments, escapes and dollars is not cut into tokens; with one it is."""
    if not any(mark in sql for mark in "$\\-/"):
        by_token = sqltext.statement_spans(f"{sql}\n;$1")
        whole = sqltext.statement_spans(f"{sql}\n;x1")
        assert whole == by_token


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select :a, :b_2, :A", ["a", "b_2", "A"]),
        ("select :1, :2, :1", ["1", "2", "1"]),
        ("select 'it''s :x', :y", ["y"]),
        (r"select 'a\', :y", ["y"]),
        (r"select E'a\', :x', :y", ["y"]),
        ("select E'a' -- gap\n '\\', :x', :y", ["y"]),
        ("select E'a'  '\\', :x', :y", ["x"]),
        (r"select type'a\', :y", ["y"]),
        (r"select n'a\', :y", ["y"]),
        ("select U&'\\0041 :x', u&\":x\", :y", ["y"]),
        ('select ":x"":x", :y', ["y"]),
        ("select $$ :x ' $$, :y", ["y"]),
        ("select $t$ :x $$ $T$ $t$, :y", ["y"]),
        ("select a$b$, :y, $b$", ["y"]),
        ("select 1$b$ :x $b$, :y", ["y"]),
        ("select $1, :y", ["y"]),
        ("select /* :x /* ' */ :x */ :y -- :x", ["y"]),
        ("select 1 --:x\r:y", ["y"]),
        ("select 1 *-/* :x */ :y", ["y"]),
        ("select /*/**//*/ :x */*/ :y", ["y"]),
        ("select /*/*/*/ :x */*/*/*/ :y", ["y"]),
        ("select a::int, :y::int, :z :: text", ["y", "z"]),
        ("select f(a := :y)", ["y"]),
        ("select :", []),
        ("select : a", []),
        ("select :mäil", ["mäil"]),
        ("select a ?| :y, a @> :z, b#>>:k", ["y", "z", "k"]),
        ("select '12:30:00', :y", ["y"]),
        ("select 'never closed :x", []),
        ("select /* never closed :x", []),
        ("select $q$ never closed :x", []),
    ],
)
def test_parameters_are_found_outside_literals_and_comments_only(sql, expected):
    """Each of PostgreSQL's ways to write a literal, an identifier or a comment hides a colon."""
    assert names(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select a[1:2]", []),
        ("select a[1:2][3:4], :y", ["y"]),
        ("select a[i:j]", []),
        ("select a[i :j]", []),
        ("select a[:2]", []),
        ("select a[1:]", []),
        ("select a[:n]", ["n"]),
        ("select a[:lo:hi]", ["lo"]),
        ("select a[:lo : :hi]", ["lo", "hi"]),
        ("select a[1 : :hi]", ["hi"]),
        ("select a[f(:x):g(:y)]", ["x", "y"]),
        ("select (a)[1:2], (a[1])[b[2:3]:4]", []),
        ("select a[-:n]", ["n"]),
        ("select a[1::int:2]", []),
        ("select array[:1, :b]", ["1", "b"]),
        ("select ARRAY[[:1],[:2, :c]]", ["1", "2", "c"]),
        ("select a[case when :p then :q else :r end]", ["p", "q", "r"]),
        ("select a[x and :p]", ["p"]),
        ("select (array[1,2,3])[1:2], :y", ["y"]),
        ("select (:a)[1:2]", ["a"]),
        ('select "a"[1:2]', []),
        ("select '{1,2}'[1:2]", []),
    ],
)
def test_slices_of_arrays_are_not_parameters(sql, expected):
    """A colon behind an operand in a subscript parts the bounds of a slice."""
    assert names(sql) == expected


def test_a_supplied_digit_name_after_a_bracket_is_a_parameter():
    """`a[:1]` reads as a slice unless somebody supplied a parameter named 1."""
    assert names("select a[:1]") == []
    assert names("select a[:1]", {"1"}) == ["1"]
    assert names("select a[3:1]", {"1"}) == []


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select 1", ["select 1"]),
        ("select 1;", ["select 1"]),
        (" ; select 1 ;; -- done;\n", ["select 1"]),
        ("select ';'; select $$;$$", ["select ';'", "select $$;$$"]),
        ("", []),
        ("-- nothing;\n/* ; */", []),
        (
            "create rule r as on insert to t do also (delete from a; delete from b); select 1",
            ["create rule r as on insert to t do also (delete from a; delete from b)", "select 1"],
        ),
        (
            f"{ROUTINE}; select 3",
            [ROUTINE, "select 3"],
        ),
        ("begin; select 1; end", ["begin", "select 1", "end"]),
    ],
)
def test_statements_end_at_semicolons_of_the_top_level(sql, expected):
    """Empty statements vanish; a body's own semicolons stay inside."""
    assert [sql[start:end] for start, end in sqltext.statement_spans(sql)] == expected


def test_a_placeholder_never_runs_into_its_neighbours():
    """`1:a` must not become the number 11, nor `:a` behind a word part of the word."""
    assert sqltext.rewrite("select x:a", lambda _: "$1") == "select x $1"
    assert sqltext.rewrite("select (:a)", lambda _: "$1") == "select ($1)"


@pytest.mark.parametrize("text", ["'", "/*", "$a$", '"', "E'\\", ":a", "[", "-", "E'a'\n"])
def test_time_is_linear_in_the_length(text):
    """A hundred thousand repeats of anything end; a quadratic scanner would not, in this life."""
    sql = text * (100_000 // len(text))
    assert sum(end - start for _, start, end in sqltext.tokenize(sql)) == len(sql)
    sqltext.parameters(sql)
    sqltext.statement_spans(sql)


@pytest.mark.parametrize(
    ("name", "good"),
    [("a", True), ("A_1", True), ("1", True), ("", False), ("a.b", False), ("mäil", False),
     ("$1", False), ("a b", False), ("a\n", False)],
)  # fmt: skip
def test_a_parameter_name_is_ascii_letters_digits_and_underscores(name, good):
    """What the Data API refuses as a name."""
    assert sqltext.is_parameter_name(name) is good


@given(
    st.lists(
        st.sampled_from([*PIECES, "'x'", '"q"', ".5", "..", "1e5", "0x1F", "%", "&", "\u2028"]),
        max_size=12,
    ).map("".join),
)
def test_the_tokens_of_a_plain_text_are_those_of_every_text(sql):
    """The quick way gives what the full rules give, or nothing."""
    quick = plain_tokens(sql)
    if quick is not None:
        full = sqltext.tokenize(sql)
        assert quick == [sql[start:end] for kind, start, end in full if kind != "space"]


@given(texts)
@example("U&'a' -- b\n'c'")
def test_the_short_way_to_literals_and_comments_agrees_with_the_tokens(sql):
    """But for slices of arrays; a literal that goes on in the next line is one."""
    if "[" in sql and ":" in sql:
        return
    kinds = {TokenKind.STRING, TokenKind.NUMBER, TokenKind.COMMENT, TokenKind.UNTERMINATED}
    by_token = [token for token in sqltext.tokenize(sql) if token.kind in kinds]
    short = list(sqltext.literals_and_comments(sql))
    assert {token.start for token in short} <= {token.start for token in by_token}
    inside = [(token.start, token.end) for token in short]
    for token in by_token:
        assert any(start <= token.start and token.end <= end for start, end in inside)
