"""The Athena table over the S3 ledger."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from tenantmetrics import ledger
from tenantmetrics.cost.athena_table import LedgerTable
from tenantmetrics.errors import ConfigError


def test_the_table_has_the_ledgers_columns_with_types_that_hold_them():
    """The statement parses in Athena's dialect, and its columns are the schema's, in order."""
    created = sqlglot.parse_one(LedgerTable("s3://books/prod/").ddl(), dialect="athena")
    assert isinstance(created, exp.Create)
    columns = [
        (column.name, column.kind.sql("hive").lower())
        for column in created.this.find_all(exp.ColumnDef)
        if column.kind is not None
    ]
    types = {"int32": "int", "int64": "bigint", "list<int32>": "array<int>",
             "list<int64>": "array<bigint>"}  # fmt: skip
    assert [c for c in columns if c[0] not in {"date", "hour"}] == [
        (column.name, types.get(column.kind, str(column.kind))) for column in ledger.COLUMNS
    ]


def test_partitions_are_projected_onto_the_folders_that_the_exporter_writes():
    """No partition is added by hand: the template is the exporter's own naming."""
    ddl = LedgerTable("s3://books/prod/ledger", "finance.usage").ddl()
    assert "`finance`.`usage`" in ddl
    assert "LOCATION 's3://books/prod/ledger/'" in ddl
    assert "'s3://books/prod/ledger/date=${date}/hour=${hour}/'" in ddl


@pytest.mark.parametrize(
    ("location", "table"),
    [
        ("/var/lib/ledger", "t"),
        ("s3://", "t"),
        ("s3://books/x' COMMENT 'y", "t"),
        ("s3://books", "a b"),
        ("s3://books", "a`; DROP TABLE b"),
        ("s3://books", "a.b.c"),
    ],
)
def test_what_could_change_the_statement_is_refused(location, table):
    """Only plain locations and names; quotes and spaces are none."""
    with pytest.raises(ConfigError, match="must be"):
        LedgerTable(location, table)


def test_glues_table_is_the_statements():
    """The same columns, partitions, place and properties, whichever way the table is made."""
    table = LedgerTable("s3://books/prod", "finance.usage")
    created = sqlglot.parse_one(table.ddl(), dialect="athena")
    stated = {
        one.this.name: one.args["value"].name
        for one in created.find_all(exp.Property)
        if isinstance(one.args.get("value"), exp.Literal)
    }
    glue = table.glue_input()
    assert stated
    assert {"EXTERNAL": "TRUE", "classification": "parquet", **stated} == glue["Parameters"]
    assert glue["StorageDescriptor"]["Location"] == "s3://books/prod/"
    types = {
        column.name: column.kind.sql("hive").lower()
        for column in created.this.find_all(exp.ColumnDef)
        if column.kind is not None
    }
    columns = glue["StorageDescriptor"]["Columns"] + glue["PartitionKeys"]
    assert {one["Name"]: one["Type"] for one in columns} == {
        **types, "date": "string", "hour": "string",
    }  # fmt: skip
