"""The Athena table over an S3 ledger, so that anyone can query it where it lies.

Partitions are projected from the folders' names, so none is ever added by hand and no crawler is
needed; three years back are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tenantmetrics.buckets import unlisted
from tenantmetrics.cost.engines.athena import STATEMENTS_SUFFIX
from tenantmetrics.errors import ConfigError, LedgerError
from tenantmetrics.ledger import COLUMNS, STATEMENT_COLUMNS, STATEMENTS, Column, Kind

__all__ = ["LedgerTable", "create"]

_TYPES = {
    Kind.TIMESTAMP: "timestamp",
    Kind.STRING: "string",
    Kind.INT32: "int",
    Kind.INT64: "bigint",
    Kind.INT32_LIST: "array<int>",
    Kind.INT64_LIST: "array<bigint>",
}
_PARTITIONS = {"date": "string", "hour": "string"}
_HIVE_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"


@dataclass(frozen=True, slots=True)
class LedgerTable:
    """The table, before anyone has made it.

    Args:
        location: `s3://bucket/prefix`, as given to the exporter.
        table: Its name, or `database.name`: letters, digits and underscores.
        columns: Its columns.

    Raises:
        ConfigError: The location or the name is not of that form, or the bucket can hold no
            ledger.
    """

    location: str
    table: str = "tenantmetrics_ledger"
    columns: tuple[Column, ...] = COLUMNS

    def __post_init__(self) -> None:
        if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]+(/[A-Za-z0-9!_.*()/=-]*)?", self.location):
            raise ConfigError(f"location {self.location!r} must be s3://bucket/prefix")
        if words := unlisted(self.location):
            raise ConfigError(f"location {self.location!r} {words}")
        if not re.fullmatch(r"([a-z0-9_]+\.)?[a-z0-9_]+", self.table):
            raise ConfigError(
                f"table {self.table!r} must be letters, digits and underscores, lower case"
            )

    def statements(self) -> LedgerTable:
        """The table of statements, which lies below the ledger."""
        return LedgerTable(
            f"{self._folder}{STATEMENTS}", f"{self.table}{STATEMENTS_SUFFIX}", STATEMENT_COLUMNS
        )

    def ddl(self) -> str:
        """The statement that makes it, in Athena's language of table statements, Hive's."""
        name = ".".join(f"`{part}`" for part in self.table.split("."))
        columns = ",\n".join(
            f"  `{c.name}` {_TYPES[c.kind]} COMMENT '{_escaped(c.about)}'" for c in self.columns
        )
        partitions = ", ".join(f"`{key}` {kind}" for key, kind in _PARTITIONS.items())
        pairs = ",\n".join(f"  '{key}' = '{value}'" for key, value in self._properties().items())
        return (
            f"CREATE EXTERNAL TABLE IF NOT EXISTS {name} (\n{columns}\n)\n"
            f"PARTITIONED BY ({partitions})\n"
            f"STORED AS PARQUET\nLOCATION '{self._folder}'\nTBLPROPERTIES (\n{pairs}\n);\n"
        )

    def glue_input(self) -> dict[str, Any]:
        """The same table as Glue's `TableInput`."""
        return {
            "Name": self.name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet", **self._properties()},
            "PartitionKeys": [{"Name": key, "Type": kind} for key, kind in _PARTITIONS.items()],
            "StorageDescriptor": {
                "Columns": [
                    {"Name": c.name, "Type": _TYPES[c.kind], "Comment": c.about}
                    for c in self.columns
                ],
                "Location": self._folder,
                "InputFormat": f"{_HIVE_PARQUET}.MapredParquetInputFormat",
                "OutputFormat": f"{_HIVE_PARQUET}.MapredParquetOutputFormat",
                "SerdeInfo": {
                    "SerializationLibrary": f"{_HIVE_PARQUET}.serde.ParquetHiveSerDe",
                    "Parameters": {"serialization.format": "1"},
                },
            },
        }

    @property
    def database(self) -> str:
        """Glue's database."""
        return self.table.rpartition(".")[0] or "default"

    @property
    def name(self) -> str:
        """Its name in there."""
        return self.table.rpartition(".")[2]

    @property
    def _folder(self) -> str:
        return self.location.rstrip("/") + "/"

    def _properties(self) -> dict[str, str]:
        return {
            "projection.enabled": "true",
            "projection.date.type": "date",
            "projection.date.format": "yyyy-MM-dd",
            "projection.date.range": "NOW-3YEARS,NOW",
            "projection.date.interval": "1",
            "projection.date.interval.unit": "DAYS",
            "projection.hour.type": "integer",
            "projection.hour.range": "0,23",
            "projection.hour.digits": "2",
            "storage.location.template": f"{self._folder}date=${{date}}/hour=${{hour}}/",
        }


def create(table: LedgerTable) -> str:
    """Make the table in Glue's catalogue, or bring one that is there up to date.

    Region, credentials and endpoint are boto3's own. It needs `glue:CreateTable`, `glue:GetTable`
    and `glue:UpdateTable`.

    Returns:
        What was done: "created", "updated" or "unchanged".

    Raises:
        LedgerError: Glue refuses, or the table is there and reads another place.
    """
    import boto3  # noqa: PLC0415 - 100 ms, only for those who make the table
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    wanted = table.glue_input()
    try:
        glue = boto3.client("glue")
        try:
            glue.create_table(DatabaseName=table.database, TableInput=wanted)
        except glue.exceptions.AlreadyExistsException:
            there = glue.get_table(DatabaseName=table.database, Name=table.name)["Table"]
            return _update(glue, table, there)
        finally:
            glue.close()
    except (BotoCoreError, ClientError) as error:
        said = " ".join(str(error).split())
        raise LedgerError(f"table {table.database}.{table.name} cannot be made: {said}") from None
    return "created"


def _update(glue: Any, table: LedgerTable, there: Mapping[str, Any]) -> str:
    wanted = table.glue_input()
    where, place = (made["StorageDescriptor"]["Location"] for made in (wanted, there))
    if place.rstrip("/") != where.rstrip("/"):
        raise LedgerError(
            f"table {table.database}.{table.name} is there already and reads {place}, not "
            f"{where}: choose another name"
        ).about("table")
    # Glue adds facts of its own, such as who made it: only what we say must be as we say it.
    if all(there.get(key) == value for key, value in wanted.items() if key != "Parameters") and (
        there.get("Parameters", {}).items() >= wanted["Parameters"].items()
    ):
        return "unchanged"
    kept = {**there.get("Parameters", {}), **wanted["Parameters"]}
    glue.update_table(DatabaseName=table.database, TableInput={**wanted, "Parameters": kept})
    return "updated"


def _escaped(text: str) -> str:
    """Athena's table statements are Hive's: a quote in a text is escaped with a backslash."""
    return text.replace("\\", "\\\\").replace("'", "\\'")
