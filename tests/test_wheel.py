"""The built wheel, installed where there is no source tree and no extra, does its job."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PROGRAM = """
import tenantmetrics
from botocore.stub import Stubber

client = tenantmetrics.client(
    "rds-data", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
)
with Stubber(client) as stub, tenantmetrics.tenant("acme"):
    stub.add_response("execute_statement", {"records": [[{"longValue": 1}]]})
    client.execute_statement(resourceArn="a" * 20, secretArn="b" * 20, sql="SELECT 1")
print(tenantmetrics.__file__)
stats = tenantmetrics.stats()
print(stats["calls"], stats["unattributed_calls"], stats["losses"])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built with the locked build back end."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bare_python(wheel, tmp_path_factory):
    """A Python with the wheel and its locked core dependencies; no extras, no source tree."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    core = ["--require-hashes", "-r", str(ROOT / "requirements" / "core.txt")]
    subprocess.run([*install, *core], check=True, capture_output=True)
    subprocess.run([*install, "--no-deps", str(wheel)], check=True, capture_output=True)
    return python


def run(python, *arguments, cwd):
    """Run the bare Python away from the source tree, without the environment's Python settings."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(
        [python, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_the_wheel_meters_a_call_with_no_extras(bare_python, tmp_path):
    """The client works from the core alone, and it is the installed one that ran."""
    done = run(bare_python, "-W", "error", "-c", PROGRAM, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    path, figures = done.stdout.splitlines()
    assert path.startswith(str(bare_python.parents[1]))
    assert figures == "1 0 {}"


@pytest.mark.parametrize("command", ["--help", "report", "local", "demo"])
def test_the_command_line_names_the_extra_it_lacks(bare_python, tmp_path, command):
    """One line, a command to run, a non-zero exit: never a traceback."""
    done = run(bare_python, "-m", "tenantmetrics", command, cwd=tmp_path)

    assert done.returncode == 1
    assert "pip install 'tenantmetrics[cli]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_wheel_carries_the_package_its_data_and_nothing_else(wheel):
    """Types, prices, templates, dashboards and alarms travel; tests and benchmarks stay at home."""
    names = zipfile.ZipFile(wheel).namelist()

    assert "tenantmetrics/py.typed" in names
    assert any(name.startswith("tenantmetrics/cost/prices/") for name in names)
    assert any(name.startswith("tenantmetrics/report/templates/") for name in names)
    assert "tenantmetrics/console/_data/dashboards/cloudwatch/fleet.json" in names
    assert "tenantmetrics/console/_data/alarms/cloudformation.yaml" in names
    for folder in ("dashboards", "alarms"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file():
                assert f"tenantmetrics/console/_data/{path.relative_to(ROOT)}" in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]
