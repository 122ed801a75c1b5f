"""A real local Spark beside DuckDB, on the same ledgers: the reports are the same bytes.

pyspark is 400 MB and needs Java, so these tests run where requirements/spark.txt is installed and
are passed over elsewhere (`pytest --noconftest tests/spark`: the common fixtures need what is not
installed there).
"""

import random
import threading
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from shutil import copy
from urllib.parse import parse_qs, quote, urlsplit
from zipfile import ZipFile

import pytest
from pyarrow import parquet

from tenantmetrics.cost import Capacity, monthly
from tenantmetrics.cost.inputs import HourlyCapacity
from tenantmetrics.errors import LedgerError, ReportError
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import UNATTRIBUTED, Series, SeriesKey, Source, Window
from tenantmetrics.report import csv, focus, html, json, terminal, xlsx
from tenantmetrics.statement_table import StatementTable

pytest.importorskip("pyspark", reason="needs requirements/spark.txt")
from pyspark.sql import SparkSession

from tenantmetrics.cost.engines.spark import Spark

pytestmark = pytest.mark.long

TENANTS = ("acme", "Ünïcode ✓", "'; DROP", "line\nbreak", "Zoë", "zoe", "ACME", UNATTRIBUTED)
CREATED = "docProps/core.xml"
START_S = int(datetime(2026, 10, 31, 12, tzinfo=UTC).timestamp())


@pytest.fixture(scope="module")
def session(ledger):
    """A user's session with settings of its own, in another zone and without ANSI arithmetic.

    Its `s3a://books/prod` is the ledger's folder: Hadoop's S3A connector is not on PyPI.
    """
    view = "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"
    local = "org.apache.hadoop.fs.LocalFileSystem"
    plain = ledger.parent.parent / "linked"
    plain.symlink_to(ledger)
    started = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "America/New_York")
        .config("spark.sql.ansi.enabled", "false")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.hadoop.fs.s3a.impl", view)
        .config("spark.hadoop.fs.viewfs.overload.scheme.target.file.impl", local)
        .config("spark.hadoop.fs.viewfs.mounttable.books.link./prod", f"file://{plain}")
        .getOrCreate()
    )
    started.sparkContext.setLogLevel("OFF")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """150 windows over the month's borders, three writers, failures, losses, odd names."""
    chance = random.Random(7)
    folder = tmp_path_factory.mktemp("ledger[1]{a,b}") / "books * ?"
    exporter = LedgerExporter(folder)
    for number in range(150):
        series = {
            SeriesKey(
                tenant,
                "ExecuteStatement",
                chance.choice(("ok", "ok", "BadRequestException")),
                Source.SESSION,
                chance.choice(("arn:aws:rds:us-east-1:1:cluster:a", "")),
                "app",
            ): Series(
                calls=chance.randrange(1, 9999),
                duration_ns=chance.randrange(10**12),
                attempts=1,
                request_bytes=chance.randrange(10**9),
                response_bytes=chance.randrange(10**12),
                billed_requests=chance.randrange(10**5),
                rows_returned=chance.randrange(10**6),
                rows_written=chance.randrange(10**6),
                scale=4,
                buckets={300: 1},
            )
            for tenant in chance.sample(TENANTS, 3)
        }
        losses = {"queue_full": 3} if number % 15 == 0 else {}
        start_s = START_S + chance.randrange(31 * 24 * 60) * 60
        window = Window(start_s, 60, f"host/{number % 3}%", number, series, losses)
        exporter.export([window], float("inf"))
    return folder


def rendered(statement):
    """Every format's output, but for the second in which the workbook was made."""
    workbook = ZipFile(BytesIO(xlsx.as_workbook(statement)))
    return {
        "csv": csv.as_csv(statement),
        "html": html.as_html(statement),
        "json": json.as_json(statement),
        "focus": focus.as_focus(statement),
        "table": terminal.as_text(statement),
        "xlsx": [workbook.read(name) for name in workbook.namelist() if name != CREATED],
    }


@pytest.mark.parametrize(
    ("timezone", "capacity"),
    [
        ("UTC", Capacity(acu=Decimal("7.5"))),
        ("America/St_Johns", Capacity(acu_hours=Decimal("812.123"))),
        (
            "Asia/Kolkata",
            Capacity(
                hourly=HourlyCapacity(
                    {START_S // 3600 + hour: Decimal(hour % 13) / 7 for hour in range(800)},
                    {START_S // 3600 + hour: Decimal(hour % 100) / 100 for hour in range(800)},
                )
            ),
        ),
    ],
    ids=["flat", "total", "hourly"],
)
def test_spark_and_duckdb_make_identical_reports(session, ledger, timezone, capacity):
    """Statement and bytes of every format, with months that begin in the middle of an hour too."""
    asked = {"month": "2026-11", "timezone": timezone, "capacity": capacity, "now_s": 1.9e9}
    by_duckdb = monthly(ledger, **asked)
    by_spark = monthly(ledger, **asked, engine=Spark(session))
    assert by_spark == by_duckdb
    assert rendered(by_spark) == rendered(by_duckdb)
    assert sum(line.usage.calls for line in by_spark.lines) > 1_000_000


def test_the_users_session_is_left_as_it_was(session, ledger):
    """Its zone, its arithmetic and its views are the user's own."""
    session.range(3).createOrReplaceTempView("usage")
    monthly(ledger, month="2026-11", engine=Spark(session))
    assert session.conf.get("spark.sql.session.timeZone") == "America/New_York"
    assert session.conf.get("spark.sql.ansi.enabled") == "false"
    assert session.sql("SELECT count(*) AS n FROM usage").collect()[0].n == 3
    assert SparkSession.getActiveSession() in {None, session}


def test_copies_count_once_and_broken_files_are_named(session, ledger, tmp_path):
    """As with DuckDB, but for leaving out broken files: Spark could not tell which."""
    files = sorted(ledger.rglob("*.parquet"))
    books = tmp_path / "books"
    for file in files:
        target = books / file.relative_to(ledger)
        target.parent.mkdir(parents=True, exist_ok=True)
        copy(file, target)
    (books / "backup").mkdir()
    copy(files[75], books / "backup")
    statement = monthly(books, month="2026-11", engine=Spark(session))
    assert statement == monthly(books, month="2026-11")
    assert any("copies" in note or "copy" in note for note in statement.notes)
    broken = books / files[75].relative_to(ledger)
    broken.write_bytes(broken.read_bytes()[:-9])
    (books / "backup" / broken.name).unlink()
    with pytest.raises(LedgerError, match=f"Spark cannot read ledger .*{broken.name[:15]}") as seen:
        monthly(books, month="2026-11", engine=Spark(session))
    assert "\n" not in str(seen.value)
    with pytest.raises(ReportError, match="only the duckdb engine can skip corrupt files"):
        monthly(books, month="2026-11", engine=Spark(session), skip_corrupt=True)


def test_a_file_without_a_column_is_refused(session, ledger, tmp_path):
    """Spark reads NULL there, which would be summed as nothing."""
    file = sorted(ledger.rglob("*.parquet"))[75]
    books = tmp_path / "books" / file.relative_to(ledger)
    books.parent.mkdir(parents=True)
    parquet.write_table(parquet.ParquetFile(file).read().drop_columns(["rows_written"]), books)
    with pytest.raises(LedgerError, match="rows of 2026-11 have no rows_written"):
        monthly(tmp_path / "books", month="2026-11", engine=Spark(session))


@pytest.fixture
def bucket(ledger, monkeypatch):
    """S3's listing of the ledger as `books/prod`, a page at a time; keys may be added."""
    keys = [f"prod/{file.relative_to(ledger)}" for file in sorted(ledger.rglob("*.parquet"))]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
            start = int(asked.get("continuation-token", 0))
            # In order of their names, as S3 lists them.
            after = asked.get("start-after", "")
            found = [key for key in sorted(keys) if key.startswith(asked["prefix"]) and key > after]
            page = "".join(
                f"<Contents><Key>{quote(key)}</Key><Size>9</Size></Contents>"
                for key in found[start : start + 5]
            )
            more = start + 5 < len(found)
            body = (
                f"<ListBucketResult><EncodingType>url</EncodingType>{page}"
                f"<IsTruncated>{str(more).lower()}</IsTruncated>"
                f"<NextContinuationToken>{start + 5}</NextContinuationToken></ListBucketResult>"
            ).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{server.server_address[1]}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    yield keys
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_ledger_on_s3_is_read_where_it_lies(session, ledger, bucket):
    """The listing chooses the objects, and Spark reads them by its own address."""
    asked = {"month": "2026-11", "timezone": "Asia/Kolkata"}
    by_spark = monthly("s3a://books/prod", engine=Spark(session), **asked)
    assert by_spark == monthly(ledger, **asked)
    bucket.append(bucket[75].replace("/hour=", "/copy-of-hour="))
    with pytest.raises(LedgerError, match="is the same window as"):
        monthly("s3a://books/prod", engine=Spark(session), **asked)


def test_compute_is_divided_by_server_time_as_duckdb_does(session, tmp_path):
    """The table of statements is read, and its sums are the same."""
    chance = random.Random(9)
    table, series = StatementTable(), {}
    for tenant, work_ms in (("chatty", 0), ("heavy", 300)):
        for fingerprint, ms, kind in ((7, work_ms, "work"), (8, 0, "workless")):
            each = [int((chance.gauss(20, 3) + ms) * 1_000_000) for _ in range(300)]
            us2 = sum((ns // 1000) ** 2 for ns in each)
            key = ("arn:x", "app", fingerprint, f"SELECT s{fingerprint}", kind)
            table.add(tenant, key, 300, sum(each), us2, 0, 300, 300, 300, 0)
        whole = SeriesKey(tenant, "ExecuteStatement", "ok", Source.SESSION, "arn:x", "app")
        series[whole] = Series(calls=600, duration_ns=10**11, attempts=600, billed_requests=600)
    window = Window(START_S, 3600, "host", 0, series, {}, statements=table)
    LedgerExporter(tmp_path).export([window], float("inf"))
    asked = {"top_statements": 1, "top_statements_of": ["heavy", "it's \\"]}
    there = monthly(tmp_path, engine=Spark(session), **asked)
    assert there == monthly(tmp_path, **asked)
    assert list(there.top_statements) == ["heavy"]
    assert there.server_time.methods[0].method == "record"
