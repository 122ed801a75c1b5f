"""What these tests need: PromQL's parser; by Node.js HCL, Grafana's types and TypeScript."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def javascript(npm_ci):
    """A folder with the packages of js/package-lock.json installed."""
    return npm_ci(Path(__file__).with_name("js"))


@pytest.fixture
def promql():
    """Skip on a user's machine without promql-parser, never in CI."""
    if os.environ.get("CI") != "true":
        pytest.importorskip("promql_parser", reason="pip install 'tenantmetrics[console]'")
