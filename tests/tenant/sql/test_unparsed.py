"""A text that is too long to be parsed sets what it does when parsed, or what is not known."""

from __future__ import annotations

import pytest

from tenantmetrics.dataapi.capture import request_of

LONG = "".join(f", (c{number} + 1)" for number in range(250))
SET_TENANT = "set_tenant:1"
OF_MANY = "; UPDATE b SET x = 1 WHERE tenant_id = :t" * 62


@pytest.fixture
def steps(make_resolver, corpus_values):
    """What a text does to its session: name, tenant and whether it is local."""

    def ask(sql, **settings):
        params = {"sql": sql, "parameters": corpus_values, "transactionId": "t"}
        claims = make_resolver(**settings).claims(request_of("ExecuteStatement", params))
        return [(step.name, step.tenant, step.local) for step in claims.session]

    return ask


CALLS = [
    *(f"set_config('app.tenant', {v}, true)" for v in (":t", "'bee'", "5", ":t::text")),
    *(f"set_config('app.tenant', {v}, true)" for v in ("tenant_id", "current_user", "lower(:t)")),
    *(f"set_config('app.tenant', :t, {v})" for v in ("false", ":yes", "'true'", "c1", "NOT true")),
    *("set_config('app.' || 'tenant', :t, true)", "set_config(:name, :t, true)"),
    *("coalesce('x', set_config('app.tenant', :t, true))", "set_tenant(:t)"),
    "x.set_tenant(lower(:t))",
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_a_call_in_a_long_text_sets_what_it_sets_in_a_short_one(steps, call):
    """Names and columns are no values, and neither is what the lexer does not read."""
    for rest in ("", " FROM a", " FROM a WHERE x = 1"):
        short = steps(f"SELECT {call}{rest}", tenant_setters=[SET_TENANT])
        assert short
        assert steps(f"SELECT {call}{LONG}{rest}", tenant_setters=[SET_TENANT]) == short


@pytest.mark.parametrize(
    "call",
    [
        "set_config('app.tenant', NULL, true)", "set_config('app.tenant', (:t), true)",
        f"set_config({' ' * 420}'app.tenant', 'bee', false)", "set_config(f(1, (2)), 'bee', false)",
    ],
)  # fmt: skip
def test_a_call_that_is_not_read_leaves_no_tenant(steps, call):
    """The session does not keep the one that it had."""
    found = steps(f"SELECT {call}{LONG}")
    assert "app.tenant" in {name for name, _, _ in found}
    assert not any(tenant for _, tenant, _ in found)


@pytest.mark.parametrize(
    "sets",
    [
        "SET app.tenant = 'bee'", "SET LOCAL app.tenant TO :t", 'set session "app"."tenant" = 5',
        "RESET ALL", "RESET app.tenant", "DISCARD ALL", "DO $$ x $$", "SET ROLE bee",
        "SELECT set_config('app.tenant', 'bee', true)", "SELECT set_tenant('bee')",
    ],
)  # fmt: skip
def test_a_setting_among_statements_that_are_not_read_leaves_no_tenant(steps, sets):
    """Too many statements, one that is too long, too many literals."""
    many = f"INSERT INTO b VALUES {', '.join(['(1, 2, 3)'] * 5_500)}"
    texts = [f"{sets}{OF_MANY}", f"SELECT 1{OF_MANY}; {sets}", f"BEGIN; {sets}; SELECT 1{LONG}"]
    if "set_tenant" not in sets:
        texts += [f"{sets}; {many}", f"{many}; {sets}"]
    for sql in texts:
        found = steps(sql, tenant_setters=[SET_TENANT])
        assert {"app.tenant", "set_tenant"} <= {name for name, _, _ in found} or sql in texts[3:]
        assert ("app.tenant", None, False) in found
        assert not any(tenant for _, tenant, _ in found)


def test_statements_that_are_not_read_and_set_nothing_leave_the_session_alone(steps):
    """The SET of an UPDATE, and other variables."""
    rows = f"INSERT INTO b VALUES {', '.join(['(1, 2, 3)'] * 5_500)}"
    for sql in (
        f"SELECT 1{OF_MANY}",
        f"SET statement_timeout = 5{OF_MANY}",
        f"SET statement_timeout = 5; {rows} ON CONFLICT (x) DO UPDATE SET x = b.x",
        f"INSERT INTO b (tenant_id, x) VALUES {', '.join(['(:t, 1)'] * 400)}",
    ):
        assert steps(sql, tenant_setters=[SET_TENANT]) == [], sql[:60]


def test_rows_that_call_what_sets_a_tenant_leave_none(steps):
    """As the rows would each set it."""
    for call in ("set_config('app.tenant', 'bee', false)", "set_tenant('bee')"):
        rows = ["(:t, 1)"] * 200 + [f"(:t, {call})"] * 200
        sql = f"INSERT INTO b (tenant_id, x) VALUES {', '.join(rows)}"
        found = steps(sql, tenant_setters=[SET_TENANT])
        assert {"app.tenant", "set_tenant"} <= {name for name, _, _ in found}
        assert not any(tenant for _, tenant, _ in found)


def test_a_letter_that_is_longer_in_lower_case_moves_nothing(steps):
    """An I with a dot has two letters there; a long s and an i without a dot are in no name."""
    call = "set_config('app.tenant', 'bee', false)"
    sql = f"SELECT \u0130 [ {call}, \u017fet_conf\u0131g('app.tenant', 'x', false)"
    assert steps(sql) == [("app.tenant", "bee", False)]
