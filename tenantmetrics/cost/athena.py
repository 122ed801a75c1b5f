"""The Athena table over an S3 ledger, so that anyone can query it where it lies."""

from __future__ import annotations

import re

from tenantmetrics.errors import ConfigError
from tenantmetrics.ledger import COLUMNS, Kind

__all__ = ["table_ddl"]

_TYPES = {
    Kind.TIMESTAMP: "timestamp",
    Kind.STRING: "string",
    Kind.INT32: "int",
    Kind.INT64: "bigint",
    Kind.INT32_LIST: "array<int>",
    Kind.INT64_LIST: "array<bigint>",
}


def table_ddl(location: str, table: str = "tenantmetrics_ledger") -> str:
    """The statement that makes the table.

    Partitions are projected from the folders' names, so none is ever added by hand and no crawler
    is needed; three years back are looked at.

    Args:
        location: `s3://bucket/prefix`, as given to the exporter.
        table: Its name, or `database.name`: letters, digits and underscores.

    Raises:
        ConfigError: The location or the name is not of that form.
    """
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]+(/[A-Za-z0-9!_.*()/=-]*)?", location):
        raise ConfigError(f"location {location!r} must be s3://bucket/prefix")
    if not re.fullmatch(r"([a-z0-9_]+\.)?[a-z0-9_]+", table):
        raise ConfigError(f"table {table!r} must be letters, digits and underscores, lower case")
    where = location.rstrip("/")
    name = ".".join(f"`{part}`" for part in table.split("."))
    columns = ",\n".join(
        f"  `{c.name}` {_TYPES[c.kind]} COMMENT '{_escaped(c.about)}'" for c in COLUMNS
    )
    properties = {
        "projection.enabled": "true",
        "projection.date.type": "date",
        "projection.date.format": "yyyy-MM-dd",
        "projection.date.range": "NOW-3YEARS,NOW",
        "projection.date.interval": "1",
        "projection.date.interval.unit": "DAYS",
        "projection.hour.type": "integer",
        "projection.hour.range": "0,23",
        "projection.hour.digits": "2",
        "storage.location.template": f"{where}/date=${{date}}/hour=${{hour}}/",
    }
    pairs = ",\n".join(f"  '{key}' = '{value}'" for key, value in properties.items())
    return (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS {name} (\n{columns}\n)\n"
        "PARTITIONED BY (`date` string, `hour` string)\n"
        f"STORED AS PARQUET\nLOCATION '{where}/'\nTBLPROPERTIES (\n{pairs}\n);\n"
    )


def _escaped(text: str) -> str:
    """Athena's table statements are Hive's: a quote in a text is escaped with a backslash."""
    return text.replace("\\", "\\\\").replace("'", "\\'")
