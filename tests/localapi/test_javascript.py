"""The JavaScript SDK, unmodified, at the versions of js/package-lock.json."""

import json
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).with_name("js")


@pytest.fixture(scope="session")
def javascript(npm_ci):
    """A folder with the SDK installed by lock."""
    return npm_ci(HERE)


def test_the_javascript_sdk_runs_all_five_operations(data_api, javascript):
    """Results, types, errors; and small calls see no delayed acknowledgement."""
    endpoint = data_api.endpoint
    done = subprocess.run(
        ["node", "operations.mjs"],
        cwd=javascript,
        env={
            **os.environ,
            **endpoint.environment,
            "RESOURCE_ARN": endpoint.resource_arn,
            "SECRET_ARN": endpoint.secret_arn,
            "DATABASE": data_api.database,
            "NODE_NO_WARNINGS": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    # A stall of 40 ms a call would be the median; a busy machine's pauses are not.
    assert seen.pop("medianMs") < 40
    assert seen == {
        "inserted": 1,
        "hasRecords": False,
        "committed": "Transaction Committed",
        "rolledBack": "Rollback Complete",
        "batch": 2,
        "labels": ["id", "name", "key", "raw", "tags", "at"],
        "rows": [
            [1, "it's é", "00000000-0000-0000-0000-00000000000a", [0, 255],
             {"stringValues": ["a", None]}, "2024-01-01 00:00:00.5"],
            [2, True, True, True, True, True],
            [3, True, True, True, True, True],
        ],
        "error": {
            "name": "DatabaseErrorException",
            "message": "ERROR: division by zero; SQLState: 22012",
            "status": 400,
        },
    }  # fmt: skip


def test_the_lock_file_names_no_registry():
    """Packages are locked by name, version and hash; where they come from is the machine's."""
    lock = json.loads((HERE / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert all("resolved" not in entry and entry["integrity"] for entry in packages.values())
