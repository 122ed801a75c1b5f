"""The TypeScript example: its tenants are metered, its bill adds up, its rows stay apart."""

import http.client
import json
import os
import subprocess
from pathlib import Path

import pytest

from tenantmetrics.localapi import serve

EXAMPLE = Path(__file__).parents[2] / "examples" / "typescript"


@pytest.fixture
def example(npm_ci):
    """The example, built in a copy."""
    folder = npm_ci(EXAMPLE)
    subprocess.run(["npm", "run", "--silent", "build"], cwd=folder, check=True, timeout=120)
    return folder


@pytest.mark.long
def test_the_example_is_metered_per_tenant_and_its_rows_stay_apart(sidecar, example):
    """Five calls a request of the service: begin, set, statement, commit; all of one tenant."""
    with serve(roles=["app"]) as endpoint:
        target = {"resourceArn": endpoint.resource_arn, "secretArn": endpoint.secret_arn}
        for statement in (EXAMPLE / "schema.sql").read_text().split(";\n"):
            if statement.strip():
                endpoint.client().execute_statement(**target, sql=statement)
        before = endpoint.requests.total
        running = sidecar(endpoint.url)
        service = subprocess.Popen(
            ["node", "dist/server.js"],
            cwd=example,
            env={**os.environ, **endpoint.environment, "PORT": "0",
                 "AWS_ENDPOINT_URL_RDS_DATA": running.url, "NODE_NO_WARNINGS": "1",
                 "RESOURCE_ARN": endpoint.resource_arn, "DATABASE": endpoint.database,
                 "SECRET_ARN": endpoint.secret_arns["app"]},
            stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        try:
            port = int(service.stdout.readline().rsplit(" ", 1)[1])

            def ask(tenant, booking=None):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                method, body = ("POST", json.dumps(booking)) if booking else ("GET", None)
                connection.request(method, "/bookings", body, {"x-tenant": tenant})
                answer = connection.getresponse()
                content = answer.read()
                connection.close()
                assert answer.status == 200
                return json.loads(content)

            for tenant, guests in (("acme", 3), ("bee", 1)):
                for number in range(guests):
                    ask(tenant, {"guest": f"guest {number}", "nights": 2})
            assert len(ask("acme")) == 3
            assert [row["tenantId"] for row in ask("bee")] == ["bee"]
            assert ask("nobody") == []
        finally:
            service.terminate()
            service.wait(30)
            service.stdout.close()
        kept = running.recorded()
        assert kept.calls() == endpoint.requests.total - before == 7 * 4
        assert {tenant: kept.calls(tenant=tenant) for tenant in kept.tenants()} == {
            "acme": 16, "bee": 8, "nobody": 4,
        }  # fmt: skip
        assert kept.total("rows_written", tenant="acme") + kept.total("rows_returned") > 0
