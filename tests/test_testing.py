"""The pytest plugin, as another project uses it."""

import subprocess
import sys

import pytest

SUITE = """
import pytest

@pytest.mark.parametrize("turn", [1, 2])
def test_a_fresh_database(data_api, turn):
    call = data_api.client.execute_statement
    call(**data_api.arguments, sql="CREATE TABLE only_mine (id int)")
    response = call(**data_api.arguments, sql="SELECT current_database()::text")
    assert response["records"] == [[{"stringValue": data_api.database}]]

def test_faults_do_not_stay_1(data_api):
    data_api.endpoint.faults.add("ThrottlingException")

def test_faults_do_not_stay_2(data_api):
    data_api.client.execute_statement(**data_api.arguments, sql="SELECT 1")

def test_a_direct_connection(data_api):
    import psycopg
    with psycopg.connect(data_api.psycopg_url) as connection:
        assert connection.info.dbname == data_api.database
"""


@pytest.mark.parametrize("how", ["conftest", "option"])
def test_another_project_gets_an_endpoint_a_database_and_a_client(tmp_path, how):
    """By one line in its conftest.py, or by -p; each test has a database of its own."""
    (tmp_path / "test_theirs.py").write_text(SUITE)
    if how == "conftest":
        (tmp_path / "conftest.py").write_text('pytest_plugins = ["tenantmetrics.testing"]\n')
    options = ["-p", "tenantmetrics.testing"] if how == "option" else []
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", *options, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_the_plugin_loads_no_extra_until_asked():
    """A project that lacks them can load it."""
    code = (
        "import sys; import tenantmetrics.testing;"
        "sys.exit(bool({'psycopg', 'uvicorn', 'uvloop', 'typer'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
