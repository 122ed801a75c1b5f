"""What files say of themselves in their footers, and when it counts."""

from __future__ import annotations

import random

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantmetrics import ledger
from tenantmetrics.cost import queries
from tenantmetrics.cost.engines import footers
from tenantmetrics.cost.engines.duckdb import DuckDB
from tenantmetrics.cost.of_clusters import OfClusters
from tenantmetrics.cost.period import parse_month
from tenantmetrics.cost.usage import LedgerUsage
from tenantmetrics.errors import LedgerError
from tenantmetrics.export import ledger as exporter
from tenantmetrics.export.ledger import files
from tenantmetrics.ledger_totals import OF_STATEMENTS, OF_USAGE, Total, Totals, decode, encode
from tenantmetrics.records import Series, SeriesKey, Source, Window
from tenantmetrics.statement_table import StatementTable

START_S = 1_793_491_200  # 2026-11-01 00:00 UTC
STATEMENTS = [
    (arn, database, fingerprint, f"SELECT {fingerprint}", kind)
    for arn in ("arn:a", "arn:b'")
    for database in ("app", "other")
    for fingerprint, kind in ((0, "workless"), (7, "work"), (-(2**63), "cold_work"))
]
SUMS = f"""
SELECT epoch(window_start) AS start_s, window_s, writer, resource_arn, fingerprint, kind,
       {", ".join(OF_STATEMENTS.sums)} FROM {queries.STATEMENT_TOTALS}
"""


@pytest.fixture(autouse=True)
def _every_size(monkeypatch):
    """Small files, too: else a test would write thousands of rows."""
    monkeypatch.setattr(footers, "_SMALLEST", 0)
    monkeypatch.setattr(exporter, "_ROWS_A_TOTAL", 4)


def window(number, seed, *, tenants=64, most=10**6, statements=STATEMENTS, writer="host-1"):
    numbers = random.Random(seed)
    table = StatementTable()
    for tenant in range(tenants):
        for key in statements:
            calls = numbers.randrange(1, 1000)
            waited = numbers.randrange(5)
            table.add(
                f"t{tenant}", key, calls, waited + numbers.randrange(most),
                numbers.randrange(most), waited, *(numbers.randrange(most) for _ in range(4)),
            )  # fmt: skip
    series = {SeriesKey("t0", "ExecuteStatement", "ok", Source.SESSION, "arn:a", "app"): Series()}
    return Window(START_S + 60 * number, 60, writer, number, series, {}, statements=table)


def written(root, one):
    """The window's files; the one of its statements."""
    for name, content in files(one):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root / ledger.statements_path(one)


def without_totals(path):
    """Write a file anew with the same rows and nothing in its footer."""
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table, path, compression="zstd")
    return path


def asked(root, sql=SUMS):
    opened = DuckDB().open(root, parse_month("2026-11"), skip_corrupt=False)
    try:
        return sorted(tuple(map(str, row)) for row in opened.rows(sql))
    finally:
        opened.close()


@given(
    seeds=st.lists(st.integers(0, 10**6), min_size=1, max_size=3, unique=True),
    plain=st.sets(st.integers(0, 2)),
    most=st.sampled_from([10, 10**6, 2**40]),
)
@settings(max_examples=settings.default.max_examples // 25)
def test_sums_are_those_of_the_rows_whichever_files_say_them(tmp_path_factory, seeds, plain, most):
    """Of all files, of some, of none: an older writer's stand beside today's."""
    root = tmp_path_factory.mktemp("ledger")
    paths = [written(root, window(n, seed, most=most)) for n, seed in enumerate(seeds)]
    said, others = footers.Footers().totals(OF_STATEMENTS, paths)
    assert said is not None
    assert others == []
    for number in plain & set(range(len(paths))):
        without_totals(paths[number])
    some = asked(root)
    assert len(footers.Footers().totals(OF_STATEMENTS, paths)[1]) == len(
        plain & set(range(len(paths)))
    )
    for path in paths:
        without_totals(path)
    assert some == asked(root)


def test_a_query_of_rows_and_of_sums_gives_the_same_in_every_dialect(tmp_path):
    """Other engines work the sums out of the rows."""
    written(tmp_path, window(0, 1))
    text = queries.transpile(SUMS, queries.Dialect.SPARK)
    assert queries.STATEMENT_TOTALS not in text.replace(f"AS {queries.STATEMENT_TOTALS}", "")
    assert asked(tmp_path, queries.parsed(SUMS).sql(queries.Dialect.DUCKDB)) == asked(tmp_path)


@pytest.mark.parametrize("what", ["other rows", "fewer rows", "another window", "another form"])
def test_a_footer_that_is_not_of_these_rows_does_not_count(tmp_path, what):
    """A tool that rewrites or renames a file may keep what the footer of the old one said."""
    path = written(tmp_path, window(0, 1))
    text = pq.read_metadata(path).metadata[OF_STATEMENTS.key.encode()]
    table = pq.read_table(path, partitioning=None)
    if what == "other rows":
        table = table.set_column(
            table.schema.get_field_index("calls"), table.schema.field("calls"),
            [[2**40 + n for n in range(len(table))]],
        )  # fmt: skip
    elif what == "fewer rows":
        table = table.slice(1)
    elif what == "another window":
        path.rename(path.with_name(path.name.replace("host-1", "host-2")))
        path = path.with_name(path.name.replace("host-1", "host-2"))
    else:
        text = text.replace(b'"work"', b"17")[:-1] + b"5]"
    if what != "another window":
        with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({OF_STATEMENTS.key: text.decode()})
    assert footers.Footers().totals(OF_STATEMENTS, [path]) == (None, [path])


def test_sums_too_large_for_an_integer_are_left_to_the_reader(tmp_path):
    """Squares of calls that took an hour come to more than 64 bits hold."""
    path = written(tmp_path, window(0, 1, most=2**62))
    assert footers.Footers().totals(OF_STATEMENTS, [path]) == (None, [path])


def test_a_file_with_few_rows_a_statement_says_no_sums(tmp_path):
    """The footer would grow by as much as the reader saves."""
    path = written(tmp_path, window(0, 1, tenants=15))
    assert footers.Footers().totals(OF_STATEMENTS, [path]) == (None, [path])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"clusters": 5, "totals": []}', "\xff"])
def test_what_another_version_says_is_passed_over(text):
    """Nobody has to upgrade reader and writer at once."""
    assert decode(text.encode("latin-1"), OF_STATEMENTS) is None


def test_what_is_said_can_be_read_back():
    """Numbers beyond a double's reach, and texts with quotes."""
    said = Totals(
        3, 10**12, START_S, 60, 'w"', [
            Total("arn:b", (-(2**63), "work"), (2**62, 1, 2, 3, 4)),
            Total("arn:c", (5, "workless"), (0, 0, 0, 0, 0)),
        ],
    )  # fmt: skip
    assert decode(encode(said), OF_STATEMENTS) == said


def usage(number, seed, *, tenants=30, most=10**6):
    """A window with calls to two clusters, with losses, and with calls that were refused."""
    numbers = random.Random(seed)
    series = {}
    for tenant in range(tenants):
        for arn in ("arn:a", "arn:b'"):
            key = SeriesKey(f"t{tenant}", "ExecuteStatement", "ok", Source.SESSION, arn, "app")
            waited = numbers.randrange(5)
            series[key] = Series(
                calls=numbers.randrange(1, 1000), duration_ns=waited + numbers.randrange(most),
                duration_min_ns=1, duration_max_ns=most, waited_ns=waited,
                request_bytes=numbers.randrange(most), response_bytes=numbers.randrange(most),
            )  # fmt: skip
    refused = SeriesKey("t1", "ExecuteStatement", "refused", Source.SESSION, "arn:b'", "app")
    return Window(
        START_S + 60 * number, 60, "host-1", number, series, {"queue_full": numbers.randrange(9)},
        refusals={refused: 3},
    )  # fmt: skip


def write(root, one):
    """The window's files; its main one."""
    written(root, one)
    return root / ledger.file_path(one)


def hours(root, clusters=None):
    """What each hour's calls come to, of some clusters or of all."""
    period = parse_month("2026-11")
    opened = DuckDB().open(root, period, skip_corrupt=False)
    try:
        kept = OfClusters(opened, clusters) if clusters else opened
        return sorted(tuple(map(str, row)) for row in kept.rows(queries.hours(period, 9)))
    finally:
        opened.close()


@given(
    seeds=st.lists(st.integers(0, 10**6), min_size=1, max_size=3, unique=True),
    plain=st.sets(st.integers(0, 2)),
    clusters=st.sampled_from([None, ["arn:a"], ["arn:b'"], ["arn:none"]]),
    most=st.sampled_from([10, 10**6, 2**50]),
)
@settings(max_examples=settings.default.max_examples // 25)
def test_hours_are_those_of_the_rows_whichever_files_say_them(
    tmp_path_factory, seeds, plain, clusters, most
):
    """What was lost and refused is no cluster's, and stays with each of them."""
    root = tmp_path_factory.mktemp("ledger")
    paths = [write(root, usage(n, seed, most=most)) for n, seed in enumerate(seeds)]
    assert footers.Footers().totals(OF_USAGE, paths)[1] == []
    for number in plain & set(range(len(paths))):
        without_totals(paths[number])
    some = hours(root, clusters)
    for path in paths:
        without_totals(path)
    assert some == hours(root, clusters)


def test_a_query_of_hours_gives_the_same_in_every_dialect(tmp_path):
    """Other engines work the sums out of the rows."""
    write(tmp_path, usage(0, 1))
    sql = queries.hours(parse_month("2026-11"), 9)
    assert f"FROM {queries.USAGE_TOTALS}" not in queries.transpile(sql, queries.Dialect.SPARK)
    assert asked(tmp_path, queries.parsed(sql).sql(queries.Dialect.DUCKDB)) == asked(tmp_path, sql)


def test_one_tables_sums_are_not_taken_for_the_others(tmp_path):
    """They have other names, and are of other rows."""
    one = usage(0, 1)
    one.statements.add("t", ("arn:a", "app", 7, "SELECT t", "work"), 1, 2, 3, 0, 4, 5, 6, 7)
    path = write(tmp_path, one)
    assert footers.Footers().totals(OF_STATEMENTS, [path]) == (None, [path])


@pytest.mark.parametrize("tenants", [4, 400])
def test_a_window_says_its_sums_where_they_stand_for_a_thousand_rows(
    tmp_path, monkeypatch, tenants
):
    """In a smaller file the footer would be longer than what the reader saves."""
    monkeypatch.undo()
    one = usage(0, 1, tenants=tenants * 5)  # two rows each, and four sums
    metadata = pq.read_metadata(write(tmp_path, one)).metadata
    assert (OF_USAGE.key.encode() in metadata) == (tenants == 400)


def test_wall_times_too_large_for_an_integer_are_left_to_the_reader(tmp_path):
    """No window is lost for them."""
    path = write(tmp_path, usage(0, 1, most=2**62))
    assert footers.Footers().totals(OF_USAGE, [path]) == (None, [path])


@pytest.mark.parametrize("column", ["calls", "waited_ns", "response_bytes"])
def test_a_file_that_is_left_out_counts_in_no_hour(tmp_path, column):
    """Its footer can still be read, and so can some of its columns."""
    whole = usage(0, 1)
    write(tmp_path, whole)
    broken = write(tmp_path, usage(1, 2))
    group = pq.read_metadata(broken).row_group(0)
    found = next(
        found
        for found in map(group.column, range(group.num_columns))
        if found.path_in_schema == column
    )
    content = bytearray(broken.read_bytes())
    start = found.data_page_offset
    end = (found.dictionary_page_offset or start) + found.total_compressed_size
    content[start:end] = bytes(end - start)
    broken.write_bytes(content)
    period = parse_month("2026-11")
    with LedgerUsage(tmp_path, period) as opened:
        opened.hours()
        with pytest.raises(LedgerError, match="cannot be read"):
            opened.tenants({}, {})
    with LedgerUsage(tmp_path, period, skip_corrupt=True) as opened:
        by_hour = sum(one.calls for one in opened.hours().values())
        by_tenant = sum(one.usage.calls for one in opened.tenants({}, {}))
        of_whole = sum(series.calls for series in whole.series.values())
        assert (by_hour, by_tenant) == (of_whole, of_whole)
