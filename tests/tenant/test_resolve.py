"""What a call says of its tenant: parameters, batches, surroundings, caches."""

from __future__ import annotations

import threading

import pytest

from tenantmetrics.capture.request import PythonValues, Request
from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.records import UNATTRIBUTED, Claim, Misuse, SessionVerb, Source
from tenantmetrics.tenant.identity.tenant_context import tenant

BY_PARAMETER = "SELECT * FROM bookings WHERE tenant_id = :t"


def ask(resolver, sql, operation="ExecuteStatement", **params):
    return resolver.claims(request_of(operation, {"sql": sql, **params}))


def test_parameters_changed_after_the_call_change_nothing(resolver, parameters):
    """The list, its dictionaries and their values are the caller's again."""
    given = parameters(t="acme")
    first = ask(resolver, BY_PARAMETER, parameters=given)
    given[0]["value"]["stringValue"] = "bee"
    given.append({"name": "t", "value": {"stringValue": "cat"}})
    assert first.named == (Claim(Source.STATEMENT, (("acme", 1),)),)
    assert ask(resolver, BY_PARAMETER, parameters=given).named[0].shares == (("bee", 1),)


def test_parameter_lists_reused_across_threads_give_each_its_own(resolver):
    """No state of one call is seen by another."""
    wrong = []

    def work(name):
        given = [{"name": "t", "value": {"stringValue": name}}]
        for number in range(2_000):
            given[0]["value"]["stringValue"] = f"{name}{number % 7}"
            found = ask(resolver, BY_PARAMETER, parameters=given).named[0].shares
            if found != ((f"{name}{number % 7}", 1),):
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_generator_is_left_as_it_is(resolver, parameters):
    """Botocore refuses it, with the error that the caller would have without us."""
    given = iter(parameters(t="acme"))
    assert ask(resolver, BY_PARAMETER, parameters=given).named == ()
    assert len(list(given)) == 1


def test_lists_made_from_generators_and_tuples_are_read(resolver, parameters):
    """Whatever the caller built them with."""
    for given in (list(iter(parameters(t="acme"))), tuple(parameters(t="acme"))):
        assert ask(resolver, BY_PARAMETER, parameters=given).named[0].shares == (("acme", 1),)


@pytest.mark.parametrize(
    "given",
    [None, 42, "t", [None], [42], [{}], [{"name": "t"}], [{"name": "t", "value": None}],
     [{"name": "t", "value": {}}], [{"name": 1, "value": {"stringValue": "x"}}],
     [{"value": {"stringValue": "acme"}}]],
)  # fmt: skip
def test_parameters_of_a_wrong_shape_name_nobody(resolver, given):
    """Botocore refuses them next; they raise nothing that would hide its error, or are caught."""
    try:
        named = ask(resolver, BY_PARAMETER, parameters=given).named
    except (KeyError, TypeError, AttributeError):
        # The boundary in capture counts these; what may not happen is a wrong tenant.
        named = ()
    assert named == ()


def test_a_batch_is_split_by_its_sets(resolver, parameters):
    """Two of three sets are acme's; a set without a tenant is nobody's share."""
    sets = [parameters(t="acme"), parameters(t="bee"), parameters(t="acme"), parameters(t=None)]
    found = ask(resolver, "INSERT INTO b (tenant_id) VALUES (:t)", "BatchExecuteStatement",
                parameterSets=sets)  # fmt: skip
    assert found.named[0].shares == (("acme", 2), ("bee", 1), (UNATTRIBUTED, 1))


def test_each_set_of_a_batch_weighs_the_same(resolver, parameters):
    """A set that serves two tenants gives each half of it."""
    sets = [parameters(t="a", u="b"), parameters(t="a", u="a")]
    found = ask(resolver, "DELETE FROM b WHERE tenant_id IN (:t, :u)", parameterSets=sets)
    assert found.named[0].shares == (("a", 3), ("b", 1))


def test_a_batch_without_sets_is_one_execution(resolver):
    """An empty list runs the statement once, without parameters."""
    found = ask(resolver, "DELETE FROM b WHERE tenant_id = 'x'", parameterSets=[])
    assert found.named[0].shares == (("x", 1),)


def test_context_comes_first_and_the_database_last(resolver, parameters):
    """At most one claim a source, in the order of belief."""
    with tenant("acme"):
        found = ask(
            resolver, BY_PARAMETER, parameters=parameters(t="bee"), database="tenant_7",
            schema="tenant_8",
        )  # fmt: skip
    assert [(claim.source, claim.shares[0][0]) for claim in found.named] == [
        (Source.CONTEXT, "acme"), (Source.STATEMENT, "bee"), (Source.SCHEMA, "8"),
        (Source.DATABASE, "7"),
    ]  # fmt: skip


def test_calls_without_sql_have_what_surrounds_them(resolver):
    """BeginTransaction knows the context and the database."""
    with tenant("acme"):
        assert resolver.claims(request_of("BeginTransaction", {})).named[0].source is Source.CONTEXT
    assert resolver.claims(request_of("BeginTransaction", {"database": "tenant_7"})).named[
        0
    ].shares == (("7", 1),)
    assert resolver.claims(request_of("CommitTransaction", {"transactionId": "x"})).named == ()


def test_execute_sql_reads_all_its_statements(resolver):
    """A transaction written out in one text sets and serves its tenant."""
    text = "BEGIN; SET LOCAL app.tenant = 'acme'; UPDATE b SET x = 1; COMMIT"
    found = resolver.claims(request_of("ExecuteSql", {"sqlStatements": text}))
    assert [step.verb for step in found.session] == [
        SessionVerb.BEGIN, SessionVerb.SET, SessionVerb.COMMIT,
    ]  # fmt: skip
    assert found.misuses == ()
    assert found.summary == "BEGIN SET LOCAL app.tenant UPDATE b COMMIT"


def test_set_local_is_misuse_only_outside_a_transaction(resolver, parameters):
    """The same text, cached, inside and outside."""
    sql = "SELECT set_config('app.tenant', :t, true)"
    given = parameters(t="acme")
    for _ in range(2):
        assert ask(resolver, sql, parameters=given, transactionId="x").misuses == ()
        assert ask(resolver, sql, parameters=given).misuses == (Misuse.LOCAL_OUTSIDE_TRANSACTION,)


def test_columns_variables_keys_and_patterns_are_configuration(make_resolver, parameters, shown):
    """Every name that carries a tenant can be another."""
    resolver = make_resolver(
        tenant_columns=["org"], tenant_variables=["my.org"], tenant_comment_keys=["org"],
        tenant_schema_pattern="org_(.+)", tenant_role_pattern="r_(.+)",
        tenant_database_pattern="db_(.+)", tenant_functions=["visible_to", "app.of:2"],
        tenant_setters=["become"],
    )  # fmt: skip
    given = parameters(t="acme")
    expected = {
        "SELECT 1 FROM b WHERE org = :t": "acme",
        "SELECT 1 FROM b WHERE tenant_id = :t": "-",
        "SET LOCAL my.org = 'acme'": "set my.org=acme local",
        "SET LOCAL app.tenant = 'acme'": "-",
        "SELECT 1 /*org='acme'*/": "comment:acme",
        "SELECT 1 FROM org_acme.b": "schema:acme",
        "SET LOCAL ROLE r_acme": "set role=acme local",
        "SELECT * FROM visible_to(:t)": "acme",
        "SELECT app.of(1, :t)": "acme",
        "SELECT * FROM b WHERE app.of(1, :t)": "acme",
        "SELECT * FROM b WHERE NOT app.of(1, :t)": "?",
        "SELECT become(:t)": "set become=acme local",
        "CALL app.of(1, :t); SELECT 1 FROM b WHERE org = :t": "acme",
        "CALL other(1, :t); SELECT 1 FROM b WHERE org = :t": "?",
    }
    for sql, claims in expected.items():
        assert shown(ask(resolver, sql, parameters=given, transactionId="x")) == claims, sql
    assert shown(ask(resolver, "SELECT 1", database="db_acme")) == "database:acme"


def test_summaries_are_never_cut_inside_a_token(resolver):
    """At most 255 characters of whole names."""
    sql = "SELECT * FROM " + ", ".join(f"a_rather_long_table_{n}" for n in range(40))
    summary = ask(resolver, sql).summary
    assert len(summary) <= 255
    assert set(summary.split(" ")[1:]) <= {f"a_rather_long_table_{n}" for n in range(40)}


def test_long_lists_and_many_rows_are_understood_without_parsing_each(resolver):
    """Sixty thousand characters of values; the tenants are still exact."""
    ids = ",".join(map(str, range(8_000)))
    sql = f"SELECT * FROM b WHERE tenant_id = 'acme' AND id IN ({ids})"
    assert ask(resolver, sql).named[0].shares == (("acme", 1),)
    names = ",".join(f"'t{n}'" for n in range(50))
    assert len(ask(resolver, f"SELECT 1 FROM b WHERE tenant_id IN ({names})").named[0].shares) == 50
    rows = ",".join(f"({n}, 't{n % 3}')" for n in range(3_000))
    found = ask(resolver, f"INSERT INTO b (id, tenant_id) VALUES {rows} ON CONFLICT DO NOTHING")
    assert found.named[0].shares == (("t0", 1), ("t1", 1), ("t2", 1)) or dict(
        found.named[0].shares
    ) == {"t0": 1000, "t1": 1000, "t2": 1000}


def test_a_comment_that_differs_each_time_is_no_new_plan(resolver):
    """As tracing writes it; the tenant in it is this call's."""
    for number in range(50):
        sql = f"SELECT * FROM b /*tenant_id='t{number}',traceparent='00-{number:032x}-01'*/"
        assert ask(resolver, sql).named == (Claim(Source.COMMENT, ((f"t{number}", 1),)),)
    assert resolver.cached_plans == 1


@pytest.mark.parametrize(
    ("source", "sql"),
    [
        ("statement", "SELECT 1 FROM b WHERE tenant_id = 'acme'"),
        ("comment", "SELECT 1 /*tenant_id='acme'*/"),
        ("schema", "SELECT 1 FROM tenant_7.rooms"),
    ],
)
def test_a_source_that_is_left_out_is_not_asked(make_resolver, source, sql):
    """What it would say reaches nobody: not the claims, and so neither the span."""
    request = request_of("ExecuteStatement", {"sql": sql})
    assert make_resolver(tenant_sources=[source]).claims(request).named
    assert make_resolver(tenant_sources=["session"]).claims(request).named == ()


def test_a_context_and_a_database_that_are_left_out_are_not_asked(make_resolver):
    """What surrounds a call, likewise."""
    request = request_of("ExecuteStatement", {"sql": "SELECT 1", "database": "tenant_7"})
    resolver = make_resolver(tenant_sources=["session"], tenant_database_pattern="tenant_([0-9]+)")
    with tenant("acme"):
        assert resolver.claims(request).named == ()


def test_a_parameter_by_position_is_read(resolver):
    """As drivers of PostgreSQL write it, alone and as an array."""
    for sql, values in (
        ("SELECT 1 FROM b WHERE id = $2 AND tenant_id = $1", ("acme", 5)),
        ("SELECT 1 FROM b WHERE tenant_id = ANY($1)", (["acme"], 5)),
    ):
        request = Request("execute", sql, PythonValues(values))
        assert resolver.claims(request).named == (Claim(Source.STATEMENT, (("acme", 1),)),)
