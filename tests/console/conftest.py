"""What Node.js brings to these tests: HashiCorp's HCL, Grafana's types, a TypeScript compiler."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def javascript(npm_ci):
    """A folder with the packages of js/package-lock.json installed."""
    return npm_ci(Path(__file__).with_name("js"))
