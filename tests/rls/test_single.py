"""`rls.execute`: one request where that is proved to be the same, else a transaction."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from botocore.exceptions import ClientError

import tenantmetrics
from tenantmetrics.dataapi.responses import rows_of
from tenantmetrics.errors import RlsError
from tenantmetrics.rls import Rules, stats
from tests.rls.test_async import InThreads

SETTING = "SELECT coalesce(current_setting('app.current_tenant_id', true), '')"


@pytest.fixture
def execute(app):
    """`tenantmetrics.rls.execute` as the application's role."""

    def execute(sql, parameters=(), tenant="acme", **more):
        arguments = {"tenant": tenant} | more | app.target
        return tenantmetrics.rls.execute(app.client, sql, parameters, **arguments)

    return execute


@pytest.fixture
def counted(app):
    """What a block sends, and what `stats` counts of it."""

    @contextlib.contextmanager
    def count(*operations, **expected):
        before, at = stats(), len(app.sent)
        total = app.endpoint.requests.total
        yield
        after = stats()
        assert [name for name, _ in app.sent[at:]] == list(operations)
        assert app.endpoint.requests.total - total == len(operations)
        for name, number in expected.items():
            assert after[name] - before[name] == number, name

    return count


ONE = ("ExecuteStatement",)
FOUR = ("BeginTransaction", "ExecuteStatement", "ExecuteStatement", "CommitTransaction")


def test_a_statement_is_one_request_instead_of_four(execute, counted):
    """Of every kind; rows are the tenant's."""
    with counted(*ONE, single_requests=1, fallbacks=0, transactions=0, statements=1):
        found = execute("SELECT note FROM b ORDER BY note DESC")
    assert rows_of(found) == [["a2"], ["a1"]]
    for sql, number in (
        ("INSERT INTO b VALUES (:t, :n)", 1),
        ("INSERT INTO b VALUES ('acme', 'x'), ('acme', 'y')", 2),
        ("UPDATE b SET note = :n WHERE note <> :t", 5),
        ("DELETE FROM b WHERE note = :n AND :t = tenant_id", 5),
    ):
        with counted(*ONE, single_requests=1):
            found = execute(sql, {"t": "acme", "n": "new"})
        assert found["numberOfRecordsUpdated"] == number


def test_what_is_not_understood_takes_a_transaction(execute, counted):
    """And is counted."""
    sql = "MERGE INTO b USING (SELECT 1) s ON note = 'g1' WHEN MATCHED THEN DELETE"
    with counted(*FOUR, single_requests=0, fallbacks=1, transactions=1):
        assert execute(sql)["numberOfRecordsUpdated"] == 0


def test_what_postgresql_does_not_take_in_one_is_remembered(app, execute, counted):
    """A literal in a query is text; the second time costs no request more."""
    with psycopg.connect(f"{app.url}", autocommit=True) as admin:
        admin.execute("CREATE TABLE n (at date); GRANT ALL ON n TO app")
    sql = "INSERT INTO n SELECT '2026-01-01' FROM b"
    with counted(*ONE, *FOUR, fallbacks=1, single_requests=0):
        assert execute(sql)["numberOfRecordsUpdated"] == 2
    with counted(*FOUR, fallbacks=1):
        assert execute(sql)["numberOfRecordsUpdated"] == 2


def test_errors_are_those_of_a_transaction(execute, counted, unchanged):
    """One that PostgreSQL finds while it runs is raised at once."""
    with counted(*ONE), pytest.raises(ClientError, match="22012"):
        execute("SELECT 1/0 FROM b")
    operations = (*ONE, *FOUR[:3], "RollbackTransaction")
    with counted(*operations, fallbacks=1), pytest.raises(ClientError, match="22P02"):
        execute("SELECT :t::int FROM b", {"t": "x"})
    with counted(*ONE), pytest.raises(ClientError, match="42P01"):
        execute("SELECT * FROM nowhere")
    unchanged()


def test_rows_of_another_tenant_are_not_seen_and_not_written(execute, counted, unchanged):
    """Each refused in one request."""
    for sql in (
        "INSERT INTO b VALUES ('globex', 'x')",
        "INSERT INTO b VALUES ('acme', 'x'), ('globex', 'y')",
        "INSERT INTO b SELECT 'globex', note FROM b",
        "UPDATE b SET tenant_id = 'globex'",
    ):
        with counted(*ONE), pytest.raises(ClientError, match="42501"):
            execute(sql)
    assert execute("UPDATE b SET note = 'x' WHERE note = 'g1'")["numberOfRecordsUpdated"] == 0
    assert execute("DELETE FROM b WHERE tenant_id = 'globex'")["numberOfRecordsUpdated"] == 0
    assert rows_of(execute("SELECT count(*) FROM b WHERE tenant_id = 'globex'")) == [[0]]
    unchanged()


def test_nothing_stays_on_the_connection(app, execute):
    """Although the pool keeps what was set; and what others left there is not believed."""
    (backend,) = rows_of(execute("SELECT pg_backend_pid()"))
    assert rows_of(execute(SETTING, user="u1", rules=Rules(application_name=True))) == [["acme"]]
    assert app.alone("SELECT pg_backend_pid()") == [backend], "it is another connection"
    assert app.alone(SETTING) == [[""]]
    assert app.alone("SELECT note FROM b") == []
    app.alone("SELECT set_config('app.current_tenant_id', 'globex', false)")
    assert app.alone("SELECT note FROM b") == [["g1"]], "the pool does not leak"
    assert rows_of(execute("SELECT note FROM b ORDER BY 1")) == [["a1"], ["a2"]]
    assert execute("UPDATE b SET note = note")["numberOfRecordsUpdated"] == 2
    assert execute("DELETE FROM b")["numberOfRecordsUpdated"] == 2
    app.alone("SELECT set_config('app.current_tenant_id', '', false)")


def test_metadata_and_formats_are_the_same(app, execute):
    """Names, types and tables of the columns, duplicates and JSON among them."""
    sql = "SELECT tenant_id, note, count(*) OVER () AS n, 1.5 AS f{} FROM b ORDER BY note"
    for more, settings in (
        (", note", {"includeResultMetadata": True}),
        ("", {"formatRecordsAs": "JSON"}),
    ):
        with tenantmetrics.rls(app.client, tenant="acme", **app.target) as tx:
            wanted = tx.execute(sql.format(more), **settings)
        found = execute(sql.format(more), **settings)
        for answer in (wanted, found):
            answer.pop("ResponseMetadata")
        assert found == wanted


def test_values_are_parameters_and_never_sql(app, execute, unchanged):
    """What is not allowed is said before anything is sent."""
    for tenant in ("'; DROP TABLE b; --", "a\0", "x" * 10_000_000, "\u202eemca", None, ""):
        at = len(app.sent)
        with pytest.raises(RlsError):
            execute("SELECT 1 FROM b", tenant=tenant)
        assert len(app.sent) == at
    free = Rules(alphabet=r"(?s:.*)")
    for tenant in ("'; DROP TABLE b; --", "') IS NOT NULL OR true --", ":t", "%(x)s"):
        assert rows_of(execute(SETTING, tenant=tenant, rules=free)) == [[tenant]]
        assert tenant == ":t" or tenant not in app.sent[-1][1]["sql"]
        assert rows_of(execute("SELECT note FROM b", tenant=tenant, rules=free)) == []
    unchanged()


def test_it_is_metered_as_the_tenants(app, execute, fresh_pipeline):
    """By its context; the gate is no misuse."""
    tenantmetrics.instrument(app.client)
    with tenantmetrics.tenant("acme"):
        execute("SELECT note FROM b WHERE tenant_id = 'acme'", tenant=None)
        execute("UPDATE b SET note = 'x' WHERE tenant_id = 'acme'", tenant=None)
    execute("INSERT INTO b VALUES ('acme', 'y')")
    tenantmetrics.flush(10)
    found = tenantmetrics.stats()
    assert (found["calls"], found["unattributed_calls"], found["misuses"]) == (3, 0, {})


def test_variables_are_set_beside_the_tenant(execute):
    """All of them by the one gate."""
    sql = "SELECT current_setting('app.current_user_id'), current_setting('app.user_role')"
    assert rows_of(execute(sql, user="u1", variables={"app.user_role": "clerk"})) == [
        ["u1", "clerk"]
    ]


def test_many_tenants_at_once_on_one_loop(app, counted):
    """The form for aiobotocore: each its own, also where it takes a transaction."""

    async def one(tenant, sql):
        with tenantmetrics.tenant(tenant):
            client = InThreads(app.client)
            return rows_of(await tenantmetrics.rls.execute_async(client, sql, **app.target))

    async def main(sql):
        # A thread for each: one that holds a row's lock needs a thread to commit.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(12))
        return await asyncio.gather(*(one(t, sql) for t in ["acme", "globex", "other"] * 4))

    with counted(*ONE * 12, single_requests=12, fallbacks=0):
        found = asyncio.run(main("SELECT note FROM b ORDER BY note"))
    assert found == [[["a1"], ["a2"]], [["g1"]], []] * 4
    before = stats()
    merge = "MERGE INTO b USING (SELECT 1) s ON true WHEN MATCHED THEN UPDATE SET note = note"
    asyncio.run(main(f"{merge} RETURNING tenant_id"))
    assert stats()["fallbacks"] - before["fallbacks"] == 12

    async def other():
        with pytest.raises(ClientError, match="42501"):
            await one("acme", "INSERT INTO b VALUES ('globex', 'x')")
        with pytest.raises(ClientError, match="22P02"):
            await one("acme", "SELECT 'x'::text::int FROM b")

    asyncio.run(other())
