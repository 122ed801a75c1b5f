"""One endpoint for all tests of this folder, a database for each."""

import http.client
import json
import tempfile
from pathlib import Path

import pytest

from tenantmetrics import testing

data_api = testing.data_api
data_api_endpoint = testing.data_api_endpoint


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
