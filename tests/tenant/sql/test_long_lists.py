"""Statements with lists of thousands of values keep their tenant and their fingerprint."""

from __future__ import annotations

import pytest

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


def test_more_parameters_than_the_parser_takes_name_nobody(resolver):
    """As tenants they are undecided; fewer are all named."""
    sql = "SELECT * FROM b WHERE tenant_id IN ({})"
    few = claims_of(resolver, sql.format(":p0, :p1"), p0="acme", p1="bee")
    assert named_by_statement(few) == {"acme", "bee"}
    many = claims_of(resolver, sql.format(listed(":p{}")), p0="acme", p1="bee")
    assert not named_by_statement(many)
    assert many.undecided


@pytest.mark.parametrize("count", [100, 300, 440, 460, 700, 1_300, 3_000])
@pytest.mark.parametrize("kind", ["parameters", "casts of parameters"])
def test_no_number_of_parameters_hides_a_tenant_beside_them(resolver, kind, count):
    """Neither those that the parser just takes nor those that it does not."""
    sql = f"SELECT * FROM b WHERE tenant_id = :t AND id IN ({listed(ELEMENTS[kind], count)})"
    assert named_by_statement(claims_of(resolver, sql, t="acme")) == {"acme"}
