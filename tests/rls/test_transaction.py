"""The transaction that tells PostgreSQL its tenant, on a real PostgreSQL with policies."""

import contextlib

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

import tenantmetrics
from tenantmetrics.dataapi import TransactionRolledBackError
from tenantmetrics.dataapi.responses import rows_of
from tenantmetrics.errors import RlsError, TransactionTimedOutError
from tenantmetrics.rls import Rules, stats
from tenantmetrics.tenant.identity.tenant_context import current_tenant

SET = "SELECT set_config(:n0, :v0, true)"
SETTING = "SELECT coalesce(current_setting('app.current_tenant_id', true), '')"


@pytest.fixture
def rls(app):
    """`tenantmetrics.rls` as the application's role."""

    def rls(tenant=None, **more):
        return tenantmetrics.rls(app.client, tenant=tenant, **more, **app.target)

    return rls


def notes(tx):
    return [note for (note,) in rows_of(tx.execute("SELECT note FROM b ORDER BY note"))]


def insert(tx, tenant, note="new"):
    return tx.execute("INSERT INTO b VALUES (:t, :n)", {"t": tenant, "n": note})


def test_rows_of_another_tenant_are_not_seen(app, rls):
    """Each tenant has its own, and outside there are none."""
    with rls("acme") as tx:
        assert notes(tx) == ["a1", "a2"]
    with rls("globex") as tx:
        assert notes(tx) == ["g1"]
    assert app.alone("SELECT note FROM b") == []


def test_rows_of_another_tenant_are_not_written(rls, unchanged):
    """They cannot be changed, deleted, added, or given away."""
    with rls("acme") as tx:
        assert (
            tx.execute("UPDATE b SET note = 'x' WHERE note = 'g1'")["numberOfRecordsUpdated"] == 0
        )
        assert tx.execute("DELETE FROM b WHERE note = 'g1'")["numberOfRecordsUpdated"] == 0
    for work in (
        lambda tx: insert(tx, "globex"),
        lambda tx: tx.execute("UPDATE b SET tenant_id = 'globex'"),
    ):
        with pytest.raises(ClientError, match="42501"), rls("acme") as tx:
            work(tx)
    unchanged()


def test_it_commits_once_and_sets_all_variables_in_one_statement(app, rls):
    """Four requests for one statement; names and values are parameters."""
    variables = {"app.user_role": "clerk"}
    with rls("acme", user="u1", variables=variables) as tx:
        insert(tx, "acme")
        tx.batch_execute("INSERT INTO b VALUES ('acme', :n)", [{"n": "more"}, {"n": "most"}])
        got = tx.execute("SELECT current_setting('app.current_user_id'), current_setting(:n)",
                         {"n": "app.user_role"})  # fmt: skip
        assert rows_of(got) == [["u1", "clerk"]]
        assert tx.id
    assert [name for name, _ in app.sent] == [
        "BeginTransaction", "ExecuteStatement", "ExecuteStatement", "BatchExecuteStatement",
        "ExecuteStatement", "CommitTransaction",
    ]  # fmt: skip
    assert app.sent[1][1]["sql"] == (
        "SELECT set_config(:n0, :v0, true), set_config(:n1, :v1, true), set_config(:n2, :v2, true)"
    )
    assert len(app.rows()) == 6
    assert app.endpoint.open_transactions == 0


class _LeftError(BaseException):
    """What is no Exception either, as Ctrl-C."""


@pytest.mark.parametrize("error", [ValueError("theirs"), _LeftError()])
def test_an_exception_rolls_back_and_is_raised_again(rls, unchanged, error):
    """The very one."""

    def leave(tx):
        insert(tx, "acme")
        raise error

    with pytest.raises(type(error)) as caught, rls("acme") as tx:
        leave(tx)
    assert caught.value is error
    unchanged()


def test_a_swallowed_error_of_a_statement_is_no_commit(rls, unchanged):
    """PostgreSQL keeps nothing of it."""

    def work():
        with rls("acme") as tx:
            insert(tx, "acme")
            with pytest.raises(ClientError, match="22012"):
                tx.execute("SELECT 1/0")

    with pytest.raises(TransactionRolledBackError, match="savepoint"):
        work()
    unchanged()


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_nothing_stays_on_the_connection(app, rls, end):
    """Whoever gets it next is nobody, although the pool keeps what was set."""
    name = "SELECT current_setting('application_name')"
    before = app.alone(name)

    def finish():
        if end == "rollback":
            raise LookupError

    with (
        contextlib.suppress(LookupError),
        rls("acme", user="u1", rules=Rules(application_name=True)) as tx,
    ):
        (backend,) = rows_of(tx.execute("SELECT pg_backend_pid()"))
        assert rows_of(tx.execute(SETTING)) == [["acme"]]
        assert rows_of(tx.execute(name)) == [["acme"]]
        finish()
    assert app.alone("SELECT pg_backend_pid()") == [backend], "it is another connection"
    assert app.alone(SETTING) == [[""]]
    assert app.alone(name) == before
    assert app.alone("SELECT note FROM b") == []


HOSTILE = [
    "'; DROP TABLE b; --", "acme' OR '1'='1", "acme\0", "\0", "a" * 10_000_000, "\u202eemca",
    "acme\u200f", "acme\n", " acme", "acme\ud800", "{acme}", "$1", ":v0", "__idle__", "\\", 7,
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value)[:20])
@pytest.mark.parametrize("place", ["tenant", "user"])
def test_a_hostile_name_is_refused_before_anything_is_sent(app, rls, value, place):
    """The message is short, ASCII, and says what is wrong."""
    with pytest.raises(RlsError) as caught:
        rls(**{"tenant": "acme", place: value})
    assert app.sent == []
    message = str(caught.value)
    assert message.startswith(place)
    assert message.isascii()
    assert len(message) < 200


@pytest.mark.parametrize("value", [v for v in HOSTILE if isinstance(v, str)][:2])
def test_what_an_alphabet_lets_through_is_still_no_sql(app, rls, unchanged, value):
    """It is a parameter: a tenant that has no row."""
    with rls(value, rules=Rules(alphabet="(?s).*")) as tx:
        assert notes(tx) == []
        assert rows_of(tx.execute(SETTING)) == [[value]]
    assert app.sent[1][1]["sql"] == SET
    unchanged()


@pytest.mark.parametrize("value", ["\0", "a" * 10_000_000, "\ud800", None])
def test_a_variable_that_postgresql_could_not_hold_is_refused(app, rls, value):
    """Before anything is sent."""
    with pytest.raises(RlsError, match=r"app\.note"):
        rls("acme", variables={"app.note": value})
    assert app.sent == []


def test_any_text_that_postgresql_can_hold_arrives_as_it_was(app, rls):
    """And is never in the statement's text."""

    @settings(max_examples=settings.default.max_examples // 4)
    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60))
    def arrives(value):
        app.sent.clear()
        with rls("acme", variables={"app.note": value}) as tx:
            assert rows_of(tx.execute("SELECT current_setting('app.note')")) == [[value]]
        assert (
            app.sent[1][1]["sql"] == "SELECT set_config(:n0, :v0, true), set_config(:n1, :v1, true)"
        )

    arrives()


@pytest.mark.parametrize("tenant", [None, ""])
def test_no_tenant_is_an_error(app, rls, tenant):
    """Nothing is sent, so that nothing runs as nobody."""
    with pytest.raises(RlsError, match="no tenant"):
        rls(tenant)
    assert app.sent == []


def test_no_tenant_where_that_is_allowed_sees_no_row(rls):
    """The variable is set to the empty text, which is no tenant."""
    with rls(rules=Rules(strict=False)) as tx:
        assert notes(tx) == []
        assert rows_of(tx.execute(SETTING)) == [[""]]


def test_the_tenant_is_that_of_the_block_around_it(rls):
    """And inside, the calls are metered as that tenant's."""
    with tenantmetrics.tenant("globex"), rls() as tx:
        assert notes(tx) == ["g1"]
    with rls("acme") as tx:
        assert current_tenant() == "acme"
        assert tx.tenant == "acme"
    assert current_tenant() is None


def test_a_begin_or_a_setting_that_fails_leaves_nothing(app, rls, unchanged):
    """The block is not entered."""
    for fault in ("BeginTransaction", "ExecuteStatement"):
        app.endpoint.faults.add(f"{fault}:BadRequestException:count=1")
        with pytest.raises(ClientError, match="BadRequest"), rls("acme"):
            pytest.fail("it was entered")
        assert current_tenant() is None
    unchanged()


def test_a_block_is_for_one_transaction(rls):
    """A second one is made anew."""
    tx = rls("acme")
    with tx:
        pass
    with pytest.raises(RuntimeError, match="one `with` block"), tx:
        pass


def test_a_call_that_cannot_have_run_is_repeated(app, rls):
    """A database that was asleep has run nothing; a throttled call is the caller's to repeat."""
    before = stats()
    app.endpoint.faults.add("BeginTransaction:DatabaseResumingException:count=2")
    with rls("acme") as tx:
        assert notes(tx) == ["a1", "a2"]
    assert stats()["retries"] == before["retries"] + 2

    app.endpoint.faults.add("BeginTransaction:ThrottlingException:count=1")
    with pytest.raises(ClientError, match="Throttling"), rls("acme"):
        pass
    assert stats()["retries"] == before["retries"] + 2


def test_attempts_end(app, rls, unused_port):
    """An endpoint that nobody listens on is tried as often as the rules say."""
    client = app.endpoint.client(
        endpoint_url=f"http://127.0.0.1:{unused_port}",
        config=Config(retries={"total_max_attempts": 1}),
    )
    before = stats()
    tx = tenantmetrics.rls(client, tenant="acme", rules=Rules(attempts=2), **app.target)
    with pytest.raises(EndpointConnectionError), tx:
        pass
    client.close()
    assert stats()["retries"] == before["retries"] + 1
    assert stats()["errors"] == before["errors"] + 1


def test_a_transaction_that_aws_ended_says_so(app, rls, unchanged):
    """In a statement, and in the commit: nothing was kept."""

    def end(tx):
        insert(tx, "acme")
        app.client.rollback_transaction(**app.arns, transactionId=tx.id)

    def end_and_go_on(tx):
        end(tx)
        insert(tx, "acme")

    for what in (end, end_and_go_on):
        with pytest.raises(TransactionTimedOutError, match="3 minutes"), rls("acme") as tx:
            what(tx)
    unchanged()


def test_stats_add_up(rls):
    """Each transaction that began was committed or rolled back."""
    before = stats()
    with rls("acme") as tx:
        notes(tx)
    with pytest.raises(LookupError), rls("acme") as tx:
        raise LookupError
    after = stats()
    assert {name: after[name] - before[name] for name in before if name[:3] != "ave"} == {
        "transactions": 2, "committed": 1, "rolled_back": 1, "statements": 1, "errors": 0,
        "retries": 0, "single_requests": 0, "fallbacks": 0,
    }  # fmt: skip
    assert after["average_duration_ms"] > 0
