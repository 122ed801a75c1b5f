"""`tenantmetrics local`, as a process."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

import boto3
import psutil
import pytest

from tenantmetrics.cli import main

COMMAND = [sys.executable, "-m", "tenantmetrics", "local"]


@pytest.fixture
def start():
    """Start the command; returns the process and what it printed up to "Ctrl-C"."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [*COMMAND, "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if "Ctrl-C" in line:
                break
        return process, lines

    yield start
    for process in started:
        process.kill()
        process.communicate()


def exported(lines):
    """The variables it tells to export."""
    pairs = [line.removeprefix("export ") for line in lines if line.startswith("export ")]
    return dict(pair.split("=", 1) for pair in pairs)


def arn(lines, kind):
    return next(line.split()[2] for line in lines if line.startswith(f"# {kind}"))


def descendants(process):
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_what_to_export_serves_and_stops_clean(start, number):
    """The environment is enough for boto3; a signal ends it with status 0 and no process left."""
    process, lines = start("--role", "app")
    environment = exported(lines)
    assert set(environment) >= {"AWS_ENDPOINT_URL_RDS_DATA", "AWS_ACCESS_KEY_ID"}
    client = boto3.client(
        "rds-data",
        endpoint_url=environment["AWS_ENDPOINT_URL_RDS_DATA"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    response = client.execute_statement(
        resourceArn=arn(lines, "resourceArn"),
        secretArn=arn(lines, "secretArn"),
        sql="SELECT 'hidden'",
    )
    client.close()
    assert response["records"] == [[{"stringValue": "hidden"}]]
    assert any("(role app)" in line for line in lines)
    children = descendants(process)
    process.send_signal(number)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert not psutil.wait_procs(children, timeout=20)[1]
    (entry,) = [json.loads(line) for line in log.splitlines()]
    assert (entry["event"], entry["operation"], entry["status"]) == (
        "request",
        "ExecuteStatement",
        200,
    )
    assert "hidden" not in log


@pytest.mark.parametrize(
    "delay_s",
    [0.7, *(pytest.param(n / 10, marks=pytest.mark.long) for n in range(1, 20))],
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_starts_leaves_no_process(number, delay_s):
    """At whatever point it comes."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    threading.Event().wait(delay_s)
    children = descendants(process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    # Before the command's own code runs, the interpreter ends as interpreters do: 1 or the signal.
    assert process.returncode in {0, 1, 130, -number}
    assert "Traceback" not in errors or "KeyboardInterrupt" in errors
    assert not psutil.wait_procs(children, timeout=20)[1]


def run(*arguments):
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_port_in_use_is_one_line_and_no_success():
    """It says which, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("--port", str(port))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"port {port}" in done.stderr
    assert "--port" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--fault", "Nonsense"], "unknown fault"),
        (["--pool", "x"], "pool"),
        (["--clusters", "/nowhere.toml"], "nowhere.toml"),
        (["--postgres", "postgresql://127.0.0.1:1/x"], "cannot be reached"),
        (["--verify", "key"], "KEY:SECRET"),
        (["--clusters", "a.toml", "--postgres", "x"], "--clusters"),
        (["--host", "203.0.113.1", "--port", "0"], "cannot listen"),
        (["--host", "a..b", "--port", "0"], "'a..b' is not a host name"),
    ],
)
def test_a_wrong_option_is_one_line_and_no_success(arguments, complaint, monkeypatch, capsys):
    """No traceback, nothing left running; a program of its own is started by the test above."""
    port = ["--port", "0"] if "--port" not in arguments else []
    monkeypatch.setattr(sys, "argv", ["tenantmetrics", "local", *port, *arguments])
    running = psutil.Process().children(recursive=True)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
            signal.signal(number, handler)
    errors = capsys.readouterr().err + str(ended.value.code)
    assert ended.value.code not in {0, None}
    assert complaint in errors
    assert errors.count("\n") == 0
    assert psutil.Process().children(recursive=True) == running


def test_it_says_so_when_others_can_reach_it(start):
    """Loopback only unless told otherwise."""
    process, _ = start("--host", "0.0.0.0")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert "warning: listening on 0.0.0.0" in errors


def test_faults_and_version_reach_the_endpoint(start):
    """As given on the command line."""
    _, lines = start("--v1", "--fault", "ExecuteStatement:ThrottlingException:count=1", "--any-arn")
    client = boto3.client(
        "rds-data",
        endpoint_url=exported(lines)["AWS_ENDPOINT_URL_RDS_DATA"],
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    other = "arn:aws:rds:us-east-1:1:cluster:other"
    response = client.execute_statement(
        resourceArn=other, secretArn=other, sql="SELECT 1; SELECT 2"
    )
    client.close()
    assert response["ResponseMetadata"]["RetryAttempts"] == 1


def test_help_is_fast_and_loads_no_server():
    """The server's libraries are loaded when it runs."""
    code = (
        "import sys; from tenantmetrics.cli import app;"
        "sys.exit(bool({'psycopg', 'uvicorn'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=dict(os.environ))
