"""The queries over the table of statements: each engine's text of them gives the same numbers."""

import re

import duckdb
import pyarrow as pa
import pytest
import sqlglot

from tenantmetrics.cost import queries
from tenantmetrics.cost.queries import Dialect
from tenantmetrics.cost.server_time import sql, sql_cells, sql_factors
from tenantmetrics.cost.server_time.sql_words import workless_group

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
            (494_000 + hour, n): sql_factors.OfHour(n, 20_000_000 + hour, 1 / (hour + 3))
            for hour in range(720)
            for n in range(2)
        },
        {(n, f"{w:032x}"): (12_345_678, 1.2345678) for w in range(32) for n in range(2)},
        {2**62 + number: number for number in range(2_000)},
        scales=SCALES,
    )
    assert len(queries.transpile(text, Dialect.ATHENA).encode()) < 262_144
