"""What the wire needs."""

import subprocess
import sys


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
