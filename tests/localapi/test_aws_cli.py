"""The AWS CLI, unmodified, in an environment of its own: its botocore is not ours."""

import hashlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

LOCK = Path(__file__).parents[2] / "requirements" / "awscli.txt"


@pytest.fixture(scope="session")
def aws():
    """The program, installed by hash once for each lock file, beside our own environment."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    home = Path(sys.prefix) / f"awscli-{digest}"
    program = home / "bin" / "aws"
    done = home / "complete"
    if not done.exists():
        venv.create(home, clear=True, with_pip=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run(
            [*pip, "install", "--quiet", "--require-hashes", "-r", str(LOCK)],
            check=True,
            timeout=600,
        )
        done.touch()
    return program


@pytest.fixture
def run(aws, data_api):
    """`aws rds-data OPERATION`; returns its parsed output, or its error text if it must fail."""
    endpoint = data_api.endpoint
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(aws.parent),
        "AWS_PAGER": "",
        **endpoint.environment,
    }

    def run(operation, *arguments, fails=False):
        command = [str(aws), "rds-data", operation, "--resource-arn", endpoint.resource_arn]
        done = subprocess.run(
            [*command, "--secret-arn", endpoint.secret_arn, "--output", "json", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else json.loads(done.stdout)

    return run


@pytest.mark.long  # an environment of its own
def test_the_aws_cli_runs_all_five_operations(run, data_api):
    """By AWS_ENDPOINT_URL_RDS_DATA alone."""
    database = ("--database", data_api.database)

    def execute(sql, *more, **options):
        return run("execute-statement", *database, "--sql", sql, *more, **options)

    execute("CREATE TABLE t (id int, name text)")
    transaction = run("begin-transaction", *database)["transactionId"]
    parameters = '[{"name": "id", "value": {"longValue": 1}}]'
    inside = ("--transaction-id", transaction)
    inserted = execute("INSERT INTO t VALUES (:id, 'é')", "--parameters", parameters, *inside)
    assert inserted == {"numberOfRecordsUpdated": 1, "generatedFields": []}
    committed = run("commit-transaction", *inside)
    assert committed == {"transactionStatus": "Transaction Committed"}
    transaction = run("begin-transaction", *database)["transactionId"]
    execute("DELETE FROM t", "--transaction-id", transaction)
    rolled_back = run("rollback-transaction", "--transaction-id", transaction)
    assert rolled_back == {"transactionStatus": "Rollback Complete"}
    sets = json.dumps([[{"name": "id", "value": {"longValue": n}}] for n in (2, 3)])
    batch = ("--sql", "INSERT INTO t VALUES (:id, NULL)", "--parameter-sets", sets)
    results = run("batch-execute-statement", *database, *batch)["updateResults"]
    assert results == [{"generatedFields": []}] * 2
    selected = execute("SELECT * FROM t ORDER BY id", "--include-result-metadata")
    assert [column["label"] for column in selected["columnMetadata"]] == ["id", "name"]
    assert selected["records"] == [
        [{"longValue": 1}, {"stringValue": "é"}],
        [{"longValue": 2}, {"isNull": True}],
        [{"longValue": 3}, {"isNull": True}],
    ]
    failed = execute("SELECT 1/0", fails=True)
    assert "DatabaseErrorException" in failed
    assert "SQLState: 22012" in failed
