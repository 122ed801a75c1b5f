"""A pytest plugin: the `data_api` fixture, a Data API over a real PostgreSQL for any test.

    def test_bookings(data_api):
        data_api.client.execute_statement(**data_api.arguments, sql="CREATE TABLE b (id int)")

    def test_isolation(data_api):
        assert_isolated(data_api, "bookings", role="app")

One endpoint a test session (a worker of pytest-xdist has its own), one fresh database a test. It
needs the `local` extra; without it only tests that ask for the fixture fail, and say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tenantmetrics.localapi import Endpoint

__all__ = ["DataApi", "assert_isolated", "data_api", "data_api_endpoint"]


@dataclass(frozen=True, slots=True)
class DataApi:
    """What a test gets.

    Attributes:
        endpoint: The running endpoint; shared by the session's tests, its faults cleared for each.
        database: Name of a database that only this test uses.
        client: A `boto3.client("rds-data")` for the endpoint, without retries.
    """

    endpoint: Endpoint
    database: str
    client: Any

    @property
    def arguments(self) -> dict[str, str]:
        """`resourceArn`, `secretArn` and `database`, as most calls need them."""
        return {
            "resourceArn": self.endpoint.resource_arn,
            "secretArn": self.endpoint.secret_arn,
            "database": self.database,
        }

    @property
    def psycopg_url(self) -> str:
        """For a direct connection to the test's database."""
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - an extra

        return make_conninfo(self.endpoint.psycopg_url, dbname=self.database)


@pytest.fixture(scope="session")
def data_api_endpoint() -> Iterator[Endpoint]:
    """The session's endpoint over an embedded PostgreSQL."""
    from tenantmetrics.localapi import serve  # noqa: PLC0415 - an extra

    with serve() as endpoint:
        yield endpoint


_numbers = count(1)
_DROP_ATTEMPTS = 100


@pytest.fixture
def data_api(data_api_endpoint: Endpoint) -> Iterator[DataApi]:
    """An endpoint, a fresh database and a client."""
    with _fresh(data_api_endpoint) as made:
        yield made


@contextmanager
def _fresh(data_api_endpoint: Endpoint) -> Iterator[DataApi]:
    """A database that is dropped at the end of the block."""
    import psycopg  # noqa: PLC0415 - an extra
    from botocore.config import Config  # noqa: PLC0415 - slow to import
    from psycopg import sql  # noqa: PLC0415 - an extra

    database = f"test_{next(_numbers)}"
    name = sql.Identifier(database)
    client = data_api_endpoint.client(config=Config(retries={"total_max_attempts": 1}))
    with psycopg.connect(data_api_endpoint.psycopg_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        data_api_endpoint.faults.clear()
        try:
            yield DataApi(data_api_endpoint, database, client)
        finally:
            client.close()
            data_api_endpoint.close_idle()
            # DROP ... WITH (FORCE) naps 100 ms if a backend has not quite ended yet.
            backends = "SELECT 1 FROM pg_stat_activity WHERE datname = %s"
            for _ in range(_DROP_ATTEMPTS):
                if not connection.execute(backends, [database]).rowcount:
                    break
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def assert_isolated(
    data_api: Any,
    table: str | None = None,
    *,
    role: str | None = None,
    column: str = "tenant_id",
    variable: str = "app.current_tenant_id",
    functions: bool = True,
) -> None:
    """Fail unless one tenant can neither see nor change another's rows; nothing stays.

    Two tenants' rows are put into the database in one transaction, every operation is tried as
    one of them, and all is rolled back.

    Args:
        data_api: The fixture, or anything with a `client` and the `arguments` of its calls, whose
            secret's role may SET ROLE to the application's.
        table: Such as "bookings" or "app.bookings", with the views and SECURITY DEFINER functions
            that read it; None for everything.
        role: The role that the application connects as; None for the one that has grants.
        column: The tenant column.
        variable: The variable that policies compare with.
        functions: Call SECURITY DEFINER functions, too.

    Raises:
        AssertionError: Something is not isolated, or could not be tried; names each.
        RlsError: There is no such table or role.
    """
    from tenantmetrics.policies.proof.prove import prove  # noqa: PLC0415 - only for this
    from tenantmetrics.policies.scope import Settings  # noqa: PLC0415
    from tenantmetrics.policies.source import DataApiConnection  # noqa: PLC0415

    __tracebackhide__ = True
    proof = prove(
        DataApiConnection(data_api.client, **data_api.arguments),
        Settings(column=column, variable=variable, roles=(role,) if role is not None else ()),
        tables=(table,) if table is not None else (),
        functions=functions,
    )
    wrong = [*proof.leaks, *proof.unproved]
    if wrong:
        lines = [
            f"{proved.object}: {proved.operation}: {proved.verdict}: {proved.why}"
            for proved in wrong
        ]
        raise AssertionError("\n".join(lines))
