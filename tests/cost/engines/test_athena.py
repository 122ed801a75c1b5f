"""The Athena engine: the same report as DuckDB's, or a clear error, and never a smaller bill."""

from __future__ import annotations

import random
from decimal import Decimal

import boto3
import duckdb
import pytest
from moto.athena.models import QueryResults, athena_backends

from tenantmetrics.cost import Capacity, monthly
from tenantmetrics.cost.engines.athena import Athena
from tenantmetrics.errors import ConfigError, LedgerError, ReportError


class Watch:
    """A clock that only waiting moves."""

    def __init__(self):
        self.now_s = 0.0
        self.waits: list[float] = []

    def __call__(self):
        return self.now_s

    def wait(self, seconds):
        self.waits.append(seconds)
        self.now_s += seconds


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def engine(watch):
    """The engine over the double's table, with a clock of the test's own."""
    return Athena("books.ledger", wait=watch.wait, clock=watch)


@pytest.fixture
def books(ledger, write_hour, upload, athena):
    """Two months' ledger in a bucket, and the Athena over it; its address."""
    chance = random.Random(3)
    for day in range(1, 31, 3):
        tenants = {f"tenant-{n}": (n, chance.randrange(10**6)) for n in chance.sample(range(20), 4)}
        write_hour(f"2026-11-{day:02}T{day % 24:02}:{day:02}", {**tenants, "Ünïcode ✓": (1, 1)})
    write_hour("2026-10-31T23:59", {"acme": (7, 7)})
    write_hour("2026-11-20T10:01", {"acme": (1, 1)}, outcome="BadRequestException")
    write_hour("2026-11-20T10:02", {}, losses={"queue_full": 3})
    return upload("prod")


def test_files_of_version_1_and_2_are_read_together(
    ledger, write_hour, as_version_1, upload, athena, engine
):
    """An upgrade in the middle of a month changes no sum."""
    as_version_1(write_hour("2026-11-20T10:00", {"acme": (1, 1)}))
    write_hour("2026-11-20T10:01", {"acme": (2, 1)})
    asked = {"month": "2026-11", "capacity": Capacity(acu=Decimal("7.5"))}
    there = monthly(upload("prod"), engine=engine, **asked)
    assert there == monthly(ledger, **asked)
    assert sum(line.usage.calls for line in there.lines if line.usage) == 3


@pytest.mark.parametrize("timezone", ["UTC", "Asia/Kolkata"])
def test_athena_and_duckdb_make_the_same_statement(books, ledger, engine, timezone):
    """What was sent is run as Athena's SQL, and comes back in pages and as text."""
    asked = {"month": "2026-11", "timezone": timezone, "capacity": Capacity(acu=Decimal("7.5"))}
    assert monthly(books, engine=engine, **asked) == monthly(ledger, **asked)
    assert monthly(books, engine=engine) == monthly(ledger)


def test_workgroup_database_and_output_travel_with_every_query(books, athena):
    """The workgroup pays, the output is where results go."""
    engine = Athena(
        "books.ledger", workgroup="finance", output="s3://books/results/", wait=lambda _: None
    )
    monthly(books, month="2026-11", engine=engine)
    sent = athena.asked("StartQueryExecution")
    assert len(sent) == 4
    for request in sent:
        assert request["WorkGroup"] == "finance"
        assert request["QueryExecutionContext"] == {"Database": "books"}
        assert request["ResultConfiguration"] == {"OutputLocation": "s3://books/results/"}
    assert not athena.asked("StopQueryExecution")


def test_waits_grow_from_a_fifth_of_a_second_to_five(books, athena, engine, watch):
    """A short query is not waited for long, and a long one is not looked at all the time."""
    athena.looks = 8
    monthly(books, month="2026-11", engine=engine)
    assert watch.waits[:8] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ("FAILED", "query-0 failed: HIVE_BAD_DATA: s3://books/x.parquet is not Parquet"),
        ("CANCELLED", "query-0 cancelled: no reason given"),
    ],
)
def test_a_query_that_ends_badly_is_one_clear_line(books, athena, engine, end, says):
    """Athena's reason, without its line breaks."""
    athena.end = end
    with pytest.raises(LedgerError, match=says) as caught:
        monthly(books, month="2026-11", engine=engine)
    assert "\n" not in str(caught.value)


def test_a_query_past_its_time_is_stopped(books, athena, watch):
    """The deadline is kept to the second, and the query is not left running."""
    athena.looks = 10**6
    engine = Athena("books.ledger", timeout_s=60, wait=watch.wait, clock=watch)
    with pytest.raises(LedgerError, match="still running after 60 s, and was stopped"):
        monthly(books, month="2026-11", engine=engine)
    assert watch.now_s == 60
    assert athena.asked("StopQueryExecution") == [{"QueryExecutionId": "query-0"}]


def test_a_query_that_nobody_waits_for_any_more_is_stopped(books, athena):
    """Ctrl-C does not leave a query running that is paid for."""

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        monthly(books, month="2026-11", engine=Athena("books.ledger", wait=interrupt))
    assert athena.asked("StopQueryExecution") == [{"QueryExecutionId": "query-0"}]


def test_what_athena_refuses_is_said_in_its_words(books, athena, engine):
    """No output location is the commonest of all."""
    athena.refusal = ("InvalidRequestException", "No output location provided.\n")
    with pytest.raises(LedgerError, match=r"cannot be asked: .*No output location") as caught:
        monthly(books, month="2026-11", engine=engine)
    assert "\n" not in str(caught.value)


def test_a_table_that_passes_over_objects_is_refused(books, ledger, athena, engine):
    """A projected range that ends too early would otherwise make a smaller bill."""
    athena.files = f"{ledger}/date=2026-11-0*/hour=*/*.parquet"
    with pytest.raises(LedgerError, match=r"books.ledger passes over 'prod/date=2026-11-1.*range"):
        monthly(books, month="2026-11", engine=engine)


def test_a_table_over_another_ledger_is_refused(books, ledger, write_hour, athena, engine):
    """What it holds is not in the bucket that was named."""
    write_hour("2026-11-21T10:00", {"stranger": (1, 1)}, writer="staging")
    with pytest.raises(LedgerError, match=r"holds window .* of writer 'staging'.*LOCATION"):
        monthly(books, month="2026-11", engine=engine)


def test_a_window_without_rows_is_no_gap(books, ledger, write_hour, upload, engine):
    """The exporter writes one where only its own failures were to report."""
    write_hour("2026-11-21T11:00", {})
    assert monthly(upload("prod"), engine=engine) == monthly(ledger)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("date=2026-11-20/copy/{name}", "is the same window as"),
        ("date=2026-11-20/hour=10/notes.parquet", "is not named as the ledger exporter"),
        ("date=2026-11-20/hour=10/20261120T100000Z-w-00000000.v3.parquet", "upgrade this one"),
        ("date=2026-11-20/hour=10/20261120T100000Z-w-00000000.v1.parquet", "is 0 bytes"),
    ],
)
def test_what_duckdb_would_tell_apart_is_refused_first(books, bucket, engine, key, says, ledger):
    """Athena would count a copy twice, and pass over an empty object without a word."""
    (file,) = ledger.glob("date=2026-11-20/hour=10/*100200Z*")
    body = file.read_bytes() if "name" in key else b""
    bucket.put_object(Bucket="books", Key="prod/" + key.format(name=file.name), Body=body)
    with pytest.raises(LedgerError, match=says):
        monthly(books, month="2026-11", engine=engine)


def test_a_file_without_a_column_is_refused(books, ledger, engine):
    """Athena reads NULL there, which would be summed as nothing."""
    (file,) = ledger.glob("date=2026-11-04/hour=04/*.parquet")
    duckdb.sql(
        f"COPY (SELECT * EXCLUDE (rows_written) FROM read_parquet('{file}', "
        f"hive_partitioning=false)) TO '{file}.new' (FORMAT parquet)"
    )
    file.with_name(f"{file.name}.new").replace(file)
    with pytest.raises(LedgerError, match="5 rows of 2026-11 have no rows_written"):
        monthly(books, month="2026-11", engine=engine)


def test_a_period_without_data_is_told_with_what_is_there(books, engine):
    """As with the other engines, before anything is paid for."""
    with pytest.raises(LedgerError, match=r"nothing for 2026-09 .2026-10-31 to 2026-11-28 is"):
        monthly(books, month="2026-09", engine=engine)


def test_what_the_engine_cannot_do_is_refused(ledger, write_hour, engine):
    """A folder, leaving out broken files, impossible names."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    with pytest.raises(ReportError, match="reads a ledger where it lies"):
        monthly(ledger, engine=engine)
    with pytest.raises(ReportError, match="only the duckdb engine can skip corrupt files"):
        monthly("s3://books/prod", month="2026-11", engine=engine, skip_corrupt=True)
    with pytest.raises(ConfigError, match="table 'a;b' must be"):
        Athena("a;b")
    with pytest.raises(ConfigError, match="output 'results' must be"):
        Athena(output="results")


def test_a_query_longer_than_athena_takes_is_refused(engine, athena):
    """Said before it is sent."""
    with pytest.raises(ReportError, match="longer than Athena's 262144 bytes"):
        engine.run(boto3.client("athena", "us-east-1"), "SELECT" + " " * 262_144)
    assert not athena.requests


def test_motos_athena_takes_the_same_flow(aws_account, engine):
    """Start, states and results by an Athena API that was written by others."""
    client = boto3.client("athena")
    queue = athena_backends["123456789012"]["us-east-1"].query_results_queue
    rows = [["hour", "calls"], ["494303", "7"]]
    data = [{"Data": [{"VarCharValue": value} for value in row]} for row in rows]
    queue.append(QueryResults(data, []))
    try:
        assert engine.run(client, "SELECT 1") == [("494303", "7")]
        (query,) = client.list_query_executions()["QueryExecutionIds"]
        asked = client.get_query_execution(QueryExecutionId=query)["QueryExecution"]
        assert asked["QueryExecutionContext"]["Database"] == "books"
        assert asked["WorkGroup"] == "primary"
    finally:
        client.close()


def test_compute_is_divided_by_server_time_as_duckdb_does(worked_ledger, upload, athena, engine):
    """The sums by statement come back from the second table, and are the same."""
    asked = {"month": "2026-11", "top_statements": 1, "top_statements_of": ["heavy", "it's"]}
    there = monthly(upload("prod"), engine=engine, **asked)
    assert there == monthly(worked_ledger, **asked)
    assert there.server_time.methods[0].method == "record"
    assert list(there.top_statements) == ["heavy"]


def test_a_ledger_with_statements_needs_the_second_table(worked_ledger, upload, athena, engine):
    """Without it the report would fall back to wall time in silence."""
    athena.end, athena.reason = "FAILED", "TABLE_NOT_FOUND: line 1:1: table does not exist"
    address = upload("prod")
    athena.fails = "ledger_statements"
    with pytest.raises(LedgerError, match=r"no table books.ledger_statements.*athena-table"):
        monthly(address, engine=engine, month="2026-11")
