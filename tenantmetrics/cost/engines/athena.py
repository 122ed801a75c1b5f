"""Athena: the ledger is summed where it lies on S3, and only the sums come back.

The table is the one of `tenantmetrics athena-table`. Only the period's `date` partitions are
scanned. Before the sums count, what Athena saw is held against the bucket's own listing: a table
that points elsewhere, or whose partitions end too early, is an error and not a smaller bill.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlglot import exp

from tenantmetrics.cost import queries
from tenantmetrics.cost.engines.base import PathLike, refuse_holes, refuse_skipping
from tenantmetrics.cost.engines.objects import trusted
from tenantmetrics.cost.s3 import S3Ledger, days_of
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import ConfigError, LedgerError, ReportError
from tenantmetrics.ledger import STATEMENT_COLUMNS, FileName

__all__ = ["STATEMENTS_SUFFIX", "Athena"]

STATEMENTS_SUFFIX = "_statements"
"""Of the table of statements, after the main table's name."""

_MAX_QUERY_BYTES = 262_144
"""Athena's limit on a query string (StartQueryExecution, QueryString)."""

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 5.0
"""Between two looks at a query: it takes seconds, and GetQueryExecution is throttled at 20 a second
(Athena service quotas, default burst 100)."""

_NAME = re.compile(r"(?:([a-z0-9_]+)\.)?([a-z0-9_]+)")


class Athena:
    """Opens ledgers on S3 that have an Athena table.

    Region, credentials and endpoints are boto3's own. It needs `athena:StartQueryExecution`,
    `athena:GetQueryExecution`, `athena:GetQueryResults`, `athena:StopQueryExecution`,
    `glue:GetDatabase`, `glue:GetTable`, `glue:GetPartitions`, reading the ledger's bucket and
    reading and writing the place of the results.

    Args:
        table: The table's name, or `database.name`.
        workgroup: The workgroup that runs and pays for the queries.
        output: `s3://bucket/prefix/` for the results; None where the workgroup has one.
        timeout_s: Seconds that one query may take; it is stopped then. Athena's own default limit
            for a query is 30 minutes (service quotas, DML query timeout).
        wait: Waits so many seconds.
        clock: A monotonic clock in seconds.

    Raises:
        ConfigError: The table's name or the output is not of that form.
    """

    reads_s3 = True

    def __init__(
        self,
        table: str = "tenantmetrics_ledger",
        *,
        workgroup: str = "primary",
        output: str | None = None,
        timeout_s: float = 1800.0,
        wait: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        match = _NAME.fullmatch(table)
        if match is None:
            raise ConfigError(
                f"table {table!r} must be letters, digits and underscores, lower case"
            )
        if output is not None and not re.fullmatch(r"s3://[^/\s]+(/\S*)?", output):
            raise ConfigError(f"output {output!r} must be s3://bucket/prefix/")
        self.name = f"{match[1] or 'default'}.{match[2]}"
        self._workgroup = workgroup
        self._output = output
        self._timeout_s = timeout_s
        self._wait = wait or threading.Event().wait
        self._clock = clock

    def open(self, ledger: PathLike, period: Period, *, skip_corrupt: bool) -> _Table:
        """As `Engine.open`; `skip_corrupt` is refused, and so is a folder."""
        if skip_corrupt:
            refuse_skipping("athena")
        if not isinstance(ledger, str) or not ledger.startswith("s3://"):
            # Not which: usage from logs or metrics lies in a folder that the user never named.
            raise ReportError(
                "the athena engine reads a ledger where it lies, at s3://bucket/prefix; any other "
                "usage needs the duckdb engine"
            ).about("engine", "usage")
        with S3Ledger(ledger) as remote:
            objects = trusted(remote.objects(period), ledger)
            statements = bool(remote.statements(period))
            opened = _Table(self, ledger, period, has_statements=statements)
            try:
                if refuse_holes(opened, period) != len(objects):
                    opened.refuse_gaps(remote, objects)
            except BaseException:
                opened.close()
                raise
        return opened

    def relation(self, suffix: str = "") -> exp.Table:
        """The table, as part of a query.

        Args:
            suffix: `STATEMENTS_SUFFIX` for the table of statements.
        """
        database, _, table = self.name.partition(".")
        return exp.table_(table + suffix, database, quoted=True)

    def run(self, client: Any, sql: str) -> list[tuple[str, ...]]:
        """Run a statement of Athena's SQL and wait for its rows, all of them as text.

        Raises:
            LedgerError: Athena refuses or cancels it, it fails, or it takes too long.
        """
        if len(sql.encode()) > _MAX_QUERY_BYTES:
            raise ReportError(
                f"the query is longer than Athena's {_MAX_QUERY_BYTES} bytes: use the spark engine"
            ).about("engine")
        request = {
            "QueryString": sql,
            "QueryExecutionContext": {"Database": self.relation().db},
            "WorkGroup": self._workgroup,
        }
        if self._output is not None:
            request["ResultConfiguration"] = {"OutputLocation": self._output}
        query = str(client.start_query_execution(**request)["QueryExecutionId"])
        try:
            status = self._finished(client, query)
        except BaseException:
            # Also on Ctrl-C: a query that nobody waits for would run on, and be paid for.
            client.stop_query_execution(QueryExecutionId=query)
            raise
        if status["State"] != "SUCCEEDED":
            reason = " ".join(str(status.get("StateChangeReason", "no reason given")).split())
            raise LedgerError(f"Athena query {query} {status['State'].lower()}: {reason}")
        pages = client.get_paginator("get_query_results").paginate(QueryExecutionId=query)
        rows = [row["Data"] for page in pages for row in page["ResultSet"]["Rows"]]
        # The first row of the first page is the header.
        return [tuple(datum.get("VarCharValue", "") for datum in row) for row in rows[1:]]

    def _finished(self, client: Any, query: str) -> dict[str, Any]:
        """The status of a query that runs no more."""
        deadline = self._clock() + self._timeout_s
        pause_s = _FIRST_WAIT_S
        while True:
            execution = client.get_query_execution(QueryExecutionId=query)["QueryExecution"]
            status: dict[str, Any] = execution["Status"]
            if status["State"] in {"SUCCEEDED", "FAILED", "CANCELLED"}:
                return status
            left_s = deadline - self._clock()
            if left_s <= 0:
                raise LedgerError(
                    f"Athena query {query} is still {status['State'].lower()} after "
                    f"{self._timeout_s:g} s, and was stopped: give it more time"
                ).about("timeout_s")
            self._wait(min(pause_s, left_s))
            pause_s = min(pause_s * 2, _LONGEST_WAIT_S)


class _Table:
    """The period's partitions of the table."""

    copies = 0

    def __init__(
        self, athena: Athena, ledger: str, period: Period, *, has_statements: bool
    ) -> None:
        import boto3  # noqa: PLC0415 - 100 ms that other engines need not wait for
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        self._athena = athena
        self._ledger = ledger
        self._period = period
        self._has_statements = has_statements
        self._errors = (BotoCoreError, ClientError)
        try:
            self._client: Any = boto3.client("athena")
        except self._errors as error:
            raise _refusal(error) from None

    def left_out(self) -> str:
        return ""

    def nothing(self) -> str:
        return f"the ledger {self._ledger!r} holds nothing for {self._period.label}"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        query = queries.parsed(sql)
        by_statement = _reads_statements(query)
        if by_statement and not self._has_statements:
            return []  # grouped sums of nothing
        table = self._athena.relation(STATEMENTS_SUFFIX if by_statement else "")
        text = over_partitions(query, table, self._period)
        try:
            return list(self._athena.run(self._client, text))
        except LedgerError as error:
            if by_statement and "TABLE_NOT_FOUND" in str(error):
                raise LedgerError(
                    f"Athena has no table {self._athena.name}{STATEMENTS_SUFFIX}, which reads the "
                    "ledger's statements: create it as `tenantmetrics athena-table` prints it, or "
                    "ask for server time by wall"
                ).about("server_time") from None
            raise
        except self._errors as error:
            raise _refusal(error) from None

    def close(self) -> None:
        self._client.close()

    def refuse_gaps(self, remote: S3Ledger, objects: Mapping[FileName, str]) -> None:
        """Find the object that Athena passed over; one without rows is none.

        Args:
            remote: The ledger.
            objects: What was there before Athena was asked.

        Raises:
            LedgerError: There is one, or Athena read a window that is not in the bucket.
        """
        from pyarrow import parquet  # noqa: PLC0415 - an extra

        seen = {
            (writer, int(sequence), int(start_s))
            for writer, sequence, start_s in self.rows(queries.windows(self._period))
        }
        table = self._athena.name
        advice = f"does its LOCATION, or its projection.date.range, fit {self._ledger}?"
        # Listed again: in a month that is not over, writers add to it all the while.
        now = _windows(trusted(remote.objects(self._period), self._ledger))
        for writer, sequence, _ in seen - set(now):
            raise LedgerError(
                f"Athena's table {table} holds window {sequence} of writer {writer!r}, and the "
                f"ledger does not: {advice}"
            )
        with TemporaryDirectory(prefix="tenantmetrics-") as folder:
            for window, key in _windows(objects).items():
                if window in seen:
                    continue
                if parquet.read_metadata(remote.fetch_one(key, Path(folder))).num_rows:
                    raise LedgerError(f"Athena's table {table} passes over {key!r}: {advice}")


def over_partitions(query: exp.Query, table: exp.Table, period: Period) -> str:
    """A query of `cost.queries` in Athena's SQL, over the partitions of a period.

    Args:
        query: The query, as `queries.parsed` gives it.
        table: The table that stands for the relation that the query reads.
        period: What the query sums: other days are not even listed, let alone scanned and paid for.
    """
    relation = queries.STATEMENTS if _reads_statements(query) else queries.RELATION
    days = [exp.Literal.string(str(day)) for day in days_of(period)]
    of_period = exp.column("date", quoted=True).between(days[0], days[-1])
    columns: tuple[str, ...] = (*queries.COLUMNS_READ, *queries.COLUMNS_SINCE_2)
    if relation == queries.STATEMENTS:
        columns = tuple(column.name for column in STATEMENT_COLUMNS)
    usage = exp.select(*columns).from_(table).where(of_period)
    return query.with_(relation, as_=usage).sql(queries.Dialect.ATHENA)


def _reads_statements(query: exp.Query) -> bool:
    return any(table.name == queries.STATEMENTS for table in query.find_all(exp.Table))


def _windows(objects: Mapping[FileName, str]) -> dict[tuple[str, int, int], str]:
    return {(name.writer, name.sequence, name.start_s): key for name, key in objects.items()}


def _refusal(error: Exception) -> LedgerError:
    return LedgerError(f"Athena cannot be asked: {' '.join(str(error).split())}")
