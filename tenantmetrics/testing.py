"""A pytest plugin: the `data_api` fixture, a Data API over a real PostgreSQL for any test.

    def test_bookings(data_api):
        data_api.client.execute_statement(**data_api.arguments, sql="CREATE TABLE b (id int)")

One endpoint a test session (a worker of pytest-xdist has its own), one fresh database a test. It
needs the `local` extra; without it only tests that ask for the fixture fail, and say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tenantmetrics.localapi import Endpoint

__all__ = ["DataApi", "data_api", "data_api_endpoint"]


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
