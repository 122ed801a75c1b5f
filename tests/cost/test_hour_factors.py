"""Numbers that hold for an hour: joined, or looked up where a file's hour is known."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tenantmetrics import ledger
from tenantmetrics.cost import queries
from tenantmetrics.cost.engines.footers import Footers
from tenantmetrics.cost.engines.views import FILE_HOUR, Views
from tenantmetrics.cost.hour_factors import joined, looked_up
from tenantmetrics.records import Window

HOURS = range(498_192, 498_200)
COLUMNS = {"whole": "BIGINT", "factor": "DOUBLE"}
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.dictionaries(
    st.sampled_from(HOURS), st.tuples(st.integers(-(2**62), 2**62), NUMBERS), min_size=1
)


@pytest.fixture(scope="module")
def database():
    found = duckdb.connect()
    found.execute(
        f"CREATE TABLE usage AS SELECT to_timestamp(hour * 3600 + 60 * row) AS window_start, "
        f"hour AS {FILE_HOUR}, row FROM range({HOURS.start}, {HOURS.stop}) AS hours(hour), "
        "range(3) AS rows(row)"
    )
    yield found
    found.close()


@given(rows=ROWS)
@example({HOURS[0]: (1, 0.1), HOURS[1]: (1, 5e-324), HOURS[7]: (-1, -1.7976931348623157e308)})
@example({HOURS[3]: (0, 0.0)})
def test_what_is_looked_up_is_what_is_joined(database, rows):
    source = joined("usage", COLUMNS, ((hour, *numbers) for hour, numbers in rows.items()))
    sql = f"SELECT {FILE_HOUR}, row, whole, factor FROM {source} ORDER BY 1, 2"
    quicker = looked_up(sql, "usage", FILE_HOUR)
    assert "JOIN" not in quicker
    found = database.execute(quicker).fetchall()
    assert found == database.execute(sql).fetchall()
    assert found == [(hour, row, *rows[hour]) for hour in sorted(rows) for row in range(3)]


def test_a_join_on_more_than_the_hour_stays():
    sql = "SELECT * FROM " + joined("usage", COLUMNS, [(1, 2, 0.5)], " AND by_hour.whole = 2")
    assert looked_up(sql, "usage", FILE_HOUR) == sql
    other = "SELECT * FROM " + joined("statements", COLUMNS, [(1, 2, 0.5)])
    assert looked_up(other, "usage", FILE_HOUR) == other


def test_the_queries_of_a_report_are_of_the_form_that_is_looked_up():
    november = queries.Period("2026-11", 1_793_491_200, 1_796_083_200)
    sql = queries.tenants(november, {HOURS[0]: 0.5, HOURS[1]: 1e-9}, {HOURS[0]: 2.0})
    assert "JOIN" not in looked_up(sql, queries.RELATION, FILE_HOUR)


def written(root, starts, named_s, *, zone="UTC"):
    """A file of the main table whose rows begin then, under the name of a window."""
    path = root / ledger.file_path(Window(named_s, 60, "it's-a [writer]", 7, {}, {}))
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = ledger.arrow_schema()
    values = {pa.string(): "", pa.list_(pa.int32()): [], pa.list_(pa.int64()): []}
    arrays = [pa.array([values.get(field.type, 0)] * len(starts), field.type) for field in schema]
    moments = [datetime.fromtimestamp(start, UTC) for start in starts]
    arrays[0] = pa.array(moments, pa.timestamp("us", tz=zone))
    pq.write_table(pa.Table.from_arrays(arrays, schema.names), path)
    return path


START_S = HOURS[0] * 3600 + 1800


@pytest.mark.parametrize(
    ("starts", "zone", "says"),
    [
        ([START_S] * 3, "UTC", True),
        ([START_S, START_S + 3600], "UTC", False),
        ([START_S + 60], "UTC", False),
        ([START_S], None, False),
    ],
)
def test_a_file_says_its_hour_where_all_of_its_rows_are_of_the_window_it_names(
    tmp_path, starts, zone, says
):
    path = written(tmp_path, starts, START_S, zone=zone)
    assert Footers().say_windows([path]) is says
    with duckdb.connect() as database:
        views = Views(database)
        views.usage([path])
        assert views.say_hours(queries.RELATION) is says
        if says:
            found = database.execute(f"SELECT DISTINCT {FILE_HOUR} FROM usage").fetchall()
            assert found == [(HOURS[0],)]


def test_one_file_that_does_not_leaves_the_join(tmp_path):
    paths = [written(tmp_path, [START_S], START_S), written(tmp_path, [START_S], START_S + 60)]
    with duckdb.connect() as database:
        views = Views(database)
        views.usage(paths[:1])
        assert views.say_hours(queries.RELATION)
        views.usage(paths)
        assert not views.say_hours(queries.RELATION)
