"""Statements and their parameters: what is run, what is refused, what PostgreSQL says."""

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenantmetrics import sqltext

RAISING = (
    "DO $$ BEGIN RAISE EXCEPTION 'a' USING DETAIL = 'b', HINT = 'c', ERRCODE = 'XX123'; END $$"
)
# Every piece is valid PostgreSQL by itself as a select item; :p is a parameter, :no is none.
ITEMS = [
    ":p", ":p::text", "(:p)", ":p || 'x'", "'it''s :no'", r"E'\':no\\'", r"E'a''\' :no'",
    "U&'d\\0061t :no'", "$$ :no ' $$", "$a$ :no $$ $b$ $a$", '1 AS ":no"', "B'01'::text", "N':no'",
    "1 /* :no /* ' :no */ $$ */", "1 -- :no '\n", "(ARRAY[1,2,3])[1:2]", "(ARRAY[1,2])[:2]",
    "(ARRAY[1,2,3])[1:]", "ARRAY[:p,'x']", "(ARRAY['a',:p])[1:2]", "(ARRAY[:p])[length('a'):1]",
    "'a'\n' :no'", "E'a' -- :no\n '\\' :no'", "1::int", "'12:30:00'::time", "x'1F'::text",
    "1.5e-3", "CASE WHEN :p = 'a' THEN 1 ELSE 2 END", '\'{"a": 1}\'::jsonb ? :p',
    "make_interval(days := 1)::text", "length(:p)", "lower(:p)::varchar(3)", "'🦉:no'", "$é$:no$é$",
    "5 % 3", "(ARRAY[:p,:p])[1]", "(SELECT b.v FROM (SELECT :p AS v) AS b)", "true AND :p = ':no'",
]  # fmt: skip


@settings(
    max_examples=3 * settings.default.max_examples // 2,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(st.sampled_from(ITEMS), min_size=1, max_size=8),
    st.sampled_from([" ", "\n", "/**/", " --:no\n"]),
)
def test_postgresql_agrees_with_the_lexer_on_every_text(data_api, items, gap):
    """A rewritten text prepares with the parameters that the lexer found: none lost, none made."""
    sql = f"SELECT{gap}" + f"{gap},{gap}".join(items)
    names = [parameter.name for parameter in sqltext.parameters(sql)]
    assert names == ["p"] * sum(item.count(":p") for item in items)
    with psycopg.connect(data_api.psycopg_url) as connection:
        prepared = connection.pgconn.prepare(
            b"",
            sqltext.rewrite(sql, lambda _: "$1").encode(),
            [25] if names else [],
        )
        assert prepared.status == psycopg.pq.ExecStatus.COMMAND_OK, prepared.get_error_message()
        described = connection.pgconn.describe_prepared(b"")
        assert described.nparams == bool(names)


@settings(
    max_examples=3 * settings.default.max_examples // 2,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.sampled_from(
            [*"'\"$:;-/*\\[]()aEeUuxXbB1&\n\r\t é,.", "$$", "$a$", "--", "/*", "*/", "E'"]
        ),
        max_size=14,
    ).map("".join),
)
def test_where_postgresql_sees_one_string_so_does_the_lexer(data_api, text):
    """Any text, put behind a literal-opening SELECT: where PostgreSQL parses it, tokens agree.

    PostgreSQL's verdict is taken from what it returns: the statement is cut by the lexer into
    literals, and one that the lexer takes for a whole literal must come back as a single column.
    """
    quoted = "'" + text.replace("'", "''") + "'"
    escaped = "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    tag = "$q$"
    literals = [quoted, escaped, *([f"{tag}{text}{tag}"] if "$" not in text else [])]
    sql = "SELECT " + ", ".join(literals)
    assert sqltext.parameters(sql) == []
    kinds = [token.kind for token in sqltext.tokenize(sql)]
    assert kinds.count(sqltext.TokenKind.STRING) == len(literals)
    with psycopg.connect(data_api.psycopg_url, autocommit=True) as connection:
        values = connection.execute(sql.replace("%", "%%")).fetchone()
    # PostgreSQL keeps line ends as they are in literals.
    assert list(values) == [text] * len(literals)


def test_a_repeated_name_is_one_parameter(execute):
    """`:a` twice has one value and one type."""
    response = execute("SELECT :a || :b || :a", a={"stringValue": "x"}, b={"stringValue": "-"})
    assert response["records"] == [[{"stringValue": "x-x"}]]


def test_digits_are_a_name(execute):
    """`:1` is what query builders write."""
    response = execute("SELECT :2 - :1", **{"1": {"longValue": 1}, "2": {"longValue": 5}})
    assert response["records"] == [[{"longValue": 4}]]


def test_an_unused_parameter_does_no_harm(execute):
    """It is not bound, so PostgreSQL need not know its type."""
    assert execute("SELECT 1", a={"stringValue": "x"})["records"] == [[{"longValue": 1}]]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT json_object('k':v)::text FROM (SELECT 1 AS v) q", '{"k" : 1}'),
        ("SELECT json_object('k': v)::text FROM (SELECT 1 AS v) q", '{"k" : 1}'),
        ("SELECT json_object(k:v)::text FROM (SELECT 'a' AS k, 1 AS v) q", '{"a" : 1}'),
        ("SELECT json_object('k':v, 'l' : :given)::text FROM (SELECT 1 AS v) q",
         '{"k" : 1, "l" : "x"}'),
        ("SELECT (ARRAY[1, 2, 3])[:high]::text FROM (SELECT 2 AS high) q", "{1,2}"),
        ("SELECT (ARRAY[1, 2, 3])[2:high]::text FROM (SELECT 3 AS high) q", "{2,3}"),
        ("SELECT (ARRAY[1, 2, 3])[ :high]::text FROM (SELECT 2 AS high) q", "{1,2}"),
        ("SELECT (ARRAY[:given])[1]::text", "x"),
    ],
)  # fmt: skip
def test_a_colon_of_sql_is_no_parameter(execute, sql, expected):
    """Of a key of JSON or the bound of a slice, where no parameter of that name is supplied."""
    found = execute(sql, given={"stringValue": "x"})["records"]
    assert found[0][0]["stringValue"].replace(" ", "") == expected.replace(" ", "")


@pytest.mark.parametrize(
    "sql",
    ["SELECT (ARRAY[:a])[1]", "SELECT 1 = :a", "SELECT (:a)", "SELECT ARRAY[[:a]]",
     "SELECT 1 WHERE 'x' = :a"],
)  # fmt: skip
def test_what_can_only_be_a_parameter_must_be_supplied(fails, sql):
    """PostgreSQL's syntax error would say less."""
    assert fails(sql)[1] == "Cannot find parameter: a"


def test_a_missing_parameter_is_named(fails):
    """The first one that is not supplied."""
    assert fails("SELECT :a, :b", a={"longValue": 1}) == (
        "BadRequestException",
        "Cannot find parameter: b",
        400,
    )


@pytest.mark.parametrize("name", ["a.b", "mäil", "$1", "a b", "q?marks"])
def test_a_malformed_name_is_refused_with_its_text(fails, name):
    """Anything but ASCII letters, digits and underscores."""
    assert fails(f"SELECT :{name}", **{name: {"longValue": 1}}) == (
        "ValidationException",
        f"Named parameter syntax is invalid, input: {name}",
        400,
    )


def test_postgresqls_own_placeholder_fails_as_postgresql_fails_it(fails):
    """`$1` passes through; nothing is bound to it."""
    code, message, _ = fails("SELECT $1")
    assert code == "DatabaseErrorException"
    assert message.endswith("SQLState: 08P01")


def test_trailing_semicolons_and_comments_are_no_second_statement(execute):
    """Only what does something counts."""
    for sql in ("SELECT 1;", "SELECT 1 ; ; -- x;", "SELECT ';' ; /* ; */"):
        assert len(execute(sql)["records"]) == 1


def test_a_second_statement_is_refused(fails):
    """Version 2 runs one statement a call, in batches too."""
    message = "Multistatements aren't supported"
    assert fails("SELECT 1; SELECT 2") == ("ValidationException", message, 400)


def test_schema_is_refused(data_api, call):
    """Version 2 has no schema parameter."""
    with pytest.raises(data_api.client.exceptions.ClientError, match="schema parameter isn't supp"):
        call("execute_statement", sql="SELECT 1", schema="public")


def test_answers_without_a_result_set_have_no_records(execute):
    """Clients branch on the key being there."""
    assert execute("CREATE TABLE t (id int)") == {
        "generatedFields": [],
        "numberOfRecordsUpdated": 0,
    }
    insert = "INSERT INTO t VALUES (1), (2)"
    assert execute(insert) == {"generatedFields": [], "numberOfRecordsUpdated": 2}
    returning = execute("UPDATE t SET id = id + 1 RETURNING id")
    assert returning == {
        "numberOfRecordsUpdated": 0,
        "records": [[{"longValue": 2}], [{"longValue": 3}]],
    }
    assert execute("DELETE FROM t")["numberOfRecordsUpdated"] == 2
    assert execute("SELECT id FROM t") == {"numberOfRecordsUpdated": 0, "records": []}
    assert execute("SELECT FROM generate_series(1, 2)")["records"] == [[], []]


def test_a_batch_answers_once_for_each_set_and_is_atomic(data_api, call, execute):
    """All sets or none, outside a transaction."""
    execute("CREATE TABLE t (id int PRIMARY KEY)")

    def sets(*numbers):
        return [[{"name": "id", "value": {"longValue": number}}] for number in numbers]

    sql = "INSERT INTO t VALUES (:id)"
    answer = call("batch_execute_statement", sql=sql, parameterSets=sets(1, 2, 3))
    assert answer == {"updateResults": [{"generatedFields": []}] * 3}
    with pytest.raises(data_api.client.exceptions.DatabaseErrorException, match="SQLState: 23505"):
        call("batch_execute_statement", sql=sql, parameterSets=sets(4, 5, 1))
    assert execute("SELECT count(*) FROM t")["records"] == [[{"longValue": 3}]]


def test_a_batch_of_empty_parameters_runs_as_often(call, execute):
    """One empty SqlParameter a set is how a statement without parameters is batched."""
    execute("CREATE TABLE t (id serial)")
    call("batch_execute_statement", sql="INSERT INTO t DEFAULT VALUES", parameterSets=[[{}], [{}]])
    assert execute("SELECT count(*) FROM t")["records"] == [[{"longValue": 2}]]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1/0", "ERROR: division by zero; SQLState: 22012"),
        ("SELEC 1", 'ERROR: syntax error at or near "SELEC"; Position: 1; SQLState: 42601'),
        ("SELECT * FROM nowhere",
         'ERROR: relation "nowhere" does not exist; Position: 15; SQLState: 42P01'),
        (RAISING, "ERROR: a; Detail: b; Hint: c; SQLState: XX123"),
    ],
)  # fmt: skip
def test_postgresqls_errors_keep_message_detail_hint_position_and_state(fails, sql, expected):
    """In the order and with the names that clients look for."""
    assert fails(sql) == ("DatabaseErrorException", expected, 400)


def test_an_unknown_database_is_postgresqls_error(data_api, call):
    """The connection fails, and says why."""
    with pytest.raises(
        data_api.client.exceptions.DatabaseErrorException,
        match='database "nowhere" does not exist; SQLState: 3D000',
    ):
        call("execute_statement", sql="SELECT 1", database="nowhere")


def test_copy_is_refused_and_the_connection_lives(execute, fails):
    """There is no stream to copy from or to."""
    execute("CREATE TABLE t (id int)")
    for direction, name in (("FROM STDIN", "In"), ("TO STDOUT", "Out")):
        code, message, _ = fails(f"COPY t {direction}")
        assert code == "DatabaseErrorException"
        assert f"unexpected message: Copy{name}Response" in message
    assert execute("SELECT 1")["records"] == [[{"longValue": 1}]]


def test_a_backend_that_dies_is_replaced(execute, fails):
    """The call that loses its backend fails, the next one has another."""
    code, _, status = fails("SELECT pg_terminate_backend(pg_backend_pid())")
    assert (code, status) in {
        ("DatabaseUnavailableException", 504),
        ("DatabaseErrorException", 400),
    }
    assert execute("SELECT 1")["records"] == [[{"longValue": 1}]]
