"""The queries over the table of statements: each engine's text of them gives the same numbers."""

import math
import random
import re
from collections import defaultdict

import duckdb
import pyarrow as pa
import pytest
import sqlglot

from tenantmetrics.cost import queries
from tenantmetrics.cost.queries import Dialect
from tenantmetrics.cost.server_time import sql, sql_cells, sql_factors, sql_words
from tenantmetrics.cost.server_time.sql_words import workless_group
from tenantmetrics.cost.statement import Period
from tenantmetrics.sqltext.fingerprint import fingerprint
from tests.statement_rows import Opened

BEGIN = fingerprint("BEGIN")
BY_WINDOW = sql_factors.OfDrift(24_000_000, 0.25, 1.5, 0.125, 60)
BY_LONGER = sql_factors.OfDrift(24_000_000, 0.25, 1.5, 0.125, 600, begins=True)
SCALES = sql_factors.Scales(2.0**-3, 2.0**10, 2.0**20, 2.0**-4, 2.0**9)


@pytest.fixture
def opened(month):
    """The rows of a month with two writers, cold calls and waits, as a relation."""
    one = month(5, hours=2, rate=40, medians_ms=(20, 60), cold=0.2, waits=True)
    database = duckdb.connect()
    names = (
        "start", "window_s", "writer", "sequence", "tenant", "resource_arn", "database",
        "fingerprint", "summary", "kind", "calls", "duration_ns", "waited_ns", "duration_us2",
        "request_bytes", "response_bytes", "rows_returned", "rows_written",
    )  # fmt: skip
    database.register(
        "given", pa.table({name: [row[n] for row in one.rows] for n, name in enumerate(names)})
    )
    database.execute(
        "CREATE VIEW statements AS SELECT to_timestamp(start) AS window_start, * EXCLUDE (start) "
        "FROM given"
    )
    database.execute(
        f"CREATE VIEW {queries.STATEMENT_TOTALS} AS {queries.totals_of(queries.STATEMENTS)}"
    )
    return one, database


def whole_groups(one):
    """The group of each statement: its kind's, or of those that work a group for one of them."""
    kinds = {(row[7], row[9].removeprefix("cold_")) for row in one.rows}
    assert len({statement for statement, _ in kinds}) == len(kinds)
    return {
        statement: workless_group(statement) if kind == "workless" else 1
        for statement, kind in kinds
        if kind == "workless" or statement == 1
    }


def texts(one):
    period = one.period
    arn = one.rows[0][5]
    classes = {"writer-0": 1, "writer-1": 2}
    first, second = one.hours
    of_cluster = {arn: sql_factors.OfCluster(0, 61_000_000, 1.5, 2.25)}
    of_hour = {
        (first, 0): sql_factors.OfHour(0, 21_000_000, 1.0),
        (second, 0): sql_factors.OfHour(1, 23_000_000, 0.1),
    }
    return {
        "record": sql.record(period, classes),
        "statements": sql.statements(period, classes, {arn: 0}, {(first, 0): 0, (second, 0): 1}),
        "cells": sql_cells.cells(
            period,
            of_cluster,
            of_hour,
            {(0, "writer-1"): (40_000_000, 8.5)},
            {1: 1, 2: 2, 3: 0},
            scales=SCALES,
        ),
        "cells without more": sql_cells.cells(
            period, {arn: sql_factors.OfCluster(0, 0, 0.0, 1.0)}, of_hour, {}, {}, scales=SCALES
        ),
        "cells by statement": sql_cells.cells(
            period,
            of_cluster,
            of_hour,
            {(0, "writer-1"): (40_000_000, 8.5)},
            {1: 1, 2: 2, 3: 0},
            scales=SCALES,
            few_statements=True,
        ),
        "cells by groups": sql_cells.cells(
            period,
            {arn: sql_factors.OfCluster(0, 0, 1.5, 1.0)},
            {key: of._replace(segment=3) for key, of in of_hour.items()},
            {},
            whole_groups(one),
            scales=SCALES,
            few_statements=True,
            whole_groups=True,
        ),
        "cells by kinds": sql_cells.cells(
            period,
            {arn: sql_factors.OfCluster(0, 0, 1.5, 1.0)},
            {key: of._replace(segment=3) for key, of in of_hour.items()},
            {(0, "nobody"): (0, 8.5)},
            {1: 1},
            scales=SCALES,
        ),
        "cells of two clusters": sql_cells.cells(
            period,
            of_cluster | {"other": sql_factors.OfCluster(1, 0, 0.0, 1.0)},
            of_hour,
            {},
            {1: 1},
            scales=SCALES,
        ),
        "cells by window": sql_cells.cells(
            period,
            of_cluster,
            {
                (first, 0): of_hour[first, 0]._replace(drift=BY_WINDOW),
                (second, 0): of_hour[second, 0],
            },
            {(0, "writer-1"): (40_000_000, 8.5)},
            {1: 1, 2: 2, 3: 0},
            scales=SCALES,
        ),
        "cells by window of two clusters": sql_cells.cells(
            period,
            of_cluster | {"other": sql_factors.OfCluster(1, 0, 0.0, 1.0)},
            {key: of._replace(drift=BY_LONGER) for key, of in of_hour.items()},
            {(0, "writer-1"): (40_000_000, 8.5)},
            {1: 1},
            scales=SCALES,
            few_statements=True,
        ),
        "summaries": sql.summaries(period, [1, 2, 99]),
        "tenants": sql.tenant_names(period),
    }


@pytest.mark.parametrize("dialect", [Dialect.ATHENA, Dialect.SPARK])
@pytest.mark.parametrize(
    "name",
    [
        "record",
        "statements",
        "cells",
        "cells without more",
        "cells by statement",
        "cells by groups",
        "cells of two clusters",
        "cells by window",
        "cells by window of two clusters",
        "summaries",
        "tenants",
    ],
)
def test_an_engines_text_means_the_same(opened, name, dialect):
    """Translated there and back, each query gives the very same rows."""
    one, database = opened
    text = texts(one)[name]
    straight = database.execute(queries.transpile(text, Dialect.DUCKDB)).fetchall()
    there = queries.transpile(text, dialect)
    back = sqlglot.transpile(there, read=dialect, write="duckdb")[0]
    # Spark's UNIX_TIMESTAMP takes a moment as it is; sqlglot's reading of it takes a text.
    back = re.sub(r"STRPTIME\((\w+), '%Y-%m-%d %H:%M:%S'\)", r"\1", back)
    assert sorted(map(repr, database.execute(back).fetchall())) == sorted(map(repr, straight))
    assert straight


@pytest.mark.parametrize("drift", [BY_WINDOW, BY_LONGER])
def test_each_window_has_the_overhead_that_its_calls_without_work_tell(by_minute, drift):
    """As worked out row by row, in numbers that floats hold exactly."""
    rows, database = by_minute
    hour = rows[0][0] // 3600
    more = {"writer-0": 0, "writer-1": 40_000_000}
    text = sql_cells.cells(
        Period("2026-11", hour * 3600, hour * 3600 + 3600),
        {rows[0][5]: sql_factors.OfCluster(0, 0, 0.0, 1.0)},
        {(hour, 0): sql_factors.OfHour(0, 21_000_000, 1.0, drift)},
        {(0, "writer-1"): (40_000_000, 1.0)},
        {1: 1},
        scales=sql_factors.Scales(1.0, 2.0**20, 1.0, 1.0, 1.0),
    )
    told = defaultdict(lambda: [0, 0])
    windows = defaultdict(set)
    for start, _, writer, _, _, arn, _, statement, _, kind, calls, ns, waited_ns, *_ in rows:
        windows[start // drift.length_s].add(start)
        begin = statement == BEGIN
        if kind == "workless" and arn == rows[0][5] and (drift.begins or not begin):
            told[start // drift.length_s][0] += calls
            told[start // drift.length_s][1] += ns - waited_ns - calls * more[writer]
    found = defaultdict(lambda: [0, 0, 0])
    for start, _, writer, _, tenant, arn, _, statement, _, kind, calls, ns, waited_ns, *_ in rows:
        if arn != rows[0][5]:
            continue
        at = start // drift.length_s
        n, net_ns = told[at]
        below = drift.spread * n + drift.noise
        shift = math.floor(drift.spread * (net_ns - n * drift.center_ns) / below)
        doubt = len(windows[at]) * drift.spread * drift.noise / below + drift.untold
        part = 1 if statement == 1 else sql_words.REST_GROUP
        if kind in {"workless", "cold_workless"}:
            part = workless_group(statement)
        sums = found[tenant, part]
        sums[0] += calls
        sums[1] += ns - waited_ns - calls * (21_000_000 + shift + more[writer])
        sums[2] += math.floor(calls * (1 + doubt * calls) * 2**20)
    given = {(tenant, part): [*sums[:3]] for _, tenant, part, _, _, *sums in database(text)}
    assert given == found
    assert len({told[at][1] / told[at][0] for at in told if told[at][0]}) > 2
    assert any(not n for n, _ in told.values()) == (drift is BY_WINDOW), "a window has none"


def test_the_record_counts_an_hours_windows_and_longer_stretches(by_minute):
    """Of calls without work that opened no connection, by hour, writer and kind."""
    rows, database = by_minute
    start = rows[0][0]
    period = Period("2026-11", start, start + 3600)
    sums = defaultdict(lambda: [0, 0])
    for at, _, writer, _, _, arn, _, statement, _, kind, calls, ns, waited_ns, *_ in rows:
        if kind == "workless":
            what = "begin" if statement == BEGIN else kind
            for length_s in (60, 600):
                mine = sums[arn, writer[-1], what, length_s, at // length_s]
                mine[0] += calls
                mine[1] += ns - waited_ns
    expected = defaultdict(lambda: [0] * 3)
    for (*key, length_s, _), (calls, ns) in sums.items():
        one = expected[*key, length_s]
        one[0] += 1
        one[1] += calls**2
        one[2] += math.floor((ns / 1000.0) ** 2 / calls)
    found = {}
    for hour, arn, number, statement, kind, *columns in database(
        sql.record(period, {"writer-0": 0, "writer-1": 1})
    ):
        assert (hour is None) != (statement is None)
        if hour is not None and columns[9]:
            assert start <= columns[5] < columns[6] <= start + 3600
            assert columns[7:9] == [60, 60]
            found[arn, str(number), kind, 60] = columns[9:12]
            found[arn, str(number), kind, 600] = columns[12:]
        else:
            assert columns[9:] == [0] * 6
    assert found == expected


@pytest.fixture
def by_minute():
    """Rows of an hour written by the minute, of two writers and clusters; and their queries."""
    source = random.Random(3)
    rows = []
    start = 1_793_491_200
    for minute in range(60):
        for writer in ("writer-0", "writer-1"):
            for tenant in ("a", "b"):
                for statement, kind in (
                    (1, "work"), (2, "work"), (9, "workless"), (9, "cold_workless"),
                    (BEGIN, "workless"),
                ):  # fmt: skip
                    for arn in ("arn:one", "arn:two"):
                        if source.random() < 0.4 and not (kind == "workless" and minute == 7):
                            calls = source.randrange(1, 9)
                            ns = calls * source.randrange(10_000, 60_000) * 1_000
                            rows.append(
                                (start + 60 * minute, 60, writer, 0, tenant, arn, "app", statement,
                                 f"s{statement}", kind, calls, ns, 1_000_000, calls * 4 * 10**8,
                                 300, 400, 0, 0)
                            )  # fmt: skip
    rows.sort(key=lambda row: row[5])
    ledger = Opened(rows)
    return rows, ledger.rows


def test_sums_by_statement_first_come_to_the_same(opened):
    """Where there are few statements, each row's group is found after they are added up."""
    one, database = opened
    by_row, first = (
        database.execute(texts(one)[name]).fetchall() for name in ("cells", "cells by statement")
    )
    assert sorted(by_row) == sorted(first)


def test_sums_without_kinds_come_to_the_same(opened):
    """The statement tells its group; calls that vary alike are multiplied after the sum."""
    one, database = opened
    by_kind, by_group = (
        database.execute(texts(one)[name]).fetchall()
        for name in ("cells by kinds", "cells by groups")
    )
    assert sorted(by_kind) == sorted(by_group)
    assert len({part for _, _, part, *_ in by_group}) > 2


def test_the_cluster_need_not_be_compared_where_there_is_one(opened):
    """One with the whole period's calls; of two, the other's stay out."""
    one, database = opened
    arn = one.rows[0][5]
    assert {row[5] for row in one.rows} == {arn}

    def sums(**more):
        text = sql_cells.cells(
            one.period,
            {arn: sql_factors.OfCluster(0, 0, 0.0, 1.0)},
            {(hour, 0): sql_factors.OfHour(0, 21_000_000, 1.0) for hour in one.hours},
            {},
            {1: 1},
            scales=SCALES,
            **more,
        )
        return sorted(database.execute(text).fetchall())

    alone = sums(no_others=True)
    assert alone == sums()
    rows = "SELECT to_timestamp(start) AS window_start, * EXCLUDE (start)"
    database.execute(
        f"CREATE OR REPLACE VIEW statements AS {rows} FROM given UNION ALL BY NAME "
        f"{rows} REPLACE ('{arn}-2' AS resource_arn) FROM given"
    )
    assert sums() == alone != sums(no_others=True)


def test_a_months_query_fits_into_athenas_limit(opened):
    """720 hours of two clusters, 32 writers of their own and 2,000 statements: 262,144 bytes."""
    one, _ = opened
    clusters = {f"arn:aws:rds:us-east-1:123456789012:cluster:name-{n}": n for n in range(2)}
    text = sql_cells.cells(
        one.period,
        {arn: sql_factors.OfCluster(n, 61_000_000, 1.5, 2.25) for arn, n in clusters.items()},
        {
            (494_000 + hour, n): sql_factors.OfHour(
                n,
                20_000_000 + hour,
                1 / (hour + 3),
                sql_factors.OfDrift(24_000_000, 0.0123457, 1.23457, 0.0123457, 600),
            )
            for hour in range(720)
            for n in range(2)
        },
        {(n, f"{w:032x}"): (12_345_678, 1.2345678) for w in range(32) for n in range(2)},
        {2**62 + number: number for number in range(2_000)},
        scales=SCALES,
    )
    assert len(queries.transpile(text, Dialect.ATHENA).encode()) < 262_144
