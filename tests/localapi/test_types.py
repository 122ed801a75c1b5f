"""Values of every type, as results and as parameters."""

import base64
import datetime as dt
import decimal
import json
import math
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LONG_MAX = 2**63 - 1


@pytest.mark.parametrize(
    ("expression", "field"),
    [
        ("1::int2", {"longValue": 1}),
        ("(-2147483648)::int4", {"longValue": -2147483648}),
        (f"{LONG_MAX}::int8", {"longValue": LONG_MAX}),
        ("4294967295::oid", {"stringValue": "4294967295"}),
        ("0.1::float4", {"doubleValue": 0.1}),
        ("2::float8", {"doubleValue": 2.0}),
        ("1e300::float8", {"doubleValue": 1e300}),
        ("12345678901234567890.10::numeric", {"stringValue": "12345678901234567890.10"}),
        ("true", {"booleanValue": True}),
        ("false", {"booleanValue": False}),
        ("'\\x00ff'::bytea", {"blobValue": b"\x00\xff"}),
        ("'a\"b\\c\né'::text", {"stringValue": 'a"b\\c\né'}),
        ("'a'::varchar(5)", {"stringValue": "a"}),
        ("'a'::char(3)", {"stringValue": "a  "}),
        ("'a'::name", {"stringValue": "a"}),
        ("'00000000-0000-0000-0000-00000000000a'::uuid",
         {"stringValue": "00000000-0000-0000-0000-00000000000a"}),
        ("'10.0.0.1'::inet", {"stringValue": "10.0.0.1"}),
        ("'10.0.0.0/8'::cidr", {"stringValue": "10.0.0.0/8"}),
        ("'2024-02-29'::date", {"stringValue": "2024-02-29"}),
        ("'0044-03-15 BC'::date", {"stringValue": "0044-03-15 BC"}),
        ("'12:30:00.5'::time", {"stringValue": "12:30:00.5"}),
        ("'[1,5)'::int4range", {"stringValue": "[1,5)"}),
        ("'[1.5,5)'::numrange", {"stringValue": "[1.5,5)"}),
        ("'2024-01-01 00:00:00'::timestamp", {"stringValue": "2024-01-01 00:00:00"}),
        ("'2024-01-01 00:00:00.120000'::timestamp", {"stringValue": "2024-01-01 00:00:00.12"}),
        ("'2024-01-01 02:00:00.5+02'::timestamptz", {"stringValue": "2024-01-01 00:00:00.5"}),
        ("""'{"a": [1, 2.50, "x, y: z"]}'::json""",
         {"stringValue": '{"a":[1,2.50,"x, y: z"]}'}),
        ("""'{"b": 1, "a": "\\" "}'::jsonb""", {"stringValue": '{"a":"\\" ","b":1}'}),
        ("null", {"isNull": True}),
        ("null::int[]", {"isNull": True}),
        ("array[1,null,3]", {"arrayValue": {"longValues": [1, None, 3]}}),
        ("array[]::int8[]", {"arrayValue": {"longValues": []}}),
        ("array[0.5,null]::float8[]", {"arrayValue": {"doubleValues": [0.5, None]}}),
        ("array[true,null,false]", {"arrayValue": {"booleanValues": [True, None, False]}}),
        ("array['a,b','\"','NULL',null,'','{x}','\\']",
         {"arrayValue": {"stringValues": ["a,b", '"', "NULL", None, "", "{x}", "\\"]}}),
        ("'[0:1]={7,8}'::int[]", {"arrayValue": {"longValues": [7, 8]}}),
        ("array[1.50]::numeric[]", {"arrayValue": {"stringValues": ["1.50"]}}),
        ("array['2024-01-01 02:00+02'::timestamptz]",
         {"arrayValue": {"stringValues": ["2024-01-01 00:00:00"]}}),
        ("array['{\"a\": 1}'::jsonb]", {"arrayValue": {"stringValues": ['{"a":1}']}}),
        ("array['00000000-0000-0000-0000-00000000000a'::uuid]",
         {"arrayValue": {"stringValues": ["00000000-0000-0000-0000-00000000000a"]}}),
    ],
)  # fmt: skip
def test_each_type_arrives_in_its_field(execute, expression, field):
    """A value of PostgreSQL becomes the member of Field that the Data API uses for its type."""
    response = execute(f"SELECT {expression}")
    assert response["records"] == [[field]]
    assert response["numberOfRecordsUpdated"] == 0
    if "doubleValue" in field:
        assert isinstance(response["records"][0][0]["doubleValue"], float)


def test_enums_domains_and_their_arrays_are_strings_or_their_base(execute):
    """Types that a database made itself are looked up, even right after they were made."""
    execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    execute("CREATE DOMAIN positive AS int CHECK (value > 0)")
    response = execute(
        "SELECT 'ok'::mood, array['sad', null]::mood[], 5::positive, array[5::positive]"
    )
    assert response["records"] == [
        [
            {"stringValue": "ok"},
            {"arrayValue": {"stringValues": ["sad", None]}},
            {"longValue": 5},
            {"arrayValue": {"longValues": [5]}},
        ],
    ]


@pytest.mark.parametrize(
    ("expression", "name"),
    [("'1 day'::interval", "INTERVAL"), ("'12:00+01'::timetz", "TIMETZ"),
     ("'a'::\"char\"", '"CHAR"'),
     ("'pg_class'::regclass", "regclass"), ("1::money", "MONEY"), ("'(1,2)'::point", "POINT"),
     ("'08:00:2b:01:02:03'::macaddr", "MACADDR"), ("'[1,2)'::int8range", "INT8RANGE"),
     ("array['1 day'::interval]", "INTERVAL[]"), ("'{1}'::regtype[]", "regtype[]"),
     ("'1 2'::int2vector", "int2vector"), ("'1 2'::oidvector", "oidvector"),
     ("row(1, 2)", "RECORD"), ("array[row(1, 2)]", "RECORD[]"), ("B'01'", "BIT")],
)  # fmt: skip
def test_a_type_without_a_field_is_refused_by_name(fails, expression, name):
    """The Data API shows no interval, and says which type it was."""
    assert fails(f"SELECT {expression}") == (
        "UnsupportedResultException",
        f"The result contains the unsupported data type {name}.",
        400,
    )


def test_a_multidimensional_array_is_refused(fails):
    """There is no Field for it."""
    code, message, _ = fails("SELECT array[[1, 2], [3, 4]]")
    assert code == "UnsupportedResultException"
    assert message == "The result contains a multidimensional array"


@pytest.mark.parametrize(
    "value",
    ["'NaN'::float8", "'Infinity'::float4", "'-Infinity'::float8", "'NaN'::numeric",
     "array['NaN'::float8]"],
)  # fmt: skip
def test_values_that_are_not_finite_are_refused(fails, value):
    """JSON has no number for them."""
    assert fails(f"SELECT {value}")[0] == "UnsupportedResultException"


@pytest.mark.parametrize("value", ["'infinity'::timestamptz", "'-infinity'::date"])
def test_infinite_moments_are_an_internal_failure(fails, value):
    """What live clusters answer; a cast to text shows them."""
    code, message, status = fails(f"SELECT {value}")
    assert (code, status) == ("InternalFailure", 500)
    assert "cast it to text" in message


def test_a_nested_array_is_an_array_of_more_dimensions(execute, fails):
    """As a parameter; a result of that kind is refused."""
    nested = [{"longValues": [1, 2]}, {"longValues": [3, 4]}]
    response = execute(
        "SELECT (:a)[2][1], pg_typeof(:a)::text", a={"arrayValue": {"arrayValues": nested}}
    )
    assert response["records"] == [[{"longValue": 3}, {"stringValue": "bigint[]"}]]
    mixed = [{"longValues": [1]}, {"stringValues": ["a"]}]
    code, message, _ = fails("SELECT :a", a={"arrayValue": {"arrayValues": mixed}})
    assert code == "ValidationException"
    assert "one type" in message


def test_a_session_in_another_timezone_still_answers_in_utc(call, execute):
    """The offset of a timestamptz is taken off by arithmetic, not by cutting."""
    transaction = call("begin_transaction")["transactionId"]
    execute("SET LOCAL timezone = 'Asia/Kathmandu'", transaction=transaction)
    response = execute(
        "SELECT '2024-01-01 05:45:00.25+05:45'::timestamptz", transaction=transaction
    )
    assert response["records"] == [[{"stringValue": "2024-01-01 00:00:00.25"}]]
    call("rollback_transaction", transactionId=transaction)


def test_result_set_options_change_numbers(execute):
    """DOUBLE_OR_LONG and STRING are for clients whose numbers are of one kind."""
    sql = "SELECT 5::numeric, 5.25::numeric, 1e30::numeric, 7::int8, array[8::int8, null]"
    options = {"decimalReturnType": "DOUBLE_OR_LONG", "longReturnType": "STRING"}
    assert execute(sql, options={"resultSetOptions": options})["records"] == [
        [
            {"longValue": 5},
            {"doubleValue": 5.25},
            {"doubleValue": 1e30},
            {"stringValue": "7"},
            {"arrayValue": {"stringValues": ["8", None]}},
        ],
    ]


def test_formatted_records_are_objects_by_label(execute):
    """FormatRecordsAs JSON answers with formattedRecords alone."""
    response = execute(
        "SELECT 1 AS a, 'x\"y' AS \"b c\", null AS n, true AS t, '\\xff'::bytea AS z, 1.50 AS d,"
        " array[1, null] AS l, '{\"k\": 1}'::jsonb AS j",
        options={"formatRecordsAs": "JSON"},
    )
    assert set(response) == {"formattedRecords"}
    assert json.loads(response["formattedRecords"]) == [
        {"a": 1, "b c": 'x"y', "n": None, "t": True, "z": base64.b64encode(b"\xff").decode(),
         "d": "1.50", "l": [1, None], "j": '{"k":1}'},
    ]  # fmt: skip


def test_formatted_records_of_no_rows_are_an_empty_list(execute):
    """No rows are `[]`, and a statement without a result set has no formattedRecords."""
    options = {"formatRecordsAs": "JSON"}
    assert execute("SELECT 1 WHERE false", options=options) == {"formattedRecords": "[]"}
    assert execute("CREATE TABLE t ()", options=options)["numberOfRecordsUpdated"] == 0


def test_formatted_records_refuse_two_columns_of_one_name(fails):
    """One would hide the other."""
    code, message, _ = fails("SELECT 1 AS a, 2 AS a", options={"formatRecordsAs": "JSON"})
    assert code == "UnsupportedResultException"
    assert "a" in message


def test_column_metadata_describes_columns_like_jdbc(execute):
    """typeName, JDBC type, table, nullability, precision and scale of each column."""
    execute(
        "CREATE TABLE t (id serial PRIMARY KEY, big int8 GENERATED ALWAYS AS IDENTITY,"
        " n numeric(10, 2), v varchar(7) NOT NULL, ts timestamptz, ms timestamp(3), a int[])",
    )
    columns = execute(
        "SELECT id AS key, big, n, v, ts, ms, a, id + 1, true AS t FROM t",
        options={"includeResultMetadata": True},
    )["columnMetadata"]
    keys = ("label", "name", "typeName", "type", "tableName", "nullable", "precision", "scale",
            "isSigned", "isAutoIncrement")  # fmt: skip
    assert [tuple(column[key] for key in keys) for column in columns] == [
        ("key", "key", "serial", 4, "t", 0, 10, 0, True, True),
        ("big", "big", "bigserial", -5, "t", 0, 19, 0, True, True),
        ("n", "n", "numeric", 2, "t", 1, 10, 2, True, False),
        ("v", "v", "varchar", 12, "t", 0, 7, 0, False, False),
        ("ts", "ts", "timestamptz", 93, "t", 1, 35, 6, False, False),
        ("ms", "ms", "timestamp", 93, "t", 1, 26, 3, False, False),
        ("a", "a", "_int4", 2003, "t", 1, 10, 0, True, False),
        ("?column?", "?column?", "int4", 4, "", 1, 10, 0, True, False),
        ("t", "t", "bool", -7, "", 1, 1, 0, False, False),
    ]


@pytest.mark.parametrize(
    ("name", "sensitive"),
    [("int4", False), ("numeric", False), ("bool", False), ("date", False), ("time", False),
     ("timestamptz", False), ("text", True), ("_text", True), ("jsonb", True), ("uuid", True),
     ("bytea", True)],
)  # fmt: skip
def test_case_sensitivity_is_that_of_jdbc(execute, name, sensitive):
    """Everything but numbers, moments and booleans."""
    response = execute(f"SELECT null::{name}", options={"includeResultMetadata": True})
    assert response["columnMetadata"][0]["isCaseSensitive"] is sensitive


@pytest.mark.parametrize(
    ("name", "number"),
    [("int2", 5), ("int4", 4), ("int8", -5), ("numeric", 2), ("float4", 7), ("float8", 8),
     ("bool", -7), ("text", 12), ("varchar", 12), ("bpchar", 1), ("date", 91), ("time", 92),
     ("timestamp", 93), ("timestamptz", 93), ("bytea", -2), ("uuid", 1111), ("jsonb", 1111),
     ("inet", 1111)],
)  # fmt: skip
def test_jdbc_types_are_those_of_java(execute, name, number):
    """Clients branch on java.sql.Types."""
    response = execute(f"SELECT null::{name}", options={"includeResultMetadata": True})
    (column,) = response["columnMetadata"]
    assert (column["typeName"], column["type"]) == (name, number)


# -- parameters -----------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
longs = st.integers(-(2**63), LONG_MAX)
doubles = st.floats(allow_nan=False, allow_infinity=False)
dates = st.dates()
moments = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31))  # noqa: DTZ001 - naive
numbers = st.decimals(-(10**20), 10**20, allow_nan=False, places=6)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-100, 100), texts)
documents = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=6)


def fraction(moment):
    """Microseconds without trailing zeros, as PostgreSQL writes them."""
    return f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""


def same(kind, member, values):
    """Cases of a type that needs no hint: what goes in comes out."""
    return values.map(lambda value: (kind, None, {member: value}, {member: value}))


def hinted(kind, hint, values, sent, expected):
    """Cases of a type that travels as text under a hint."""
    return values.map(
        lambda value: (kind, hint, {"stringValue": sent(value)}, {"stringValue": expected(value)}),
    )


def array(kind, member, element):
    """Cases of an array; boto3 lets no null pass in one, so another test sends those."""
    return same(kind, "arrayValue", st.lists(element, max_size=6).map(lambda v: {member: v}))


CASES = st.one_of(
    same("text", "stringValue", texts),
    same("int8", "longValue", longs),
    same("float8", "doubleValue", doubles),
    same("bool", "booleanValue", st.booleans()),
    same("bytea", "blobValue", st.binary(max_size=60)),
    same("int4", "isNull", st.just(True)),
    hinted("date", "DATE", dates, str, str),
    hinted(
        "time", "TIME", moments,
        lambda v: v.time().isoformat(),
        lambda v: f"{v:%H:%M:%S}{fraction(v)}",
    ),
    hinted(
        "timestamp", "TIMESTAMP", moments,
        lambda v: v.isoformat(" "),
        lambda v: f"{v.date().isoformat()} {v:%H:%M:%S}{fraction(v)}",
    ),
    hinted(
        "numeric", "DECIMAL", numbers,
        lambda v: f"{v:f}",
        lambda v: f"{v:f}" if v else "0.000000",
    ),
    hinted("uuid", "UUID", st.uuids(), str, str),
    hinted(
        "jsonb", "JSON", documents,
        lambda v: json.dumps(v, indent=1),
        lambda v: json.dumps(v, ensure_ascii=False, separators=(",", ":")),
    ),
    array("text[]", "stringValues", texts),
    array("int8[]", "longValues", longs),
    array("float8[]", "doubleValues", doubles),
    array("bool[]", "booleanValues", st.booleans()),
)  # fmt: skip


@settings(
    max_examples=settings.default.max_examples // 4,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(CASES, min_size=12, max_size=30))
def test_values_come_back_as_they_went_in(execute, cases):
    """Random values of every type, through a parameter and through a table's column, are equal."""
    names = [f"p{index}" for index in range(len(cases))]
    columns = ", ".join(f"{name} {case[0]}" for name, case in zip(names, cases, strict=True))
    execute("DROP TABLE IF EXISTS trip")
    execute(f"CREATE TABLE trip ({columns})")
    placeholders = ", ".join(f":{name}" for name in names)
    with_hints = [
        {"name": name, "value": case[2], **({"typeHint": case[1]} if case[1] else {})}
        for name, case in zip(names, cases, strict=True)
    ]
    execute(
        f"INSERT INTO trip VALUES ({placeholders})",
        options={"parameters": with_hints},
    )
    (record,) = execute("SELECT * FROM trip")["records"]
    for case, field in zip(cases, record, strict=True):
        assert _comparable(field) == _comparable(case[3]), case[0]


def _comparable(field):
    """-0.0 and 0.0 are told apart; floats are compared exactly."""
    if "doubleValue" in field:
        return (field["doubleValue"], math.copysign(1, field["doubleValue"]))
    return field


def test_a_text_is_no_uuid(execute, fails):
    """Parameters have their own type, so that a cast or a hint is needed, as on AWS."""
    execute("CREATE TABLE t (u uuid)")
    value = {"stringValue": str(uuid.uuid4())}
    code, message, status = fails("INSERT INTO t VALUES (:u)", u=value)
    assert (code, status) == ("DatabaseErrorException", 400)
    assert "is of type uuid but expression is of type text" in message
    execute("INSERT INTO t VALUES (:u::uuid)", u=value)
    assert execute("INSERT INTO t VALUES (:u)", u=value, hints={"u": "UUID"}) == {
        "generatedFields": [],
        "numberOfRecordsUpdated": 1,
    }


@pytest.mark.parametrize(
    ("hint", "field", "name"),
    [("DATE", "2024-01-01", "date"), ("TIME", "12:00:00", "time without time zone"),
     ("TIMESTAMP", "2024-01-01 12:00:00", "timestamp without time zone"),
     ("DECIMAL", "1.5", "numeric"),
     ("UUID", "00000000-0000-0000-0000-000000000000", "uuid"), ("JSON", "{}", "jsonb")],
)  # fmt: skip
def test_a_hint_is_the_parameters_type(execute, hint, field, name):
    """pg_typeof says what was bound."""
    response = execute("SELECT pg_typeof(:a)::text", a={"stringValue": field}, hints={"a": hint})
    assert response["records"] == [[{"stringValue": name}]]


@pytest.mark.parametrize(
    ("field", "name"),
    [({"stringValue": ""}, "text"), ({"longValue": 1}, "bigint"), ({"blobValue": b""}, "bytea"),
     ({"doubleValue": 1}, "double precision"), ({"booleanValue": True}, "boolean"),
     ({"arrayValue": {"longValues": []}}, "bigint[]"),
     ({"arrayValue": {"stringValues": []}}, "text[]"),
     ({"arrayValue": {"doubleValues": []}}, "double precision[]"),
     ({"arrayValue": {"booleanValues": []}}, "boolean[]")],
)  # fmt: skip
def test_each_member_of_field_has_one_type(execute, field, name):
    """Without a hint the member decides."""
    assert execute("SELECT pg_typeof(:a)::text", a=field)["records"] == [[{"stringValue": name}]]


def test_decimals_keep_every_digit(execute):
    """No number is parsed between PostgreSQL and the client."""
    value = decimal.Decimal("1234567890123456789012345678901234567890.123456789")
    response = execute("SELECT :d * 1", d={"stringValue": str(value)}, hints={"d": "DECIMAL"})
    assert decimal.Decimal(response["records"][0][0]["stringValue"]) == value
