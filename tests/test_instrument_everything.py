"""`instrument()` without an argument, and `tenantmetrics-run`: clients that libraries make."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PRELUDE = """
    import sys
    import boto3, botocore.session
    from botocore.awsrequest import AWSResponse

    class Raw:
        def stream(self, **_):
            yield b'{"records": [], "numberOfRecordsUpdated": 0}'

    def call(client):
        client.meta.events.register(
            "before-send.rds-data",
            lambda request, **_: AWSResponse(
                request.url, 200, {"content-type": "application/json"}, Raw()
            ),
        )
        client.execute_statement(
            resourceArn="arn:aws:rds:us-east-1:1:cluster:c",
            secretArn="arn:aws:secretsmanager:us-east-1:1:secret:s", sql="SELECT 1",
        )

    def calls():
        import tenantmetrics
        return tenantmetrics.stats()["calls"]
"""
ENVIRON = {
    "TENANTMETRICS_EXPORTERS": "none",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def run(*command, **more):
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, **ENVIRON, **more},
    )  # fmt: skip


def program(text):
    return textwrap.dedent(PRELUDE) + textwrap.dedent(text)


RUN = (sys.executable, "-c", "import sys; from tenantmetrics.run import main; sys.exit(main())")


def test_every_client_that_is_made_from_then_on_is_metered_once():
    """By boto3's functions, sessions old and new, botocore; undone, the next ones are not."""
    done = run(
        sys.executable,
        "-c",
        program("""
            import tenantmetrics
            old = boto3.Session()
            before = boto3.client("rds-data")
            tenantmetrics.instrument()
            tenantmetrics.instrument()
            call(before)
            assert calls() == 0
            call(boto3.client("rds-data"))
            call(old.client("rds-data"))
            call(boto3.Session().client("rds-data"))
            call(botocore.session.get_session().create_client("rds-data"))
            call(tenantmetrics.client("rds-data"))
            call(tenantmetrics.instrument(boto3.client("rds-data")))
            kept = tenantmetrics.instrument(boto3.Session()).client("rds-data")
            call(kept)
            assert calls() == 7, calls()
            tenantmetrics.uninstrument()
            tenantmetrics.uninstrument()
            call(boto3.client("rds-data"))
            call(boto3.Session().client("rds-data"))
            assert calls() == 7, calls()
            call(kept)
            assert calls() == 8, calls()
        """),
    )
    assert done.returncode == 0, done.stderr


def test_a_program_runs_metered_as_it_is(tmp_path):
    """As a file, with -m, by its interpreter's name; arguments and exit code are its own."""
    (tmp_path / "app.py").write_text(
        program("""
            call(boto3.client("rds-data"))
            print(calls(), sys.argv[1:])
            sys.exit(7)
        """)
    )
    path = f"{tmp_path}:{Path.cwd()}"
    for command in (
        [sys.executable, str(tmp_path / "app.py")],
        [sys.executable, "-m", "app"],
        ["-m", "app"],
        [str(tmp_path / "app.py")],
    ):
        done = run(*RUN, *command, "--flag", "a b", PYTHONPATH=path)
        assert (done.returncode, done.stdout) == (7, "1 ['--flag', 'a b']\n"), done.stderr


def test_the_program_gets_the_signals(tmp_path):
    """It has taken the process's place."""
    script = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert run(*RUN, sys.executable, "-c", script).returncode == -signal.SIGTERM


def test_the_machines_own_sitecustomize_runs_too(tmp_path):
    """Ours stands in front of it. And a program without botocore loads nothing of ours."""
    (tmp_path / "sitecustomize.py").write_text("print('theirs')")
    script = "import sys; print('tenantmetrics' in sys.modules)"
    done = run(*RUN, sys.executable, "-c", script, PYTHONPATH=f"{tmp_path}:{Path.cwd()}")
    assert done.stdout.endswith("theirs\nFalse\n"), (done.stdout, done.stderr)


def test_a_wrong_setting_is_told_and_the_program_runs(tmp_path):
    """Metering is not worth a program that does not start."""
    script = program("call(boto3.client('rds-data')); print('ran')")
    done = run(*RUN, sys.executable, "-c", script, TENANTMETRICS_WINDOW_S="7")
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "tenantmetrics-run: not metered, because ConfigError: window_s" in done.stderr


@pytest.mark.parametrize(("command", "code"), [((), 2), (("no-such-command",), 127)])
def test_what_cannot_be_run_is_said(command, code):
    """With the exit codes of shells."""
    done = run(*RUN, *command)
    assert done.returncode == code
    assert "tenantmetrics-run" in done.stderr
