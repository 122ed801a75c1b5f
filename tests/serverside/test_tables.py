"""The server's tables: real Parquet in a folder and on moto's S3."""

from __future__ import annotations

import boto3
import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.errors import LedgerError
from tenantmetrics.serverside import tables
from tenantmetrics.serverside.tables import ACTIVITY, DB_LOAD, STATEMENTS

ARN = "arn:aws:rds:us-east-1:123456789012:cluster:shop"
SOURCE = tables.source_id(ARN)
HOUR = 3_600
NOON = 1_795_867_200  # 2026-11-28 12:00:00 UTC


def statement(start_s, end_s, **more):
    return {
        "start_s": start_s,
        "end_s": end_s,
        "resource_arn": ARN,
        "database": "app",
        "fingerprint": 7,
        "queryid": -9,
        "summary": "SELECT bookings",
        "calls": 3,
        "exec_ns": 2**53 + 1,
        "rows": 4,
        "blocks_read": 5,
        "blocks_hit": 6,
        "gap": "",
    } | more


def load(start_s, instance="shop-1"):
    return {
        "start_s": start_s,
        "period_s": HOUR,
        "resource_arn": ARN,
        "instance": instance,
        "load_aas": 1.5,
        "cpu_aas": 1.0,
        "non_cpu_aas": 0.5,
    }


@pytest.fixture(params=["folder", "s3"])
def ledger(request, tmp_path):
    if request.param == "folder":
        return tmp_path / "ledger"
    request.getfixturevalue("aws_account")
    boto3.client("s3").create_bucket(Bucket="usage")
    return "s3://usage/prod"


def test_of_one_stretch_in_two_ledgers_of_a_folder_the_file_with_more_counts(tmp_path):
    """Who asked before the hour was over was told of fewer instances."""
    tables.write(tmp_path / "a", DB_LOAD, NOON, SOURCE, [load(NOON)])
    two = [load(NOON), load(NOON, "shop-2")]
    tables.write(tmp_path / "b", DB_LOAD, NOON, SOURCE, two)
    tables.write(tmp_path / "c", DB_LOAD, NOON, SOURCE, [load(NOON)])
    assert tables.read(tmp_path, DB_LOAD, NOON, NOON + HOUR).to_pylist() == two
    tables.write(tmp_path / "c", STATEMENTS, NOON, SOURCE, [statement(NOON, NOON + 300)])
    tables.write(tmp_path, STATEMENTS, NOON + 60, SOURCE, [statement(NOON + 60, NOON + 360)])
    with pytest.raises(LedgerError, match="twice"):
        tables.read(tmp_path, STATEMENTS, NOON, NOON + HOUR)


@pytest.mark.parametrize("load", [-1.0, float("nan"), float("inf")])
def test_a_load_that_cannot_be_is_refused(tmp_path, load):
    """Divided by, it would be a figure."""
    row = {
        "start_s": 1_795_168_800, "period_s": 60, "resource_arn": "a", "instance": "i",
        "load_aas": load, "cpu_aas": 0.0, "non_cpu_aas": 0.0,
    }  # fmt: skip
    tables.write(tmp_path, tables.DB_LOAD, row["start_s"], "test", [row])
    with pytest.raises(LedgerError, match=r"_server/db_load has load_aas .* 2026-11-20 10:00:00"):
        tables.read(tmp_path, tables.DB_LOAD, row["start_s"], row["start_s"] + 60)


def test_what_is_written_is_read_to_the_last_bit(ledger):
    """Integers beyond a double's reach, in a folder and on S3, under the name that is promised."""
    row = statement(NOON, NOON + 300)
    address = tables.write(ledger, STATEMENTS, NOON, SOURCE, [row])
    assert address == (
        f"{ledger}/_server/statements/date=2026-11-28/20261128T120000Z-{SOURCE}.v1.parquet"
    )
    assert tables.read(ledger, STATEMENTS, NOON, NOON + 300).to_pylist() == [row]


def test_a_stretch_written_again_replaces_itself(ledger):
    """A repeat counts once; the later one is what is there."""
    tables.write(ledger, STATEMENTS, NOON, SOURCE, [statement(NOON, NOON + 60)])
    tables.write(ledger, STATEMENTS, NOON, SOURCE, [statement(NOON, NOON + 90, calls=8)])
    rows = tables.read(ledger, STATEMENTS, NOON, NOON + HOUR).to_pylist()
    assert [row["calls"] for row in rows] == [8]


def test_a_period_has_what_overlaps_it_and_no_more(ledger):
    """A stretch that began the day before is there; one that ended as the period began is not."""
    midnight = NOON + 12 * HOUR
    for start_s, end_s in [
        (NOON, midnight - 60),
        (midnight - 60, midnight + 60),
        (midnight + 60, midnight + HOUR),
    ]:
        tables.write(ledger, STATEMENTS, start_s, SOURCE, [statement(start_s, end_s)])
    rows = tables.read(ledger, STATEMENTS, midnight, midnight + 60).to_pylist()
    assert [row["start_s"] for row in rows] == [midnight - 60]
    assert tables.read(ledger, STATEMENTS, 0, 300).num_rows == 0


def test_a_cluster_can_be_asked_for_alone(ledger):
    """Two clusters in one ledger do not meet in a file."""
    other = ARN.replace("shop", "other")
    tables.write(ledger, DB_LOAD, NOON, SOURCE, [load(NOON), load(NOON, "shop-2")])
    tables.write(
        ledger, DB_LOAD, NOON, tables.source_id(other), [load(NOON) | {"resource_arn": other}]
    )
    rows = tables.read(ledger, DB_LOAD, NOON, NOON + 1, resource_arn=ARN).to_pylist()
    assert [row["instance"] for row in rows] == ["shop-1", "shop-2"]
    assert tables.read(ledger, DB_LOAD, NOON, NOON + 1).num_rows == 3


def test_a_table_nobody_wrote_is_empty(ledger):
    """No folder is no error: the columns are there."""
    rows = tables.read(ledger, ACTIVITY, NOON, NOON + HOUR)
    assert rows.num_rows == 0
    assert rows.column_names == [column.name for column in ACTIVITY.columns]


def test_stretches_within_an_hour_are_summed_up_to_one(tmp_path):
    """Sums stay; the turn of an hour, a gap and a hole keep stretches apart."""
    late = NOON + HOUR - 100
    stretches = [
        (NOON, NOON + 300, {}),
        (NOON + 300, NOON + 600, {"queryid": 5, "calls": 2**62}),
        (NOON + 600, NOON + 900, {}),
        (NOON + 900, NOON + 960, {"gap": "reset"}),
        (NOON + 960, NOON + 1200, {}),
        (NOON + 1500, NOON + 1800, {}),
        (late, late + 300, {}),
        (late + 300, late + 600, {}),
    ]
    for start_s, end_s, more in stretches:
        tables.write(tmp_path, STATEMENTS, start_s, SOURCE, [statement(start_s, end_s, **more)])
    written = tables.read(tmp_path, STATEMENTS, NOON, NOON + 2 * HOUR, as_written=True)
    assert written.num_rows == 8
    found = tables.read(tmp_path, STATEMENTS, NOON, NOON + 2 * HOUR)
    assert found.schema == written.schema
    rows = [
        (row["start_s"] - NOON, row["end_s"] - NOON, row["queryid"], row["calls"], row["gap"])
        for row in found.to_pylist()
    ]
    assert sorted(rows) == [
        (0, 900, -9, 6, ""),
        (0, 900, 5, 2**62, ""),
        (900, 960, -9, 3, "reset"),
        (960, 1200, -9, 3, ""),
        (1500, 1800, -9, 3, ""),
        (3500, 3800, -9, 3, ""),
        (3800, 4100, -9, 3, ""),
    ]
    of_written = sum(written.column("exec_ns").to_pylist())
    assert sum(found.column("exec_ns").to_pylist()) == of_written
    holes = [
        tables.uncovered(part, NOON, NOON + HOUR, resource_arn=ARN) for part in (found, written)
    ]
    assert holes[0] == holes[1]


def test_two_series_of_one_cluster_are_refused(ledger):
    """Both would count: the read says from when, and of which cluster."""
    tables.write(ledger, STATEMENTS, NOON, SOURCE, [statement(NOON, NOON + 300)])
    tables.write(ledger, STATEMENTS, NOON + 299, SOURCE, [statement(NOON + 299, NOON + 600)])
    with pytest.raises(LedgerError, match=r"shop' are there twice from 2026-11-28 12:04:59 UTC"):
        tables.read(ledger, STATEMENTS, NOON, NOON + HOUR)


def test_seconds_that_nobody_looked_at_are_named():
    """A file that is missing in the middle shows as a hole; what cuts a border does not."""
    stretches = [(-30, 300), (300, 600), (900, 1200)]
    rows = pa.Table.from_pylist([statement(NOON + s, NOON + e) for s, e in stretches])
    found = tables.uncovered(rows, NOON, NOON + HOUR, resource_arn=ARN)
    assert found == [(NOON + 600, NOON + 900), (NOON + 1200, NOON + HOUR)]
    assert tables.uncovered(rows, NOON, NOON + 300, resource_arn="other") == [(NOON, NOON + 300)]


@given(st.sets(st.integers(0, 40), max_size=20), st.integers(0, 40), st.integers(1, 40))
def test_holes_and_rows_make_the_whole_period(minutes, first, length):
    """Whatever is there: each second of the period is in a row or in one hole."""
    seconds = [load(minute) | {"period_s": 1} for minute in minutes]
    rows = pa.Table.from_pylist(seconds, tables.arrow_schema(DB_LOAD))
    holes = tables.uncovered(rows, first, first + length, resource_arn=ARN)
    open_seconds = [second for start, end in holes for second in range(start, end)]
    assert open_seconds == [s for s in range(first, first + length) if s not in minutes]


def test_other_tools_read_it_and_the_path_tells_them_the_date(tmp_path):
    """DuckDB, with the partition in the path."""
    tables.write(tmp_path, STATEMENTS, NOON, SOURCE, [statement(NOON, NOON + 300)])
    found = duckdb.sql(
        "SELECT date::varchar, sum(exec_ns)::bigint FROM "
        f"read_parquet('{tmp_path}/_server/statements/**/*.parquet', hive_partitioning=true) "
        "GROUP BY 1"
    ).fetchall()
    assert found == [("2026-11-28", 2**53 + 1)]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("copy of x.parquet", b"", "not a table of the server's load"),
        ("20261128T120000Z-x.v2.parquet", b"", "written by a newer tenantmetrics"),
        ("20261328T120000Z-x.v1.parquet", b"", "names no time"),
        ("20261128T120000Z-x.v1.parquet", b"PAR1 half a file", "cannot be read"),
    ],
)
def test_what_does_not_belong_there_is_named(tmp_path, name, content, says):
    """Nothing is passed over in silence: each of these would change a bill."""
    folder = tmp_path / "_server/statements/date=2026-11-28"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    with pytest.raises(LedgerError, match=says):
        tables.read(tmp_path, STATEMENTS, NOON, NOON + HOUR)


def test_another_tables_file_is_refused(tmp_path):
    """Columns are compared, not guessed."""
    written = tables.write(tmp_path, DB_LOAD, NOON, SOURCE, [load(NOON)])
    target = tmp_path / tables.file_path(STATEMENTS, NOON, SOURCE)
    target.parent.mkdir(parents=True)
    (tmp_path / written).rename(target)
    with pytest.raises(LedgerError, match="has other columns than start_s, end_s"):
        tables.read(tmp_path, STATEMENTS, NOON, NOON + HOUR)


def test_a_file_under_construction_is_passed_over(tmp_path):
    """What a crash left behind begins with a dot."""
    written = tables.write(tmp_path, DB_LOAD, NOON, SOURCE, [load(NOON)])
    folder = (tmp_path / written).parent
    (folder / ".20261128T130000Z-x.v1.parquet.tmp").write_bytes(b"PAR1")
    assert tables.read(tmp_path, DB_LOAD, NOON, NOON + HOUR).num_rows == 1


def test_a_place_that_cannot_be_written_is_one_line(tmp_path, aws_account):
    """A file where a folder is needed; a bucket that is not there; no ledger at all."""
    (tmp_path / "file").write_text("")
    for ledger, says in [
        (tmp_path / "file", "cannot be written"),
        ("s3://nobodys/x", "cannot be written: NoSuchBucket"),
        ("https://x/y", "give a folder or s3://bucket/prefix"),
    ]:
        with pytest.raises(LedgerError, match=says) as caught:
            tables.write(ledger, DB_LOAD, NOON, SOURCE, [load(NOON)])
        assert "\n" not in str(caught.value)


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_sources_name_is_safe_in_a_path(arn, more):
    """Whatever a cluster is called, the name is one part of a path, and not too long."""
    name = tables.source_id(arn, more)
    assert "/" not in name
    assert not name.startswith(".")
    assert len(name.encode()) <= 69
