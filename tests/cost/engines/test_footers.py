"""What files of the table of statements say of themselves in their footers, and when it counts."""

from __future__ import annotations

import random

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantmetrics import ledger, ledger_totals
from tenantmetrics.cost import queries
from tenantmetrics.cost.engines import footers
from tenantmetrics.cost.engines.duckdb import DuckDB
from tenantmetrics.cost.period import parse_month
from tenantmetrics.export.ledger import files
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
       {", ".join(ledger_totals.SUMS)} FROM {queries.STATEMENT_TOTALS}
"""


@pytest.fixture(autouse=True)
def _every_size(monkeypatch):
    """Small files, too: else a test would write thousands of rows."""
    monkeypatch.setattr(footers, "_SMALLEST", 0)


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
    said, others = footers.Footers().totals(paths)
    assert said is not None
    assert others == []
    for number in plain & set(range(len(paths))):
        without_totals(paths[number])
    some = asked(root)
    assert len(footers.Footers().totals(paths)[1]) == len(plain & set(range(len(paths))))
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
    text = pq.read_metadata(path).metadata[ledger_totals.KEY.encode()]
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
            writer.add_key_value_metadata({ledger_totals.KEY: text.decode()})
    assert footers.Footers().totals([path]) == (None, [path])


def test_sums_too_large_for_an_integer_are_left_to_the_reader(tmp_path):
    """Squares of calls that took an hour come to more than 64 bits hold."""
    path = written(tmp_path, window(0, 1, most=2**62))
    assert footers.Footers().totals([path]) == (None, [path])


def test_a_file_with_few_rows_a_statement_says_no_sums(tmp_path):
    """The footer would grow by as much as the reader saves."""
    path = written(tmp_path, window(0, 1, tenants=15))
    assert footers.Footers().totals([path]) == (None, [path])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"clusters": 5, "totals": []}', "\xff"])
def test_what_another_version_says_is_passed_over(text):
    """Nobody has to upgrade reader and writer at once."""
    assert ledger_totals.decode(text.encode("latin-1")) is None


def test_what_is_said_can_be_read_back():
    """Numbers beyond a double's reach, and texts with quotes."""
    said = ledger_totals.Totals(
        3, 10**12, START_S, 60, 'w"', [
            ledger_totals.StatementTotal("arn:b", -(2**63), "work", (2**62, 1, 2, 3, 4)),
            ledger_totals.StatementTotal("arn:c", 5, "workless", (0, 0, 0, 0, 0)),
        ],
    )  # fmt: skip
    assert ledger_totals.decode(ledger_totals.encode(said)) == said
