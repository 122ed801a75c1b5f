"""Rows that are written alike are read by their slots, and name whom they name one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.tenant.sql.many_row_insert import BulkRows, bulk_rows, rows_node
from tenantmetrics.tenant.sql.operands import Operand, Values
from tenantmetrics.tenant.sql.restrictions import UNKNOWN, Named, Restriction, State
from tenantmetrics.tenant.sql.row_shares import MixedRows, SlotRows
from tenantmetrics.tenant.sql.template import skeleton, slot_of_number, slot_of_string

LITERALS = st.sampled_from(["1", "22", "'a'", "'b''c'", "''"])
OTHERS = st.sampled_from(["NULL", ":p", "now()", "default", "true"])
PARAMETERS = {"p": {"name": "p", "value": {"stringValue": "acme"}}}


@st.composite
def rows(draw: st.DrawFn) -> list[list[str]]:
    """Rows of one width; mostly literals and others in the same places."""
    kinds = draw(st.lists(st.booleans(), min_size=1, max_size=4))
    found = []
    for _ in range(draw(st.integers(2, 9))):
        odd = draw(st.integers(0, 30))
        found.append(
            [
                draw(LITERALS if literal ^ (place == odd) else OTHERS)
                for place, literal in enumerate(kinds)
            ],
        )
    return found


def written(table: list[list[str]]) -> str:
    return "INSERT INTO b (w, x, y, z) VALUES " + ", ".join(f"({','.join(row)})" for row in table)


def node_of(rows: BulkRows, template: str, index: int) -> Restriction:
    """Whom the rows name by a column, where the parser has told nothing of the first."""
    values = rows.values(next(rows.rows(template)))
    return rows_node(rows, template, index, first_node(values, index))


def first_node(values: list[str], index: int) -> Restriction:
    value = values[index] if index < len(values) else ""
    if "::" in value or "(" in value or "[" in value:
        return UNKNOWN
    if value.startswith("'"):
        return Named((Operand(slot=slot_of_string(value[1:-1])),))
    if value.startswith(":"):
        return Named((Operand(parameter=value[1:]),))
    if value[:1].isdigit():
        slot = slot_of_number(value)
        return Named((Operand(slot=slot, text=None if slot is not None else value),))
    return UNKNOWN


@given(rows())
def test_reading_by_slots_says_what_reading_one_by_one_says(table):
    """Tenants and weights, also where rows have a NULL or a parameter in place of a literal."""
    cut = skeleton(written(table))
    bulk = bulk_rows(cut.template)
    assert bulk is not None
    values = Values(cut.literals, PARAMETERS)
    for index in range(len(table[0])):
        shares: dict[str, int] = {}
        known = False
        for row in table:
            one = skeleton(written([row, row]))
            alone = bulk_rows(one.template)
            assert alone is not None
            answer = node_of(alone, one.template, index).found(Values(one.literals, PARAMETERS))
            known = known or answer.state is State.KNOWN
            name = next(iter(answer.shares), "__unattributed__")
            shares[name] = shares.get(name, 0) + 1
        found = node_of(bulk, cut.template, index).found(values)
        assert (found.state is State.KNOWN) == known
        assert not known or dict(found.shares) == shares


def test_rows_that_are_written_alike_need_no_node_each():
    """3,000 rows take no more memory in the plan than three."""
    cut = skeleton(written([["1", "'acme'"], ["2", "'bee'"]] * 1_500))
    bulk = bulk_rows(cut.template)
    assert bulk is not None
    assert node_of(bulk, cut.template, 1) == SlotRows(1, 2, 3_000)


def test_a_row_that_is_written_in_another_way_is_read_by_itself():
    """Its slots are not where the first row's are."""
    table = [["1", "'acme'", "NULL"], ["1", "'bee'", "5"], ["NULL", "'cat'", "NULL"]]
    cut = skeleton(written(table))
    bulk = bulk_rows(cut.template)
    assert bulk is not None
    node = node_of(bulk, cut.template, 1)
    assert isinstance(node, MixedRows)
    assert dict(node.found(Values(cut.literals, {})).shares) == {"acme": 1, "bee": 1, "cat": 1}


VALUES_OF_ROWS = {
    "cast": "('{t}'::text, {n})",
    "CAST": "(CAST('{t}' AS text), {n}::numeric(10,2))",
    "function": "('{t}', lower('X{n}'))",
    "functions of functions": "('{t}', coalesce(NULL, upper('{n}'), 'x'))",
    "array and json": "('{t}', ARRAY['a', '{n}']::text[])",
    "before it": "(lower('ab'), '{t}')",
    "time": "('{t}', now() )",
    "sign": "( '{t}' ,-{n} )",
}


@pytest.mark.parametrize("form", VALUES_OF_ROWS.values(), ids=VALUES_OF_ROWS)
def test_thousands_of_rows_with_casts_and_functions_keep_their_tenants(make_resolver, form):
    """By number of rows; with parameters as well as with literals."""
    columns = "x, tenant_id" if form.startswith("(lower") else "tenant_id, x"
    tenants = ["acme", "acme", "bee"] * 1_000
    texts = {
        "literals": [form.format(t=t, n=n) for n, t in enumerate(tenants)],
        "parameters": [form.format(t=f"{t}#", n=n) for n, t in enumerate(tenants)],
    }
    for kind, rows in texts.items():
        sql = f"INSERT INTO b ({columns}) VALUES {', '.join(rows)}"
        params = []
        for number, tenant in enumerate(("acme", "bee") if kind == "parameters" else ()):
            sql = sql.replace(f"'{tenant}#'", f":p{number}")
            params.append({"name": f"p{number}", "value": {"stringValue": tenant}})
        claims = make_resolver().claims(
            request_of("ExecuteStatement", {"sql": sql, "parameters": params})
        )
        assert [claim.shares for claim in claims.named] == [(("acme", 2), ("bee", 1))], kind


@pytest.mark.parametrize(
    "value",
    ["set_config('app.tenant', 'x', true)", "(SELECT max(id) FROM c)", "f(g(h('x')))", "1 + 1"],
)
def test_thousands_of_rows_of_anything_else_name_nobody(make_resolver, value):
    """What a row sets or reads, only the whole text tells."""
    sql = "INSERT INTO b (tenant_id, x) VALUES " + ", ".join([f"('acme', {value})"] * 3_000)
    claims = make_resolver().claims(request_of("ExecuteStatement", {"sql": sql}))
    assert claims.undecided
    assert not claims.named
    assert not any(step.tenant for step in claims.session)


@pytest.mark.parametrize("place", [1, 200, 399])
@pytest.mark.parametrize("value", ["(SELECT 'bee')", "lower('bee'), f(g(h(1)))", "1 + 1, 2"])
def test_a_row_of_another_kind_among_thousands_is_not_left_out(make_resolver, place, value):
    """Whose it is has a part in the answer, or nobody is named."""
    rows = ["('acme', 1)"] * 400
    rows[place] = f"({value})" if "," in value else f"({value}, 2)"
    sql = "INSERT INTO b (tenant_id, x) VALUES " + ", ".join(rows)
    claims = make_resolver().claims(request_of("ExecuteStatement", {"sql": sql}))
    assert not claims.named or dict(claims.named[0].shares).keys() > {"acme"}
    assert claims.undecided or claims.named


def test_thousands_of_rows_that_are_written_in_many_ways_keep_their_tenants(make_resolver):
    """Parameters, literals and NULL in turn: each row counts once."""
    kinds = ["(:t{n}, {n})", "('bee', NULL, {n})", "(NULL, :t{n})", "( :t{n} ,'x')"]
    rows = [kinds[number % 4].format(n=number) for number in range(3_000)]
    sql = "INSERT INTO b (tenant_id, x, y) VALUES " + ", ".join(rows)
    values = [{"name": f"t{number}", "value": {"stringValue": "acme"}} for number in range(3_000)]
    claims = make_resolver().claims(
        request_of("ExecuteStatement", {"sql": sql, "parameters": values})
    )
    (claim,) = claims.named
    assert dict(claim.shares) == {"acme": 2, "bee": 1, "__unattributed__": 1}


@pytest.mark.parametrize(
    "beside",
    [
        "RETURNING (SELECT count(*) FROM c)",
        "RETURNING (SELECT max(x) FROM c WHERE tenant_id = :t)",
        "RETURNING EXISTS (TABLE c)",
        "ON CONFLICT (id) DO UPDATE SET x = (SELECT max(x) FROM b)",
        "ON CONFLICT (id) DO UPDATE SET x = excluded.x WHERE b.x IN (SELECT x FROM c)",
        "ON CONFLICT (id) DO UPDATE SET x = 1 WHERE EXISTS (SELECT 1 FROM c WHERE tenant_id = :t)",
    ],
)
def test_many_rows_are_not_all_that_a_statement_reads(make_resolver, beside):
    """Queries beside the rows may read anybody's: only the rows are told of so many."""
    rows = ", ".join(["('acme', 1)", "('bee', 2)"] * 200)
    sql = f"INSERT INTO b (tenant_id, x) VALUES {rows} {beside}"
    given = [{"name": "t", "value": {"stringValue": "cat"}}]
    claims = make_resolver().claims(
        request_of("ExecuteStatement", {"sql": sql, "parameters": given})
    )
    assert claims.undecided
    assert not claims.named
