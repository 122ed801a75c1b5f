"""The asynchronous form on a real PostgreSQL: boto3's client, each call in a thread.

`tests/aio` has it with aiobotocore's own client, where that is installed.
"""

import asyncio

import pytest
from botocore.exceptions import ClientError

import tenantmetrics
from tenantmetrics.dataapi import TransactionRolledBackError
from tenantmetrics.dataapi.responses import rows_of
from tenantmetrics.errors import RlsError, TransactionTimedOutError
from tenantmetrics.tenant.identity.tenant_context import current_tenant


class InThreads:
    """Methods that are awaited, as aiobotocore's."""

    def __init__(self, client):
        self._client = client

    def __getattr__(self, name):
        async def call(**arguments):
            return await asyncio.to_thread(getattr(self._client, name), **arguments)

        return call


@pytest.fixture
def rls(app):
    """`tenantmetrics.rls` as the application's role."""

    def rls(tenant=None, **more):
        return tenantmetrics.rls(InThreads(app.client), tenant=tenant, **more, **app.target)

    return rls


async def notes(tx):
    return [note for (note,) in rows_of(await tx.execute("SELECT note FROM b ORDER BY note"))]


def test_tasks_see_the_rows_of_their_own_tenants(rls):
    """Many at once on one loop."""

    async def one(tenant):
        async with rls(tenant) as tx:
            assert current_tenant() == tenant
            return await notes(tx)

    async def main():
        return await asyncio.gather(*(one(t) for t in ["acme", "globex", "other"] * 4))

    assert asyncio.run(main()) == [["a1", "a2"], ["g1"], []] * 4
    assert current_tenant() is None


def test_it_commits_what_it_wrote(app, rls):
    """Once."""

    async def main():
        async with rls("acme") as tx:
            await tx.execute("INSERT INTO b VALUES ('acme', :n)", {"n": "new"})
            await tx.batch_execute("INSERT INTO b VALUES ('acme', :n)", [{"n": "x"}, {"n": "y"}])

    asyncio.run(main())
    assert len(app.rows()) == 6
    assert [name for name, _ in app.sent].count("CommitTransaction") == 1
    assert app.alone("SELECT coalesce(current_setting('app.current_tenant_id', true), '')") == [
        [""]
    ]


def test_errors_roll_back_and_are_raised_again(rls, unchanged):
    """Theirs, PostgreSQL's, and one that was swallowed."""

    async def theirs(tx):
        raise LookupError

    async def other_tenant(tx):
        await tx.execute("INSERT INTO b VALUES ('globex', 'x')")

    async def swallowed(tx):
        with pytest.raises(ClientError, match="22012"):
            await tx.execute("SELECT 1/0")

    async def main(work):
        async with rls("acme") as tx:
            await tx.execute("INSERT INTO b VALUES ('acme', 'x')")
            await work(tx)

    for work, error in (
        (theirs, LookupError),
        (other_tenant, ClientError),
        (swallowed, TransactionRolledBackError),
    ):
        with pytest.raises(error):
            asyncio.run(main(work))
        unchanged()


def test_a_task_that_is_cancelled_rolls_back_first(rls, unchanged):
    """No lock stays for three minutes."""

    async def main():
        entered = asyncio.Event()

        async def work():
            async with rls("acme") as tx:
                await tx.execute("INSERT INTO b VALUES ('acme', 'x')")
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(work())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    unchanged()


def test_the_tenant_is_that_of_the_moment_at_which_it_was_made(rls):
    """Not of the block that it is entered in."""

    async def main():
        with tenantmetrics.tenant("acme"):
            made = rls()
        with tenantmetrics.tenant("globex"):
            async with made as tx:
                return await notes(tx)

    assert asyncio.run(main()) == ["a1", "a2"]


def test_a_setting_that_fails_leaves_nothing(app, rls, unchanged):
    """Nor does a missing tenant; and a transaction that AWS ended says so."""

    async def main():
        app.endpoint.faults.add("ExecuteStatement:BadRequestException:count=1")
        with pytest.raises(ClientError, match="BadRequest"):
            async with rls("acme"):
                pytest.fail("it was entered")
        with pytest.raises(RlsError, match="no tenant"):
            async with rls():
                pytest.fail("it was entered")
        app.endpoint.faults.add("BeginTransaction:DatabaseResumingException:count=1")
        with pytest.raises(TransactionTimedOutError):
            async with rls("acme") as tx:
                app.client.rollback_transaction(**app.arns, transactionId=tx.id)

    asyncio.run(main())
    unchanged()


def test_a_decorated_coroutine_function_gets_a_transaction(app):
    """And is awaited as it was."""

    @tenantmetrics.rls.transactional(InThreads(app.client), tenant="globex", **app.target)
    async def mine(tx):
        return await notes(tx)

    assert asyncio.run(mine()) == ["g1"]
