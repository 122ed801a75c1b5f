"""Samples of pg_stat_activity: sessions that really work, of both PostgreSQLs."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager

import boto3
import psycopg
import pytest
from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.config import load
from tenantmetrics.errors import ServerLoadError
from tenantmetrics.serverside import tables
from tenantmetrics.serverside.activity import Reader, Work, requests_a_month, run
from tenantmetrics.serverside.sql import DataApi, Postgres
from tenantmetrics.serverside.tables import ACTIVITY
from tenantmetrics.sqltext.fingerprint import fingerprint

ARN = "arn:aws:rds:us-east-1:123456789012:cluster:shop"
NOON = 1_795_867_200
SLEEP = "SELECT pg_sleep(600)"


@contextmanager
def working(server, *sessions):
    """Sessions (application_name, text) that work for as long as the block lasts."""
    connections = [
        psycopg.connect(server.url("app"), application_name=name, autocommit=True)
        for name, _ in sessions
    ]

    def work(connection, text):
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute(text)

    threads = [
        threading.Thread(target=work, args=(connection, text))
        for connection, (_, text) in zip(connections, sessions, strict=True)
    ]
    for thread in threads:
        thread.start()
    pids = [connection.info.backend_pid for connection in connections]
    with psycopg.connect(server.url("app"), autocommit=True) as watcher:
        active = (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE pid = ANY(%s) AND state = 'active' AND wait_event = 'PgSleep'"
        )
        while watcher.execute(active, [pids]).fetchone()[0] < len(sessions):
            pass
        try:
            yield
        finally:
            for connection, thread in zip(connections, threads, strict=True):
                connection.cancel_safe()
                thread.join()
                connection.close()


def test_a_session_is_its_comments_tenants_or_its_applications(server):
    """The comment wins; drivers and tools are nobody; two that disagree are nobody's."""
    with (
        Postgres(server.url("app")) as database,
        working(
            server,
            ("acme", SLEEP),
            ("acme", SLEEP + " /*tenant_id='bee'*/"),
            ("rds-data-api", SLEEP + " /* just a remark */"),
            ("psql", "/*tenant_id='cee',tenant='dee'*/ " + SLEEP),
        ),
    ):
        reader = Reader(load())
        reader.check(database)
        found = reader.look(database)
    slept = fingerprint(SLEEP)
    assert found == Counter({Work("acme", slept): 1, Work("bee", slept): 1, Work("", slept): 2})


def test_applications_may_be_named_by_a_pattern(debian_server):
    """The first group is the tenant; any other name is nobody's."""
    with (
        Postgres(debian_server.url("app")) as database,
        working(debian_server, ("shop:acme", SLEEP), ("batch", SLEEP)),
    ):
        found = Reader(load(), re.compile("shop:(.+)")).look(database)
    assert {work.tenant for work in found} == {"acme", ""}


def test_more_texts_than_a_page_has_are_in_the_sum(debian_server):
    """What is past the page names nobody, and is counted."""

    class Crowd:
        def rows(self, sql, values=None):
            return [["acme", "SELECT 1", 3, 10], ["bee", "SELECT 2", 2, 10]]

    found = Reader(load()).look(Crowd())
    assert found.total() == 10
    assert found[Work("", 0)] == 5


class Clock:
    """A clock that only `wait` moves."""

    def __init__(self, now_s):
        self.now_s = now_s

    def __call__(self):
        return self.now_s

    def wait(self, seconds):
        self.now_s += seconds


class Script:
    """A database whose looks are told beforehand; an error is raised, a list is rows."""

    def __init__(self, *looks):
        self.looks = list(looks)

    def rows(self, sql, values=None):
        if "pg_has_role" in sql:
            return [[True, "me"]]
        look = self.looks.pop(0) if self.looks else []
        if isinstance(look, BaseException):
            raise look
        return look


def watch(script, ledger, *, start_s=NOON, **more):
    clock = Clock(start_s)
    settings = {"interval_s": 1, "for_s": 600} | more
    return run(script, Reader(load()), ledger, ARN, clock=clock, wait=clock.wait, **settings)


def rows(ledger):
    return tables.read(ledger, ACTIVITY, NOON - 86_400, NOON + 86_400).to_pylist()


def test_stretches_end_with_the_clock_and_count_their_samples(tmp_path):
    """600 s from 12:02:30 on: three stretches, whose samples are the run's."""
    acme = [["acme", "SELECT 1", 2, 2]]
    seen = watch(Script(*[acme] * 150), tmp_path, start_s=NOON + 150)
    found = [(row["start_s"] - NOON, row["period_s"], row["samples"]) for row in rows(tmp_path)]
    assert found == [(150, 150, 150), (300, 300, 300), (600, 149, 150)]
    assert [row["active_samples"] for row in rows(tmp_path)] == [300, 0, 0]
    assert (seen.samples, seen.active, seen.named) == (600, 300, 300)


def test_a_look_that_fails_is_no_idle_look(tmp_path):
    """It is left out of the samples; the run goes on."""
    busy = [["acme", "SELECT 1", 1, 1]]
    failing = ServerLoadError("the Data API cannot be reached: down")
    told = []
    seen = watch(Script(busy, failing, failing, busy), tmp_path, for_s=4, on_failure=told.append)
    assert (seen.samples, seen.active, seen.failed) == (2, 2, 2)
    assert rows(tmp_path)[0]["samples"] == 2
    assert told == ["the Data API cannot be reached: down"] * 2


@pytest.mark.parametrize(
    "failure", [[ServerLoadError("down")] * 5, [KeyboardInterrupt()]], ids=["down", "Ctrl-C"]
)
def test_what_was_seen_is_written_before_a_run_ends_early(tmp_path, failure):
    """Five failures in a row, or Ctrl-C."""
    busy = [["acme", "SELECT 1", 1, 1]]
    with pytest.raises((ServerLoadError, KeyboardInterrupt)):
        watch(Script(busy, busy, *failure), tmp_path)
    assert [row["active_samples"] for row in rows(tmp_path)] == [2]


def test_a_slow_answer_does_not_shift_the_looks_after_it(tmp_path):
    """Looks keep to the beat of the start: one that was missed is missed."""
    clock = Clock(NOON)

    class Slow(Script):
        def rows(self, sql, values=None):
            clock.now_s += 0.0 if "pg_has_role" in sql else 2.5
            return super().rows(sql, values)

    seen = run(
        Slow(), Reader(load()), tmp_path, ARN, interval_s=2, for_s=20, clock=clock, wait=clock.wait
    )
    assert seen.samples == 5


def test_a_role_without_rights_is_told_the_grant(debian_server, tmp_path):
    """Before the first look; nothing is written."""
    debian_server.run("CREATE ROLE meter LOGIN")
    with (
        Postgres(debian_server.url("app", "meter")) as database,
        pytest.raises(ServerLoadError, match='GRANT pg_read_all_stats TO "meter"'),
    ):
        run(database, Reader(load()), tmp_path, ARN, interval_s=1, for_s=10)
    assert list(tmp_path.iterdir()) == []


def test_through_the_data_api_our_own_session_is_not_seen(cluster, aws_at, tmp_path):
    """An idle database is idle, whoever looks."""
    aws_at(cluster.url)
    with DataApi(cluster.resource_arn, cluster.secret_arn, "app") as database:
        assert Reader(load()).look(database) == Counter()


def command(*arguments):
    return CliRunner().invoke(app, ["server-load", "activity", *map(str, arguments)])


def test_the_command_says_what_it_costs_before_it_starts(cluster, aws_at, tmp_path):
    """Through the Data API each look is a request; over a connection none is."""
    aws_at(cluster.url)
    common = ["--ledger", tmp_path, "--interval", "1", "--for", "1s", "--keep-awake"]
    result = command(
        *common,
        *("--resource-arn", cluster.resource_arn, "--secret-arn", cluster.secret_arn),
        *("--database", "app", "--endpoint-url", cluster.url),
    )
    assert result.exit_code == 0, result.output
    assert "all month long they would be 2,628,000, about $0.92" in result.stderr
    assert "wrote 1 samples, 0.00 active sessions on average" in result.stdout
    assert requests_a_month(1) == 2_628_000


def test_a_container_that_is_stopped_writes_what_it_saw(debian_server, tmp_path):
    """SIGTERM ends a run as Ctrl-C does."""
    arguments = [
        *(sys.executable, "-m", "tenantmetrics", "server-load", "activity"),
        *("--ledger", str(tmp_path), "--resource-arn", "shop", "--url", debian_server.url("app")),
        *("--interval", "1", "--for", "1h"),
    ]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        assert "3,600 looks over one connection" in process.stderr.readline()
        with psycopg.connect(debian_server.url("app"), autocommit=True) as watcher:
            # The second look has begun: the first is counted.
            started = (
                "SELECT query_start FROM pg_stat_activity WHERE query LIKE '%backend_type IN%' "
                "AND application_name LIKE 'tenantmetrics%'"
            )
            looks = set()
            while len(looks) < 2:
                looks |= set(watcher.execute(started).fetchall())
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == ""
    assert len(list(tmp_path.rglob("*.parquet"))) == 1


def test_a_cluster_that_may_pause_is_never_kept_awake(aws_account, tmp_path, debian_server):
    """Unless told so; nor one of which that is not known."""
    target = ["--ledger", tmp_path, "--resource-arn", ARN, "--url", debian_server.url("app")]
    often = ["--interval", "1", "--for", "1s"]
    unknown = command(*target, *often)
    assert "would be kept awake, is not known: cluster 'shop'" in str(unknown.exception)
    client = boto3.client("rds")
    client.create_db_cluster(
        DBClusterIdentifier="shop",
        Engine="aurora-postgresql",
        MasterUsername="root",
        MasterUserPassword="hunter2hunter2",
        ServerlessV2ScalingConfiguration={"MinCapacity": 0, "MaxCapacity": 4},
    )
    client.close()
    refused = command(*target, *often)
    assert "a look every 1 s would keep it awake" in str(refused.exception)
    assert list(tmp_path.iterdir()) == []
    told = command(*target, *often, "--keep-awake")
    assert told.exit_code == 0, told.output
    assert "no Data API requests" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--interval"),
        (["--interval", "1"], "--for"),
        (["--interval", "0.1", "--for", "1m"], "--interval"),
        (["--interval", "1", "--for", "soon"], "--for"),
        (["--interval", "1", "--for", "0"], "--for"),
        (["--interval", "1", "--for", "1m", "--application", "("], "does not parse"),
        (["--interval", "1", "--for", "1m", "--application", "shop"], "has no group"),
    ],
)
def test_it_does_nothing_unless_told_how_often_and_how_long(arguments, says, tmp_path, monkeypatch):
    """Exit code 2, and the option by name."""
    monkeypatch.setenv("COLUMNS", "200")
    result = command("--ledger", tmp_path, "--resource-arn", "x", "--url", "x", *arguments)
    assert result.exit_code == 2
    assert says in result.output
