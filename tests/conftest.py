"""Fixtures for every test, and those that more than one part of the tests needs."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import tenantmetrics
from tenantmetrics.localapi import serve
from tenantmetrics.pipeline import current

_CHROMIUM_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--virtual-time-budget=2000",
)  # fmt: skip


# Their tests run in environments of their own: see `test-long` in the Makefile.
collect_ignore = [
    folder
    for folder, module in {"aio": "aiobotocore", "spark": "pyspark"}.items()
    if importlib.util.find_spec(module) is None
]


@pytest.fixture(autouse=True, scope="session")
def _no_exporters_by_default():
    """The default is CloudWatch where nothing else is said; a test that wants it says so."""
    os.environ.setdefault("TENANTMETRICS_EXPORTERS", "none")


@pytest.fixture
def chromium(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run headless Chromium with arguments and a new profile; skips where there is none."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser")
    if binary is None:
        message = "headless Chromium is missing: apt-get install -y chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    profile = tmp_path / "chromium-profile"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [binary, *_CHROMIUM_FLAGS, f"--user-data-dir={profile}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    return run


@pytest.fixture(scope="session")
def endpoint():
    """The local Data API over an embedded PostgreSQL, one for all tests of a worker."""
    with serve() as running:
        yield running


@pytest.fixture
def target(endpoint):
    """What every call to the endpoint names."""
    return {
        "resourceArn": endpoint.resource_arn,
        "secretArn": endpoint.secret_arn,
        "database": endpoint.database,
    }


@pytest.fixture
def fresh_pipeline():
    """The process's pipeline, new and exporting nowhere; a test may configure it anew."""
    tenantmetrics.configure(exporters=["none"])
    yield current()
    tenantmetrics.configure(exporters=["none"])


@pytest.fixture
def unused_port():
    """A loopback port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
