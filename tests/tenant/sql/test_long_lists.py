"""Statements with lists of thousands of values keep their tenant and their fingerprint."""

from __future__ import annotations

import itertools

import pytest

from tenantmetrics.capture.request import PythonValues, Request
from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.sqltext.fingerprint import fingerprint
from tests.tenant.sql.named import named_by_statement

COUNT = 5_000
ELEMENTS = {
    "numbers": "{}", "casts": "{}::int", "negatives": "-{}", "texts": "'x{}'",
    "casts of texts": "'x{}'::uuid", "parameters": ":p{}", "casts of parameters": ":p{}::uuid",
    "negatives with casts": "-{}::bigint",
}  # fmt: skip
FORMS = ["id IN ({})", "id NOT IN ({})", "id = ANY(ARRAY[{}])", "NOT id IN ( {} )", "id IN ({}) "]


def listed(element: str, count: int = COUNT) -> str:
    return ", ".join(element.format(number) for number in range(count))


def claims_of(resolver, sql, **values):
    parameters = [{"name": n, "value": {"stringValue": v}} for n, v in values.items()]
    return resolver.claims(request_of("ExecuteStatement", {"sql": sql, "parameters": parameters}))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ELEMENTS)
def test_a_long_list_of_other_values_hides_no_tenant(resolver, kind, form):
    """Casts, signs and parameters included."""
    sql = f"SELECT * FROM b WHERE tenant_id = :t AND {form.format(listed(ELEMENTS[kind]))}"
    claims = claims_of(resolver, sql, t="acme")
    assert named_by_statement(claims) == {"acme"}
    short = f"SELECT * FROM b WHERE tenant_id = :t AND {form.format(ELEMENTS[kind].format(7))}"
    assert claims.fingerprint == fingerprint(short)


@pytest.mark.parametrize(
    ("element", "tenants"),
    [
        ("'x{}'", {f"x{number}" for number in range(100)}),
        ("'x{}'::text", {f"x{number}" for number in range(100)}),
        ("{}::int", {str(number) for number in range(100)}),
        ("'0{}'::int", {str(number) for number in range(100)}),
        ("-{}", set()),
        ("{}::char", set()),
    ],
)
def test_a_long_list_of_tenants_names_them_all_or_none(resolver, element, tenants):
    """A cast that all of them have reads them; signs are not told."""
    for form in ("tenant_id IN ({})", "tenant_id = ANY(ARRAY[{}])"):
        sql = f"SELECT * FROM b WHERE {form.format(listed(element, 100))}"
        claims = claims_of(resolver, sql)
        assert named_by_statement(claims) == tenants
        assert claims.undecided is not bool(tenants)


def test_a_list_of_tenants_with_different_casts_is_undecided(resolver):
    """Each would have to be read in its own way."""
    mixed = listed("'x{}'::text", 20) + ", 'y'::uuid, 'z'"
    claims = claims_of(resolver, f"SELECT * FROM b WHERE tenant_id IN ({mixed})")
    assert not named_by_statement(claims)
    assert claims.undecided


UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd38{:04x}"
FIELDS = [
    {"value": {"stringValue": "acme"}},
    {"value": {"stringValue": "x y"}},
    {"value": {"stringValue": ""}},
    {"value": {"stringValue": "__idle__"}},
    {"value": {"stringValue": UUID.format(7)}},
    {"value": {"stringValue": UUID.format(7).upper()}, "typeHint": "UUID"},
    {"value": {"stringValue": "042"}},
    {"value": {"stringValue": "042"}, "typeHint": "DECIMAL"},
    {"value": {"longValue": 42}},
    {"value": {"booleanValue": True}},
    {"value": {"isNull": True}},
    {"value": {}},
]
PLACES = [
    ("SELECT * FROM b WHERE tenant_id IN ({})", ":p{}"),
    ("SELECT * FROM b WHERE tenant_id IN ({})", ":p{}::uuid"),
    ("SELECT * FROM b WHERE tenant_id = ANY(ARRAY[{}])", ":p{}::text"),
    ("DELETE FROM b WHERE x = 'in (' AND tenant_id in ( {} )", "CAST(:p{} AS int)"),
    ("INSERT INTO b (tenant_id) VALUES ({})", ":p{}"),
    ("INSERT INTO b (tenant_id) VALUES ({})", ":p{}::uuid"),
]


def shares_of(resolver, place, element, fields):
    between = "), (" if place.startswith("INSERT") else ", "
    sql = place.format(between.join(map(element.format, range(len(fields)))))
    parameters = [{"name": f"p{number}", **field} for number, field in enumerate(fields)]
    claims = resolver.claims(request_of("ExecuteStatement", {"sql": sql, "parameters": parameters}))
    return [dict(claim.shares) for claim in claims.named], claims.undecided


@pytest.mark.parametrize(("place", "element"), PLACES)
def test_more_parameters_than_the_parser_takes_are_read_as_few_are(resolver, place, element):
    """Each as by itself: texts, numbers, NULL, with hints and casts; alone and in pairs."""
    pairs = itertools.combinations(FIELDS, 2)
    for kinds in [[field] for field in FIELDS] + [list(pair) for pair in pairs]:
        few = shares_of(resolver, place, element, kinds)
        assert shares_of(resolver, place, element, kinds * (600 // len(kinds))) == few, kinds


@pytest.mark.parametrize(("place", "element"), PLACES)
def test_thousands_of_parameters_name_a_tenant_each(resolver, place, element):
    """Five thousand tenants, as many shares."""
    fields = [{"value": {"stringValue": UUID.format(number)}} for number in range(COUNT)]
    (shares,), undecided = shares_of(resolver, place, element, fields)
    assert len(shares) == COUNT
    assert not undecided
    fields[7] = {"value": {"stringValue": "acme"}}
    assert "acme" in shares_of(resolver, place, element, fields)[0][0]


def test_a_list_with_a_parameter_that_was_not_given_is_undecided(resolver):
    """And so is one of more than 20,000, or with different casts."""
    sql = "SELECT * FROM b WHERE tenant_id IN ({})"
    claims = claims_of(resolver, sql.format(listed(":p{}")), p0="acme", p1="bee")
    assert not named_by_statement(claims)
    assert claims.undecided
    fields = [{"value": {"stringValue": "acme"}}] * 20_001
    assert shares_of(resolver, sql, ":p{}", fields) == ([], True)
    assert shares_of(resolver, sql, ":p{}", fields[1:]) == ([{"acme": 1}], False)
    mixed = sql.format(listed(":p{}", 500) + ", :p1::text")
    values = {f"p{number}": "acme" for number in range(500)}
    assert claims_of(resolver, mixed, **values).undecided


@pytest.mark.parametrize("count", [100, 300, 440, 460, 700, 1_300, 3_000])
@pytest.mark.parametrize("kind", ["parameters", "casts of parameters"])
def test_no_number_of_parameters_hides_a_tenant_beside_them(resolver, kind, count):
    """Neither those that the parser just takes nor those that it does not."""
    sql = f"SELECT * FROM b WHERE tenant_id = :t AND id IN ({listed(ELEMENTS[kind], count)})"
    assert named_by_statement(claims_of(resolver, sql, t="acme")) == {"acme"}


@pytest.mark.parametrize("form", ["tenant_id IN ({})", "tenant_id = ANY(ARRAY[{}])"])
@pytest.mark.parametrize(
    "elements",
    [
        [":t", "'bee'"] * 300, ["'bee'"] * 999 + [":t"], [":t"] * 999 + ["'bee'"],
        [":t::uuid", "'bee'::uuid"] * 300, ["'b,:x)'", ":t", "'bee'"] * 300,
    ],
)  # fmt: skip
def test_a_long_list_of_parameters_and_literals_names_them_all(resolver, form, elements):
    """Also one that is mostly literals, and literals that hold what looks like a parameter."""
    claims = claims_of(
        resolver, f"SELECT * FROM b WHERE {form.format(', '.join(elements))}", t="acme"
    )
    assert named_by_statement(claims) == {"acme", "bee"} | ({"b,:x)"} & {e[1:-1] for e in elements})


def test_a_long_list_of_parameters_and_literals_with_signs_or_several_casts_names_nobody(resolver):
    """As one of literals alone."""
    for elements in (
        [":t", "-5"] * 300,
        [":t::text", "'5'::uuid"] * 300,
        [":t", "'b'::text"] * 300,
    ):
        claims = claims_of(
            resolver, f"SELECT * FROM b WHERE tenant_id IN ({', '.join(elements)})", t="acme"
        )
        assert claims.undecided
        assert named_by_statement(claims) == set()


def test_a_long_list_of_positional_parameters_names_them_all(resolver):
    """As asyncpg sends them."""
    sql = (
        f"SELECT * FROM b WHERE tenant_id IN ({', '.join(f'${n}::VARCHAR' for n in range(1, 999))})"
    )
    request = Request("execute", sql, PythonValues(["acme", "bee"] * 499), "key")
    assert named_by_statement(resolver.claims(request)) == {"acme", "bee"}


@pytest.mark.parametrize("cast", ["", "::text"])
def test_a_long_list_of_values_of_many_kinds_names_them_all(resolver, cast):
    """Numbers among texts, and NULL and empty texts, which name nobody."""
    fields = [
        {"stringValue": "acme"}, {"longValue": -7}, {"isNull": True}, {"doubleValue": 3.0},
        {"stringValue": ""}, {"doubleValue": 1.5}, {"stringValue": "bee"},
    ]  # fmt: skip
    given = [{"name": f"p{n}", "value": fields[n % 7]} for n in range(210)]
    elements = ", ".join(f":p{n}{cast}" for n in range(210))
    request = Request("ExecuteStatement", f"SELECT * FROM b WHERE tenant_id IN ({elements})", given)
    claims = resolver.claims(request)
    assert named_by_statement(claims) == {"acme", "bee", "-7", "3", "1.5"}
    given[5]["value"] = {"blobValue": b"x"}
    assert named_by_statement(resolver.claims(request)) == set()


@pytest.mark.parametrize("word", ["AS", "as", "As", "aS"])
def test_a_cast_among_literals_is_read_however_it_is_spelt(resolver, word):
    """`CAST(:p As int)` beside texts: the casts differ, so nobody is named."""
    fields = {"p0": "00"}
    mixed = ", ".join([f"CAST(:p0 {word} int)", "'01'"] * 200)
    claims = claims_of(resolver, f"SELECT * FROM b WHERE tenant_id IN ({mixed})", **fields)
    assert named_by_statement(claims) == set()
    alike = ", ".join([f"CAST(:p0 {word} int)", "'01'::int"] * 200)
    claims = claims_of(resolver, f"SELECT * FROM b WHERE tenant_id IN ({alike})", **fields)
    assert named_by_statement(claims) == {"0", "1"}


@pytest.mark.parametrize("value", ["bee", "beekeeper"])
def test_a_long_list_that_a_cast_cuts_is_undecided(resolver, value):
    """varchar(4) leaves `bee` as it is, and makes another text of a longer one."""
    elements = ", ".join([":p0", ":p1", "'ant'"] * 200)
    sql = f"SELECT * FROM b WHERE tenant_id = ANY(ARRAY[{elements}]::varchar(4)[])"
    claims = claims_of(resolver, sql, p0="acme", p1=value)
    assert named_by_statement(claims) == ({"acme", "bee", "ant"} if value == "bee" else set())


@pytest.mark.parametrize("literal", ["{}", "'x{}'"])
def test_a_list_of_literals_and_parameters_is_told_up_to_two_thousand(resolver, literal):
    """A longer one leaves open whom it names, and hides nobody whom the statement names beside."""
    few, many = (listed(f"{literal}, :p{{0}}".replace("{}", "{0}"), n) for n in (900, 1_100))
    values = {f"p{n}": f"t{n}" for n in range(1_100)}
    told = claims_of(resolver, f"SELECT * FROM b WHERE tenant_id IN ({few})", **values)
    assert {f"t{n}" for n in range(900)} < named_by_statement(told)
    untold = claims_of(resolver, f"SELECT * FROM b WHERE tenant_id IN ({many})", **values)
    assert not named_by_statement(untold)
    assert untold.undecided
    beside = f"SELECT * FROM b WHERE id IN ({many}) AND tenant_id = :t"
    assert named_by_statement(claims_of(resolver, beside, t="acme", **values)) == {"acme"}
