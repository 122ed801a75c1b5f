"""The ledger on S3: no row lost, none twice, through outages and through SIGKILL."""

import io
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from dataclasses import replace

import boto3
import pyarrow.parquet as pq
import pytest

from tenantmetrics import ledger
from tenantmetrics.errors import ConfigError
from tenantmetrics.export.base import ExportError
from tenantmetrics.export.fanout import Fanout
from tenantmetrics.export.ledger_s3 import S3LedgerExporter
from tenantmetrics.health import Health

PLENTY = 10**9


def in_s(seconds):
    return time.monotonic() + seconds


@pytest.fixture
def bucket(moto):
    client = boto3.client("s3")
    client.create_bucket(Bucket="ledger")
    yield client
    client.close()


@pytest.fixture
def exporter(tmp_path):
    made = []

    def make(**settings):
        sink = S3LedgerExporter(
            "s3://ledger/prod/metering",
            **{"spool_path": str(tmp_path / "spool"), "spool_bytes": PLENTY, **settings},
        )
        made.append(sink)
        return sink

    yield make
    for sink in made:
        sink.close()


def keys(client):
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="ledger")
    return [one["Key"] for page in pages for one in page.get("Contents", ())]


def rows(client):
    """(writer, sequence, tenant, calls) of every row of the main table; fails on half a file."""
    found = []
    for key in keys(client):
        if "/_statements/" in key:
            continue
        content = client.get_object(Bucket="ledger", Key=key)["Body"].read()
        found += [
            (row["writer"], row["sequence"], row["tenant"], row["calls"])
            for row in pq.read_table(io.BytesIO(content)).to_pylist()
        ]
    return sorted(found)


def expected(*windows):
    return sorted(
        (window.writer, window.sequence, key.tenant, one.calls)
        for window in windows
        for key, one in window.series.items()
    )


def spooled(tmp_path):
    return sorted(path.name for path in (tmp_path / "spool").rglob("*.parquet"))


def test_windows_become_objects_partitioned_by_date_and_hour(bucket, exporter, make_window):
    """One object a window, named as in a folder, under the prefix; the spool is empty after."""
    window = make_window("acme", "bee")
    exporter().export([window], in_s(10))
    assert keys(bucket) == [f"prod/metering/{ledger.file_path(window)}"]
    assert rows(bucket) == expected(window)


def test_a_bucket_without_a_prefix_is_fine(bucket, make_window, tmp_path):
    """The partitions stand at the top."""
    sink = S3LedgerExporter("s3://ledger", spool_path=str(tmp_path / "s"), spool_bytes=PLENTY)
    sink.export([make_window("acme")], in_s(10))
    sink.close()
    assert keys(bucket)[0].startswith("date=2026-11-20/hour=")


def test_an_outage_is_ridden_out_in_order_and_once(
    bucket, moto, answer, exporter, make_window, tmp_path
):
    """S3 is down for a while: every window arrives when it is back, in order, none twice."""
    health = Health()
    fanout = Fanout([exporter()], health)
    windows = [make_window("acme", sequence=number, calls=3 + number) for number in range(12)]
    assert fanout.export(windows[:2], in_s(10))
    down = {3: answer(503), 5: answer(500), 7: answer(trouble="reset")}
    for number in range(2, 9):
        moto.standing = down.get(number, answer(503))
        assert not fanout.export([windows[number]], in_s(0.6))
    assert len(spooled(tmp_path)) == 7
    moto.standing = None
    moto.seen.clear()
    assert fanout.export(windows[9:], in_s(20))
    puts = [seen.path for seen in moto.seen if seen.method == "PUT"]
    assert len(puts) == 10
    assert puts == sorted(puts)
    assert rows(bucket) == expected(*windows)
    assert spooled(tmp_path) == []
    assert fanout.close(in_s(5))
    assert "export_dropped" not in health.counts()


def test_a_backlog_is_sent_without_new_windows(bucket, moto, answer, exporter, make_window):
    """A flush after the outage, with nothing new recorded, delivers what is on disk."""
    fanout = Fanout([exporter()], Health())
    moto.standing = answer(503)
    assert not fanout.export([make_window("acme")], in_s(0.5))
    moto.standing = None
    assert fanout.export((), in_s(10))
    assert rows(bucket) == expected(make_window("acme"))
    assert fanout.close(in_s(5))


def test_a_repeat_after_an_uncertain_answer_changes_nothing(
    bucket, moto, answer, exporter, make_window
):
    """S3 took the object and the answer was lost: sent again under the same key."""
    window = make_window("acme")
    sink = exporter()
    forward = moto.forward

    def taken_but_not_told(*request):
        forward(*request)
        moto.forward = forward
        return answer(trouble="reset")

    moto.forward = taken_but_not_told
    with pytest.raises(ExportError) as caught:
        sink.export([window], in_s(10))
    assert (caught.value.kept, caught.value.behind) == ((window,), True)
    sink.export((), in_s(10))
    assert rows(bucket) == expected(window)


def test_what_a_dead_process_left_is_sent_by_the_next(
    bucket, moto, answer, exporter, make_window, tmp_path
):
    """Its lock is free: its windows are adopted."""
    dead = exporter()
    moto.standing = answer(503)
    with pytest.raises(ExportError):
        dead.export([make_window("acme", sequence=1)], in_s(0.5))
    os.close(dead._spool._lock)  # what the kernel does when a process dies
    dead._spool._lock = None
    moto.standing = None
    exporter().export([make_window("acme", sequence=2)], in_s(10))
    assert rows(bucket) == expected(
        make_window("acme", sequence=1), make_window("acme", sequence=2)
    )
    assert spooled(tmp_path) == []


def test_a_living_process_keeps_its_own(bucket, moto, answer, exporter, make_window, tmp_path):
    """Its lock is held: nobody else touches its windows."""
    alive = exporter()
    moto.standing = answer(503)
    with pytest.raises(ExportError):
        alive.export([make_window("acme", sequence=1)], in_s(0.5))
    moto.standing = None
    exporter().export([make_window("bee", sequence=2)], in_s(10))
    assert rows(bucket) == expected(make_window("bee", sequence=2))
    assert len(spooled(tmp_path)) == 1


def test_a_forked_child_leaves_the_parents_lock_to_the_parent(
    bucket, moto, answer, exporter, make_window, tmp_path
):
    """The child lets go of its copy: the folder stays locked while the parent lives."""
    parent = exporter()
    moto.standing = answer(503)
    with pytest.raises(ExportError):
        parent.export([make_window("acme")], in_s(0.5))
    copy = os.dup(parent._spool._lock)
    kept, parent._spool._lock = parent._spool._lock, copy
    parent.abandon()
    assert parent._spool._lock is None
    parent._spool._lock = kept
    moto.standing = None
    exporter().export((), in_s(10))
    assert keys(bucket) == []
    assert len(spooled(tmp_path)) == 1


def test_past_its_size_the_oldest_windows_go_and_their_calls_are_counted(
    aws, server, answer, exporter, make_window, tmp_path, eventually
):
    """An outage without end takes no more disk than it may; every call that goes is counted."""
    server.standing = answer(503)
    health = Health()
    window = make_window("acme")
    fanout = Fanout([exporter(spool_bytes=40_000)], health)
    for number in range(12):
        assert not fanout.export([make_window("acme", sequence=number, calls=5)], in_s(0.4))

    def size():
        return sum(path.stat().st_size for path in (tmp_path / "spool").rglob("*.parquet"))

    # The lane trims when its try has failed, which on a busy machine is after its deadline.
    eventually(lambda: spooled(tmp_path)[-1].endswith("00000011.v2.parquet"))
    eventually(lambda: 0 < size() <= 40_000)
    eventually(lambda: health.counts().get("export_dropped") == 5 * (12 - len(spooled(tmp_path))))
    fanout.close(in_s(0.2))
    assert window


def test_a_full_disk_sends_directly(bucket, exporter, make_window, monkeypatch):
    """No spool, and S3 is there: the window goes."""
    sink = exporter()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sink._spool, "keep", full)
    sink.export([make_window("acme")], in_s(10))
    assert rows(bucket) == expected(make_window("acme"))


def test_somebody_elses_spool_folder_is_refused(tmp_path, monkeypatch):
    """A folder in /tmp that another user made could feed us files."""
    (tmp_path / "spool").mkdir()
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        S3LedgerExporter("s3://ledger", spool_path=str(tmp_path / "spool"), spool_bytes=1)


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "s3://b/p?x=1"])
def test_a_url_without_a_bucket_is_refused(url, tmp_path):
    """The error shows the form to write."""
    with pytest.raises(ConfigError, match="s3://BUCKET/PREFIX"):
        S3LedgerExporter(url, spool_path=str(tmp_path), spool_bytes=1)


WRITER = textwrap.dedent("""
    import sys, time
    import tenantmetrics
    from benchmarks._stub import CLUSTER, SECRET, client

    tenantmetrics.configure(
        exporters=["ledger:s3://ledger/kill"], spool_path=sys.argv[1], export_spread_s=0
    )
    rds = tenantmetrics.instrument(client())
    print("up", flush=True)
    number = 0
    while True:
        with tenantmetrics.tenant(f"{sys.argv[2]}-{number}"):
            rds.execute_statement(resourceArn=CLUSTER, secretArn=SECRET, sql="SELECT 1")
        # Told before the window closes: what was told and is missing was in the current window.
        print(number, flush=True)
        if number % 5 == 4:
            tenantmetrics.flush(10)
            print(f"flushed {number}", flush=True)
        number += 1
""")


@pytest.mark.parametrize("kills", [2, pytest.param(100, marks=pytest.mark.long)], ids=["2", "100"])
def test_sigkill_loses_the_current_window_at_most_and_doubles_nothing(bucket, tmp_path, kills):
    """Killed at random moments: no half file, all that was flushed is there, nothing twice."""
    rng = random.Random(kills)
    spool = str(tmp_path / "spool")
    told = {}
    for run in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, spool, str(run)], stdout=subprocess.PIPE, text=True
        )
        process.stdout.readline()
        lines = []
        stop_at = rng.randint(1, 25)
        for line in process.stdout:
            lines.append(line.strip())
            if len(lines) >= stop_at:
                break
        if rng.random() < 0.5:
            select_wait(process, rng.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        lines += [line.strip() for line in process.stdout]
        process.wait()
        process.stdout.close()
        told[run] = lines
    last = S3LedgerExporter("s3://ledger/kill", spool_path=spool, spool_bytes=PLENTY)
    last.export((), in_s(60))
    last.close()

    tenants = [tenant for _, _, tenant, _ in rows(bucket)]
    assert len(tenants) == len(set(tenants))
    there = {key.removeprefix("kill/") for key in keys(bucket)}
    assert all(f"_statements/{key}" in there for key in there if key.startswith("date="))
    calls = [calls for *_, calls in rows(bucket)]
    assert set(calls) == {1}
    for run, lines in told.items():
        flushed = max((int(line.split()[1]) for line in lines if "flushed" in line), default=-1)
        for number in range(flushed + 1):
            assert f"{run}-{number}" in tenants
        recorded = max((int(line) for line in lines if line.isdigit()), default=-1)
        there = {int(t.split("-")[1]) for t in tenants if t.startswith(f"{run}-")}
        # One more may have been recorded than was told.
        assert all(number <= recorded + 1 for number in there)


def select_wait(process, seconds):
    """A moment that falls anywhere in the writer's loop."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def test_a_windows_statements_are_sent_before_its_main_object(
    bucket, moto, exporter, make_window, make_statements
):
    """Whoever finds the main object finds the statements."""
    windows = [
        replace(make_window("acme", sequence=n), statements=make_statements("acme"))
        for n in range(2)
    ]
    exporter().export(windows, in_s(10))
    puts = [seen.path for seen in moto.seen if seen.method == "PUT"]
    below = "/ledger/prod/metering/"
    assert [path.partition("?")[0].replace("%3D", "=") for path in puts if below in path] == [
        f"{below}{path(window)}"
        for window in windows
        for path in (ledger.statements_path, ledger.file_path)
    ]


def test_a_window_is_given_up_with_its_statements_and_counted_once(
    aws, server, answer, exporter, make_window, make_statements, tmp_path
):
    """No file is left without the other, and no call counts twice."""
    server.standing = answer(503)
    health = Health()
    fanout = Fanout([exporter(spool_bytes=40_000)], health)
    for number in range(8):
        window = make_window("acme", sequence=number, calls=5)
        fanout.export([replace(window, statements=make_statements("acme"))], in_s(0.4))
    left = Counter(spooled(tmp_path))
    assert set(left.values()) == {2}
    assert 0 < len(left) < 8
    assert health.counts()["export_dropped"] == 5 * (8 - len(left))
    fanout.close(in_s(0.2))
