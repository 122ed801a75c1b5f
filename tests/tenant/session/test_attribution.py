"""A transaction's calls go to the tenant that the transaction turns out to serve."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics import config
from tenantmetrics.dataapi.capture import TRANSITIONS, request_of
from tenantmetrics.health import Health, Loss
from tenantmetrics.records import UNATTRIBUTED, Misuse, Source
from tenantmetrics.tenant.identity.tenant_context import tenant
from tenantmetrics.tenant.resolve import Resolver
from tenantmetrics.tenant.session.attribution import Attributor
from tenantmetrics.tenant.session.misuse_log import MisuseLog

RESOLVER = Resolver(config.load({}), Health())


@pytest.fixture
def attributor() -> Attributor:
    return Attributor(config.load({}), Health())


@pytest.fixture
def run(make_call):
    """Submit statements in order; gives (what was sent, tenants, source, misuses) as settled."""

    def go(attributor, *steps, transaction="tx", finish=True):
        settled = []
        for step in steps:
            sql, outcome = step if isinstance(step, tuple) else (step, "ok")
            if sql.endswith("Transaction"):
                call = make_call(
                    RESOLVER.claims(request_of(sql, {})), operation=sql, transaction=transaction,
                    outcome=outcome,
                )  # fmt: skip
            else:
                params = {"sql": sql, "parameters": []}
                if transaction:
                    params["transactionId"] = transaction
                call = make_call(
                    RESOLVER.claims(request_of("ExecuteStatement", params)),
                    transaction=transaction, outcome=outcome,
                )  # fmt: skip
            settled += attributor.submit(call)
        if finish:
            settled += attributor.drain()
        return [attribution for _, attribution in settled]

    return go


def tenants(attributions):
    return [dict(attribution.shares) for attribution in attributions]


BEGIN, COMMIT, ROLLBACK = "BeginTransaction", "CommitTransaction", "RollbackTransaction"
SET_ACME = "SET LOCAL app.current_tenant_id = 'acme'"
SET_BEE = "SET LOCAL app.current_tenant_id = 'bee'"
READ = "SELECT * FROM bookings WHERE tenant_id = current_setting('app.current_tenant_id')"


def test_begin_set_statements_and_commit_are_all_the_tenants(attributor, run):
    """Even BEGIN, which came before anybody knew."""
    found = run(attributor, BEGIN, SET_ACME, READ, COMMIT, finish=False)
    assert tenants(found) == [{"acme": 1}] * 4
    assert {attribution.source for attribution in found} == {Source.SESSION}


def test_nothing_is_settled_before_the_tenant_is_known(attributor, run):
    """BEGIN and a statement without a tenant are held, and released in order by the SET."""
    assert run(attributor, BEGIN, READ, finish=False) == []
    assert tenants(run(attributor, SET_ACME, finish=False)) == [{"acme": 1}] * 3


def test_a_set_that_failed_set_nothing(attributor, run):
    """Its transaction stays nobody's."""
    found = run(attributor, BEGIN, (SET_ACME, "BadRequestException"), READ, ROLLBACK)
    assert tenants(found) == [{UNATTRIBUTED: 1}] * 4


def test_rollback_to_restores_what_was_set_before(attributor, run):
    """The tenant of the savepoint is the tenant again."""
    found = run(
        attributor, BEGIN, SET_ACME, "SAVEPOINT s", SET_BEE, READ, "ROLLBACK TO s", READ, COMMIT
    )
    assert [next(iter(one)) for one in tenants(found)] == [
        "acme", "acme", "acme", "bee", "bee", "bee", "acme", "bee",
    ]  # fmt: skip
    assert found[3].misuses == (Misuse.TENANT_CHANGED,)


def test_release_keeps_what_was_set_since(attributor, run):
    """RELEASE forgets the savepoint and nothing else: its name is then an older one's."""
    found = run(
        attributor, BEGIN, "SAVEPOINT s", SET_ACME, "SAVEPOINT s", SET_BEE, "RELEASE s", READ,
        "ROLLBACK TO s", READ,
    )  # fmt: skip
    assert [tenants(found)[index] for index in (-3, -1)] == [{"bee": 1}, {UNATTRIBUTED: 1}]


def test_a_return_to_a_savepoint_that_was_not_seen_leaves_nothing_known(attributor, run):
    """The server took it, so it is there: what it goes back to is not known."""
    found = run(attributor, BEGIN, SET_ACME, "ROLLBACK TO s", READ, SET_BEE, READ)
    assert [tenants(found)[index] for index in (-3, -1)] == [{UNATTRIBUTED: 1}, {"bee": 1}]


@pytest.mark.parametrize(
    "reset",
    [
        "RESET app.current_tenant_id",
        "RESET ALL",
        "DISCARD ALL",
        "SET LOCAL app.current_tenant_id = ''",
    ],
)
def test_after_a_reset_statements_are_nobodys_and_commit_is_the_tenants(attributor, run, reset):
    """What runs without a tenant variable is not billed to the one before."""
    found = run(attributor, BEGIN, SET_ACME, READ, reset, READ, COMMIT)
    assert tenants(found)[-2:] == [{UNATTRIBUTED: 1}, {"acme": 1}]


def test_without_a_session_the_transaction_is_its_statements(attributor, run):
    """BEGIN and COMMIT go to the tenant that the statements name."""
    found = run(attributor, BEGIN, "SELECT 1 FROM b WHERE tenant_id = 'acme'", COMMIT)
    assert tenants(found) == [{"acme": 1}] * 3
    assert found[0].source is Source.STATEMENT


def test_a_transaction_of_two_tenants_is_split_between_them(attributor, run):
    """In the proportion of the calls that named each; a statement that names nobody is nobody's."""
    found = run(
        attributor,
        BEGIN,
        "SELECT 1 FROM b WHERE tenant_id = 'acme'",
        "SELECT 2 FROM b WHERE tenant_id = 'acme'",
        "SELECT 1 FROM b WHERE tenant_id = 'bee'",
        READ,
        COMMIT,
    )
    assert tenants(found)[0] == tenants(found)[-1] == {"acme": 2, "bee": 1}
    assert tenants(found)[-2] == {UNATTRIBUTED: 1}


def test_an_undecided_statement_is_not_billed_to_its_neighbours(attributor, run):
    """`tenant_id <> …` beside `tenant_id = …` is nobody's."""
    found = run(
        attributor, BEGIN, "SELECT 1 FROM b WHERE tenant_id = 'acme'",
        "SELECT 1 FROM b WHERE tenant_id <> 'acme'", COMMIT,
    )  # fmt: skip
    assert tenants(found)[2] == {UNATTRIBUTED: 1}


def test_a_predicate_for_another_tenant_than_the_session_is_marked(attributor, run):
    """The session is billed, and the call is a cross-tenant read in the making."""
    found = run(attributor, BEGIN, SET_ACME, "SELECT 1 FROM b WHERE tenant_id = 'bee'")
    assert tenants(found)[-1] == {"acme": 1}
    assert found[-1].misuses == (Misuse.OTHER_TENANTS_ROWS,)


def test_context_is_believed_first_and_the_disagreement_is_marked(attributor, run):
    """One with block, another tenant in the session."""
    run(attributor, BEGIN, SET_BEE, finish=False)
    with tenant("acme"):
        found = run(attributor, READ)
    assert tenants(found) == [{"acme": 1}]
    assert found[0].source is Source.CONTEXT
    assert found[0].misuses == (Misuse.SOURCES_DISAGREE,)


def test_a_call_with_a_context_is_settled_at_once(attributor, run):
    """Nothing later could change whose it is; BEGIN without it follows its neighbours."""
    assert run(attributor, BEGIN, finish=False) == []
    with tenant("acme"):
        assert tenants(run(attributor, READ, finish=False)) == [{"acme": 1}]
    assert tenants(run(attributor, COMMIT)) == [{"acme": 1}] * 2


def test_set_without_local_inside_a_transaction_is_misuse(attributor, run):
    """It may reach the next user of the connection."""
    found = run(attributor, BEGIN, "SET app.tenant_id = 'acme'")
    assert found[-1].misuses == (Misuse.SET_WITHOUT_LOCAL,)


def test_set_local_outside_a_transaction_is_misuse(attributor, run):
    """It does nothing, and is billed to whom it names."""
    found = run(attributor, SET_ACME, transaction="")
    assert tenants(found) == [{"acme": 1}]
    assert found[0].misuses == (Misuse.LOCAL_OUTSIDE_TRANSACTION,)


def test_setting_the_same_tenant_twice_is_no_misuse(attributor, run):
    """Only a different value is a change."""
    found = run(attributor, BEGIN, SET_ACME, SET_ACME)
    assert all(not attribution.misuses for attribution in found)


def test_commit_as_sql_ends_what_was_local(attributor, run):
    """And is marked: the Data API's own transaction lingers."""
    found = run(attributor, BEGIN, SET_ACME, "COMMIT", READ, COMMIT)
    assert found[2].misuses == (Misuse.COMMIT_AS_SQL,)
    assert tenants(found)[3:] == [{UNATTRIBUTED: 1}, {"acme": 1}]


def test_application_name_counts_only_beside_no_better_variable(attributor, run):
    """It is believed alone, and no conflict where it is a program's name."""
    found = run(attributor, BEGIN, "SET LOCAL application_name = 'worker'", SET_ACME, READ)
    assert tenants(found)[-1] == {"acme": 1}
    assert all(Misuse.SOURCES_DISAGREE not in attribution.misuses for attribution in found)


def test_two_variables_that_disagree_are_a_conflict(attributor, run):
    """The one configured first is believed."""
    found = run(attributor, BEGIN, SET_ACME, "SET LOCAL app.tenant_id = 'bee'", READ)
    assert tenants(found)[-1] == {"acme": 1}
    assert Misuse.SOURCES_DISAGREE in found[2].misuses


def test_a_commit_that_failed_may_come_again(attributor, run):
    """The transaction is kept until it ends."""
    found = run(attributor, BEGIN, SET_ACME, (COMMIT, "ThrottlingException"), COMMIT, finish=False)
    assert tenants(found) == [{"acme": 1}] * 4


def test_an_idle_transaction_is_forgotten_without_a_tenant(attributor, run, make_call):
    """It is unattributed once it has been idle for too long, and not before."""
    run(attributor, BEGIN, READ, finish=False)
    assert attributor.expire(int(1_300e9)) == []
    assert len(attributor.expire(int(1_301e9))) == 2
    assert attributor.drain() == []


def test_open_transactions_are_bounded_and_evictions_counted(run):
    """The one idle longest goes first; none of its calls is lost."""
    health = Health()
    attributor = Attributor(config.load({}, max_transactions=3), health)
    settled = []
    for number in range(5):
        settled += run(attributor, BEGIN, transaction=f"t{number}", finish=False)
    assert tenants(settled) == [{UNATTRIBUTED: 1}] * 2
    assert health.counts() == {Loss.TRANSACTION_EVICTED: 2}
    assert len(attributor.drain()) == 3


def test_a_long_transaction_without_a_tenant_is_not_held_for_ever(attributor, run):
    """Past a bound its calls are settled by what they name."""
    settled = run(attributor, BEGIN, *[READ] * 600, finish=False)
    assert len(settled) == 601
    assert tenants(run(attributor, SET_ACME, READ, COMMIT)) == [{"acme": 1}] * 3


def test_held_calls_are_bounded_in_all(run):
    """Many transactions at once do not hold more than the bound."""
    attributor = Attributor(config.load({}), Health())
    settled = 0
    for number in range(100):
        settled += len(run(attributor, *[READ] * 200, transaction=f"t{number}", finish=False))
    assert settled >= 100 * 200 - 16_384
    assert settled + len(attributor.drain()) == 100 * 200


_STEPS = st.sampled_from(
    [
        BEGIN, COMMIT, ROLLBACK, SET_ACME, SET_BEE, READ, "SAVEPOINT s", "ROLLBACK TO s",
        "RELEASE s", "RESET ALL", "COMMIT", "ROLLBACK", (SET_BEE, "BadRequestException"),
        "SELECT 1 FROM b WHERE tenant_id = 'cat'", "SELECT 1 FROM b WHERE tenant_id <> 'cat'",
    ],
)  # fmt: skip


@given(st.lists(st.tuples(_STEPS, st.sampled_from(["", "one", "two"])), max_size=30))
def test_no_call_is_lost_or_settled_twice(steps):
    """Whatever the order, every call comes out once, with positive weights."""
    attributor = Attributor(config.load({}, max_transactions=1), Health())
    settled = []
    from tenantmetrics.records import Call, Claims, Transition  # noqa: PLC0415

    for number, (step, transaction) in enumerate(steps):
        sql, outcome = step if isinstance(step, tuple) else (step, "ok")
        operation = sql if sql.endswith("Transaction") else "ExecuteStatement"
        params = {} if operation == sql else {"sql": sql}
        claims: Claims = RESOLVER.claims(request_of(operation, params))
        call = Call(
            operation,
            number,
            1,
            outcome,
            "",
            200,
            1,
            0,
            0,
            1,
            0,
            0,
            transaction,
            "",
            "",
            claims,
            transition=TRANSITIONS.get(operation, Transition.NONE),
        )
        settled += attributor.submit(call)
    settled += attributor.drain()
    assert sorted(call.ended_at_ns for call, _ in settled) == list(range(len(steps)))
    assert all(weight > 0 for _, found in settled for _, weight in found.shares)
    assert all(found.shares for _, found in settled)


def test_misuse_is_logged_once_a_minute_a_kind_without_values(attributor, run, capsys):
    """The log has the statement's summary, and counts what it left out."""
    now = [0.0]
    log = MisuseLog(lambda: now[0])
    attributor = Attributor(config.load({}), Health(), log)
    for _ in range(3):
        run(attributor, "SET LOCAL app.tenant = 'secret-tenant'", transaction="")
    now[0] = 61.0
    run(attributor, "SET LOCAL app.tenant = 'secret-tenant'", transaction="")
    text = "".join(capsys.readouterr())
    assert text.count("tenantmetrics.tenant_misuse") == 2
    assert '"calls": 3' in text
    assert "secret-tenant" not in text
