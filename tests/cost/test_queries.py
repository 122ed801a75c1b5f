"""The SQL of the cost stage: every engine can parse it, and it keeps to their common subset."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from tenantmetrics import ledger
from tenantmetrics.cost import queries
from tenantmetrics.cost.engines.athena import Athena, over_partitions
from tenantmetrics.cost.period import parse_month
from tenantmetrics.cost.queries import Dialect

NOVEMBER = parse_month("2026-11")
SOURCES = {
    "hours": queries.hours(NOVEMBER, 32),
    "tenants": queries.tenants(
        NOVEMBER, {494_303: 0.1, 494_304: 1e-9, 494_305: 0.0}, {494_304: 0.25}
    ),
    "losses": queries.losses(NOVEMBER),
    "windows": queries.windows(NOVEMBER),
    "wholeness": queries.wholeness(NOVEMBER),
}

ALLOWED = {
    # The shape of a query. No ORDER BY, LIMIT or window: results must not hang on an order.
    exp.Select, exp.From, exp.Join, exp.Where, exp.Group, exp.Subquery, exp.Distinct, exp.Values,
    exp.Tuple, exp.Table, exp.TableAlias, exp.Alias, exp.Column, exp.Identifier, exp.Star,
    exp.Literal, exp.Paren,
    # Aggregates that come out the same in any order of integers. No avg, no approximation.
    exp.Sum, exp.Count, exp.Min, exp.Max,
    # Scalars. Of `/`, only seconds by 3600; a double times an integer is IEEE's everywhere.
    exp.Case, exp.If, exp.Coalesce, exp.Cast, exp.DataType, exp.Floor, exp.TimeToUnix, exp.Mul,
    exp.Sub, exp.Div, exp.And, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT,
}  # fmt: skip
"""What DuckDB, Trino (Athena) and Spark all have and all mean alike."""

RANKED = {
    "hours": {
        # The writers with the most calls; the order has no ties.
        exp.GroupingSets, exp.Window, exp.RowNumber, exp.Order, exp.Ordered, exp.Is, exp.Null,
        exp.Or, exp.LTE,
    }
}  # fmt: skip
"""What single queries use beyond that."""

IN_DIALECT = {
    Dialect.DUCKDB: set(),
    # The table's partitions stand in front.
    Dialect.ATHENA: {exp.With, exp.CTE, exp.Between},
    # sqlglot's names for what Spark calls CAST and UNIX_TIMESTAMP.
    Dialect.SPARK: {exp.TryCast, exp.StrToUnix},
}


def sent(name: str, dialect: Dialect) -> str:
    """The text of a query as the engine gets it."""
    if dialect is Dialect.ATHENA:
        return over_partitions(
            queries.parsed(SOURCES[name]), Athena("books.ledger").relation(), NOVEMBER
        )
    return queries.transpile(SOURCES[name], dialect)


def outside(sql: str, dialect: Dialect) -> set[str]:
    """Names of the constructs that are not of the common subset."""
    tree = sqlglot.parse_one(sql, read=dialect)
    strange = {type(node) for node in tree.walk()} - ALLOWED - IN_DIALECT[dialect]
    return {kind.__name__ for kind in strange}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("dialect", Dialect)
def test_only_constructs_of_the_common_subset_are_used(name, dialect):
    """In the source and in every dialect made of it: nothing slips in by way of transpiling."""
    more = {kind.__name__ for kind in RANKED.get(name, ())}
    assert outside(SOURCES[name], Dialect.DUCKDB) <= more
    assert outside(sent(name, dialect), dialect) <= more


@pytest.mark.parametrize("name", SOURCES)
def test_athena_reads_the_table_only_through_the_months_partitions(name):
    """One place names the table, and there the days are bounded by both borders."""
    tree = sqlglot.parse_one(sent(name, Dialect.ATHENA), read=Dialect.ATHENA)
    (table,) = [table for table in tree.find_all(exp.Table) if table.name != queries.RELATION]
    assert (table.db, table.name) == ("books", "ledger")
    where = table.find_ancestor(exp.Select).args["where"].sql(Dialect.ATHENA)
    assert where == """WHERE "date" BETWEEN '2026-11-01' AND '2026-11-30'"""


def test_a_zones_month_takes_the_utc_days_it_touches():
    """November in Kolkata begins on the 31st of October in UTC."""
    period = parse_month("2026-11", "Asia/Kolkata")
    text = over_partitions(queries.parsed(queries.hours(period, 32)), Athena().relation(), period)
    assert "BETWEEN '2026-10-31' AND '2026-11-30'" in text


@pytest.mark.parametrize(
    ("sql", "construct"),
    [
        ("SELECT avg(calls) FROM usage", "Avg"),
        ("SELECT calls // 2 FROM usage", "IntDiv"),
        ("SELECT list(tenant) FROM usage", "ArrayAgg"),
        ("SELECT tenant FROM usage ORDER BY tenant", "Ordered"),
        ("SELECT tenant FROM usage QUALIFY row_number() OVER () = 1", "Window"),
        ("SELECT sum(calls) FILTER (WHERE lost = 0) FROM usage", "Filter"),
        ("SELECT median(calls) FROM usage", "Median"),
        ("SELECT epoch_us(window_start) FROM usage", "Anonymous"),
        ("SELECT make_timestamptz(1) FROM usage", "Anonymous"),
        ("SELECT date_trunc('hour', window_start) FROM usage", "TimestampTrunc"),
        ("SELECT tenant FROM usage WHERE tenant ILIKE 'a%'", "ILike"),
        ("SELECT window_start AT TIME ZONE 'UTC' FROM usage", "AtTimeZone"),
    ],
)
def test_the_allow_list_sees_what_is_outside(sql, construct):
    """What one engine lacks, or does in its own way, is found."""
    assert construct in outside(sql, Dialect.DUCKDB)


def test_every_type_that_is_cast_to_is_one_of_two():
    """BIGINT and DOUBLE are the same in all three; DECIMAL's scales are not."""
    casts = {
        cast.to.sql()
        for sql in SOURCES.values()
        for cast in sqlglot.parse_one(sql, read=Dialect.DUCKDB).find_all(exp.Cast)
    }
    assert casts == {"BIGINT", "DOUBLE"}


def test_the_queries_read_the_columns_they_say_and_no_others():
    """A check of a file reads `COLUMNS_READ`: it must be what the queries touch."""
    known = {column.name for column in ledger.COLUMNS}
    touched = {
        column.name
        for sql in SOURCES.values()
        for column in sqlglot.parse_one(sql, read=Dialect.DUCKDB).find_all(exp.Column)
    }
    assert touched & known == {*queries.COLUMNS_READ, *queries.COLUMNS_SINCE_2} & known


@pytest.mark.parametrize("dialect", Dialect)
def test_factors_reach_every_engine_to_the_last_bit(dialect):
    """The text of each factor reads back as the same double, tiny and odd ones too."""
    factors = {1: 0.1, 2: 5e-324, 3: 1 / 3, 4: 123456789.123456789, 5: 0.0, 6: 1e300}
    text = queries.transpile(queries.tenants(NOVEMBER, factors, {}), dialect)
    rows = sqlglot.parse_one(text, read=dialect).find(exp.Values).expressions
    assert {int(row.expressions[0].name): float(row.expressions[2].name) for row in rows} == (
        factors
    )
