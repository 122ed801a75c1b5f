"""Ledgers to bill, written by the real exporter."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pyarrow.parquet as pq
import pytest

from tenantmetrics import ledger as ledger_format
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import Series, SeriesKey, Source, Window
from tenantmetrics.statement_table import StatementTable


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Where `write_hour` writes."""
    return tmp_path / "ledger"


@pytest.fixture
def write_hour(ledger: Path) -> Callable[..., Path]:
    """Write one window: `write_hour("2026-11-20T21:00", {"acme": (calls, ms)})`; its file."""
    count = iter(range(10**6))

    def write(
        start: str,
        tenants: Mapping[str, tuple[int, int]],
        *,
        outcome: str = "ok",
        losses: Mapping[str, int] | None = None,
        writer: str = "host-1",
        length_s: int = 60,
    ) -> Path:
        series = {
            SeriesKey(tenant, "ExecuteStatement", outcome, Source.SESSION, "arn:x", "app"): Series(
                calls=calls,
                duration_ns=milliseconds * 1_000_000,
                attempts=calls,
                request_bytes=calls * 100,
                response_bytes=calls * 1_000,
                billed_requests=calls,
                rows_returned=calls * 10,
                rows_written=calls,
                scale=4,
                buckets={300: calls},
            )
            for tenant, (calls, milliseconds) in tenants.items()
        }
        start_s = int(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp())
        window = Window(start_s, length_s, writer, next(count), series, dict(losses or {}))
        before = set(ledger.rglob("*.parquet"))
        LedgerExporter(ledger).export([window], float("inf"))
        (made,) = set(ledger.rglob("*.parquet")) - before
        return made

    return write


@pytest.fixture
def bucket(aws_account):
    """An S3 of the test's own, with an empty bucket."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="books")
    yield client
    client.close()


@pytest.fixture
def upload(bucket, ledger):
    """Put the folder's ledger under a prefix of the bucket."""

    def put(prefix="prod/ledger"):
        for file in ledger.rglob("*.parquet"):
            bucket.upload_file(str(file), "books", f"{prefix}/{file.relative_to(ledger)}")
        return f"s3://books/{prefix}"

    return put


@pytest.fixture
def as_version_1() -> Callable[[Path], Path]:
    """Make a file one that a release with the ledger's first version wrote; its new path."""

    def rewrite(path: Path) -> Path:
        old = path.with_name(path.name.replace(".v2.", ".v1."))
        table = pq.ParquetFile(path).read().drop_columns(list(ledger_format.columns_added(1)))
        pq.write_table(table, old, compression="zstd")
        path.unlink()
        return old

    return rewrite


ARN = "arn:aws:rds:us-east-1:123456789012:cluster:shared"
START_S = 1_795_168_800  # 2026-11-20 10:00 UTC
MS = 1_000_000
LOOK_UP, HEAVY, SET = 11, 22, 33
CALLS = {"chatty": (LOOK_UP, 2_000, 0), "heavy": (HEAVY, 40, 300)}
"""By tenant: statement, calls, milliseconds of work a call."""


@pytest.fixture
def worked_ledger(ledger):
    """Two hours of a chatty and a heavy tenant behind 20 ms of overhead a call."""
    source = random.Random(5)
    for hour in range(2):
        table, series = StatementTable(), {}
        for tenant, (number, calls, work_ms) in CALLS.items():
            total = 0
            for fingerprint, count, ms, kind in (
                (number, calls, work_ms, "work"),
                (SET, 300, 0, "workless"),
            ):
                each = [int((source.gauss(20, 3) + ms) * MS) for _ in range(count)]
                us2 = sum((ns // 1000) ** 2 for ns in each)
                key = (ARN, "app", fingerprint, f"SELECT s{fingerprint}", kind)
                table.add(tenant, key, count, sum(each), us2, 0, count, count, count, 0)
                total += sum(each)
            one = calls + 300
            series[SeriesKey(tenant, "ExecuteStatement", "ok", Source.SESSION, ARN, "app")] = (
                Series(calls=one, duration_ns=total, attempts=one, billed_requests=one)
            )
        window = Window(START_S + hour * 3600, 3600, "host-1", hour, series, {}, statements=table)
        LedgerExporter(ledger).export([window], float("inf"))
    return ledger
