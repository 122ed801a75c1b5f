"""The engine that a report's options ask for."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tenantmetrics.errors import ReportError

if TYPE_CHECKING:
    from tenantmetrics.cost.engines import Engine

__all__ = ["EngineName", "engine_of"]


class EngineName(StrEnum):
    """What sums the ledger up."""

    DUCKDB = "duckdb"
    ATHENA = "athena"
    SPARK = "spark"


def engine_of(
    name: EngineName,
    *,
    spark_master: str | None = None,
    athena_table: str | None = None,
    athena_workgroup: str | None = None,
    athena_output: str | None = None,
    athena_timeout: float | None = None,
) -> Engine | None:
    """The engine of a report's options, None standing for DuckDB.

    Raises:
        ConfigError: An option has an impossible value.
        ReportError: An option of another engine was given: it would change nothing.
    """
    for option, value in locals().copy().items():
        if option != "name" and value is not None and not option.startswith(name):
            flag = option.replace("_", "-")
            raise ReportError(f"--{flag} needs --engine {option.partition('_')[0]}")
    if name is EngineName.SPARK:
        from tenantmetrics.cost.engines.spark import Spark

        return Spark(master=spark_master)
    if name is EngineName.ATHENA:
        from tenantmetrics.cost.engines.athena import Athena

        return Athena(
            athena_table or "tenantmetrics_ledger",
            workgroup=athena_workgroup or "primary",
            output=athena_output,
            timeout_s=1800.0 if athena_timeout is None else athena_timeout,
        )
    return None
