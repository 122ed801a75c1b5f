"""Fixtures for every test, and those that more than one part of the tests needs."""

from __future__ import annotations

import functools
import gc
import http.client
import importlib.util
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import hypothesis
import pytest
import structlog
import typer.main
import typer.testing

import tenantmetrics
from tenantmetrics.errors import LocalApiError
from tenantmetrics.localapi import serve
from tenantmetrics.localapi.programs import installed
from tenantmetrics.process import current
from tests.parts import lacking

_CHROMIUM_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--virtual-time-budget=2000",
)  # fmt: skip


# `make test` gives the same verdict each time; `make test-long` looks at fresh examples, many times
# as many, by a seed that it prints. Tests say how many they want as a part or a multiple of these.
hypothesis.settings.register_profile(
    "repeatable", derandomize=True, database=None, deadline=None, max_examples=60
)
hypothesis.settings.register_profile(
    "fresh", database=None, deadline=None, max_examples=1_000, print_blob=True
)
hypothesis.settings.load_profile("repeatable")

# Each test has a session of boto3's own, which would look for the models of AWS's services and
# parse them anew: half the processor time of tests that ask AWS. Clients of one session share them.
botocore.session.create_loader = functools.cache(botocore.loaders.create_loader)

# Each command that a test runs would build the whole argument tree anew, which a process does once.
typer.main.get_command = typer.testing._get_command = functools.cache(typer.main.get_command)

# A shell starts what it runs in the background with SIGINT ignored, which every child inherits: the
# tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Their tests run in environments of their own: see `test-long` in the Makefile.
collect_ignore = [
    folder
    for folder, module in {"aio": "aiobotocore", "spark": "pyspark"}.items()
    if importlib.util.find_spec(module) is None
]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Spare the garbage collector what the tests' modules leave: none of it ever is garbage.

    It would go over hundreds of megabytes time and again, while they are read and in every test.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """Thaw it: DuckDB's Python counts what is never freed, and would print it after the verdict."""
    gc.unfreeze()


@pytest.fixture(autouse=True, scope="session")
def _no_exporters_by_default():
    """The default is CloudWatch where nothing else is said; a test that wants it says so."""
    os.environ.setdefault("TENANTMETRICS_EXPORTERS", "none")


@pytest.fixture(autouse=True)
def _structlog_as_it_was():
    """`capture_logs` and commands leave structlog configured: the next test must not see it."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What a test's random choices begin with: another each time, and printed where it fails."""
    given = str(request.config.getoption("--hypothesis-seed"))
    chosen = given if given.isdecimal() else str(random.SystemRandom().getrandbits(32))
    print(f"to repeat: pytest {request.node.nodeid!r} --hypothesis-seed={chosen}")  # noqa: T201
    return random.Random(f"{chosen} {request.node.nodeid}").getrandbits(32)


@pytest.fixture
def chromium(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run headless Chromium with arguments and a new profile; skips where there is none."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser")
    if binary is None:
        lacking("headless Chromium is missing: apt-get install -y chromium")
    profile = tmp_path / "chromium-profile"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [binary, *_CHROMIUM_FLAGS, f"--user-data-dir={profile}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    return run


@pytest.fixture
def require_postgres() -> None:
    """Skip where no PostgreSQL is installed, with its extensions."""
    try:
        installed()
    except LocalApiError:
        lacking("no PostgreSQL is installed: apt-get install -y postgresql")


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait until something holds, for 20 seconds at most."""
    waiter = threading.Event()

    def wait(holds: Callable[[], object]) -> None:
        for _ in range(2_000):
            if holds():
                return
            waiter.wait(0.01)
        pytest.fail("does not come to hold within 20 s")

    return wait


@pytest.fixture(scope="session")
def npm_ci(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Install a folder's packages by its lock file, in a copy of it; skips without Node.js."""

    def install(source: Path) -> Path:
        if shutil.which("node") is None or shutil.which("npm") is None:
            lacking("Node.js 20 or later and npm are missing: apt-get install -y nodejs npm")
        folder = tmp_path_factory.mktemp("js")
        shutil.copytree(source, folder, dirs_exist_ok=True)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=folder, check=True, timeout=300)
        return folder

    return install


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """Moto as a server over HTTP, one a test process."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - slow, and few tests need it

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def moto_post(moto_url: str) -> Callable[..., None]:
    """Post a document to moto itself; its state, one for the whole process, is empty at first."""

    def post(path: str, document: Any = None) -> None:
        connection = http.client.HTTPConnection(moto_url.removeprefix("http://"), timeout=30)
        connection.request("POST", path, json.dumps(document), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status < 300, answer.read()
        answer.read()
        connection.close()

    post("/moto-api/reset")
    return post


@pytest.fixture
def aws_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Point boto3's environment at a URL, and at nobody's own credentials."""

    def point(url: str) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": url,
            "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        # The default session remembers the credentials and the region that it once found.
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    return point


@pytest.fixture
def aws_account(
    moto_url: str, moto_post: Callable[..., None], aws_at: Callable[[str], None]
) -> Callable[..., None]:
    """An empty AWS account on moto's server; gives what posts to moto itself."""
    aws_at(moto_url)
    return moto_post


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
