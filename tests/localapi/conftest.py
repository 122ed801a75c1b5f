"""One endpoint for all tests of this folder, a database for each that writes."""

import contextlib
import http.client
import json
import tempfile
from pathlib import Path

import psycopg
import pytest

from tenantmetrics import testing

data_api_endpoint = testing.data_api_endpoint


class Unwritten:
    """A database in which no test wrote anything yet: most tests write nothing.

    A database takes PostgreSQL longer to make than ten such tests take. Whatever is written takes a
    transaction's id, so that none was written where no id was taken.
    """

    def __init__(self, endpoint):
        self._endpoint = endpoint
        self._server = psycopg.connect(endpoint.psycopg_url, autocommit=True)
        self._block = contextlib.ExitStack()
        self._made = None
        self._next_id = 0

    def take(self):
        """The database, for one test."""
        if self._made is None:
            self._made = self._block.enter_context(testing._fresh(self._endpoint))
            self._next_id = self._ids()
        self._endpoint.faults.clear()
        return self._made

    def give_back(self):
        """Drop it if anything was written, or is about to be."""
        self._endpoint.close_idle()
        asked = "SELECT 1 FROM pg_stat_activity WHERE datname = %s"
        for _ in range(100):
            if not self._server.execute(asked, [self._made.database]).rowcount:
                break
        else:
            self._next_id = 0
        if self._ids() != self._next_id:
            self.close_database()

    def close_database(self):
        self._made = None
        self._block.close()

    def close(self):
        self.close_database()
        self._server.close()

    def _ids(self):
        """The id of the next transaction that writes."""
        ((found,),) = self._server.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
        return int(found)


@pytest.fixture(scope="session")
def _unwritten(data_api_endpoint):
    with contextlib.closing(Unwritten(data_api_endpoint)) as unwritten:
        yield unwritten


@pytest.fixture
def data_api(_unwritten):
    """An endpoint, a database in which nothing was ever written, and a client."""
    yield _unwritten.take()
    _unwritten.give_back()


@pytest.fixture
def folder():
    """A folder that root's PostgreSQL may enter too; pytest's own are closed to other users."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture
def call(data_api):
    """An operation by its method's name, ARNs and database filled in, metadata taken off."""

    def call(method, **arguments):
        response = getattr(data_api.client, method)(**{**defaults(method), **arguments})
        del response["ResponseMetadata"]
        return response

    def defaults(method):
        arguments = dict(data_api.arguments)
        if method in ("commit_transaction", "rollback_transaction"):
            del arguments["database"]
        return arguments

    return call


@pytest.fixture
def execute(call):
    """ExecuteStatement; keyword arguments are parameters, as Fields."""

    def execute(sql, *, transaction=None, options=None, hints=None, **fields):
        parameters = [
            {"name": name, "value": value, **({"typeHint": hints[name]} if hints else {})}
            for name, value in fields.items()
        ]
        more = {"parameters": parameters, **(options or {})}
        if transaction is not None:
            more["transactionId"] = transaction
        return call("execute_statement", sql=sql, **more)

    return execute


@pytest.fixture
def fails(data_api, execute):
    """ExecuteStatement that must fail; returns code, message and HTTP status."""

    def fails(sql, **arguments):
        with pytest.raises(data_api.client.exceptions.ClientError) as caught:
            execute(sql, **arguments)
        response = caught.value.response
        return (
            response["Error"]["Code"],
            response["Error"]["Message"],
            response["ResponseMetadata"]["HTTPStatusCode"],
        )

    return fails


@pytest.fixture
def post(data_api):
    """A request by hand; returns status, headers (lower case) and the parsed body."""

    def post(path, body, *, method="POST", headers=None, endpoint=data_api.endpoint):
        connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=30)
        try:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(
                method,
                path,
                raw,
                {"Content-Type": "application/json", **(headers or {})},
            )
            response = connection.getresponse()
            content = json.loads(response.read())
            return response.status, {k.lower(): v for k, v in response.getheaders()}, content
        finally:
            connection.close()

    return post
