"""What the wire needs."""

import subprocess
import sys

from tenantmetrics import dataapi, localapi


def test_it_needs_no_extra_and_no_local_endpoint():
    """An instrumented client in a Lambda function may import all of it."""
    names = ("errors", "fields", "guesses", "operations", "requests", "responses", "signing")
    program = "import sys\n" + "".join(
        f"import tenantmetrics.dataapi.{name}\n" for name in (*names, "transaction")
    )
    program += "print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert loaded.isdisjoint({"psycopg", "uvicorn", "starlette", "tenantmetrics.localapi"})


def test_the_public_names_of_the_wire_and_of_the_endpoint_are_these():
    """What is added here is promised to users; what goes is a breaking change."""
    assert dataapi.__all__ == ["ApiError", "Transaction", "TransactionRolledBackError"]
    assert localapi.__all__ == [
        "Cluster",
        "Endpoint",
        "Fault",
        "Secret",
        "ServerTime",
        "ServerTimeRow",
        "label_calls",
        "load",
        "serve",
    ]
    for package in (dataapi, localapi):
        assert all(getattr(package, name).__doc__ for name in package.__all__)
