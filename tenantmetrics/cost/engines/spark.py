"""Spark: for ledgers that outgrow one machine.

It reads exactly the files that DuckDB would: in a folder, copies are found by comparing bytes and
left out; on S3 the listing decides. Outside EMR the address is `s3a://bucket/prefix`, and Spark
needs Hadoop's S3A connector.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tenantmetrics import ledger as ledger_format
from tenantmetrics.cost import queries
from tenantmetrics.cost.engines.base import PathLike, refuse_holes, refuse_skipping
from tenantmetrics.cost.engines.objects import trusted
from tenantmetrics.cost.files import find, find_statements, named
from tenantmetrics.cost.s3 import S3Ledger
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import LedgerError, MissingExtraError, ReportError
from tenantmetrics.ledger import Kind

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Spark"]

_TYPES = {
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.STRING: "STRING",
    Kind.INT32: "INT",
    Kind.INT64: "BIGINT",
}
_JAVA_CLASS = re.compile(r"^([a-z]\w*\.)+\w+: ")
_GLOB = re.compile(r"([\\{}\[\]*?])")


class Spark:
    """Opens ledgers in folders that every executor sees, or on S3.

    Args:
        session: The session to use, which stays open. If None, the active one; if there is none, a
            session is started, of `spark-submit`'s settings or else local, and stopped at the end.
        master: Where a session of ours runs ("local[4]", "spark://host:7077").
    """

    reads_s3 = True

    def __init__(self, session: SparkSession | None = None, *, master: str | None = None) -> None:
        self._session = session
        self._master = master

    def open(self, ledger: PathLike, period: Period, *, skip_corrupt: bool) -> _Files:
        """As `Engine.open`; `skip_corrupt` is refused."""
        if skip_corrupt:
            refuse_skipping("spark")
        if isinstance(ledger, str) and ledger.startswith(("s3://", "s3a://")):
            with S3Ledger(ledger) as remote:
                scheme = ledger.partition(":")[0]
                keys = trusted(remote.objects(period), ledger)
                others = trusted(remote.statements(period), ledger)
            where = f"{scheme}://{remote.bucket}/"
            paths = [where + key for key in keys.values()]
            statements = [where + key for name, key in others.items() if name in keys]
            copies = 0
        else:
            files = find(ledger)
            if files.broken:
                raise LedgerError(f"ledger files cannot be read: {named(files.broken, files.root)}")
            others_found = find_statements(files)
            if others_found.broken:
                words = named(others_found.broken, files.root)
                raise LedgerError(f"ledger files cannot be read: {words}")
            # Absolute and with its scheme: Spark's default file system may be another.
            paths, statements = (
                [f"file://{path.absolute()}" for path in of.within(period.start_s, period.end_s)]
                for of in (files, others_found)
            )
            copies = len(files.copies)
        if not paths:
            raise ReportError(f"the ledger {str(ledger)!r} holds nothing for {period.label}")
        opened = _Files(
            self._session,
            self._master,
            paths=paths,
            statements=statements,
            copies=copies,
            ledger=str(ledger),
            label=period.label,
        )
        try:
            refuse_holes(opened, period)
        except BaseException:
            opened.close()
            raise
        return opened


class _Files:
    """Files as a temporary view in a session of their own, which changes nothing in the user's."""

    def __init__(
        self,
        session: SparkSession | None,
        master: str | None,
        *,
        paths: Sequence[str],
        statements: Sequence[str],
        copies: int,
        ledger: str,
        label: str,
    ) -> None:
        self._ledger = ledger
        self._label = label
        self._copies = copies
        self._own: SparkSession | None = None
        try:
            from py4j.protocol import Py4JError  # noqa: PLC0415 - an extra
            from pyspark.errors import PySparkException  # noqa: PLC0415 - an extra
            from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtraError("the spark engine", "spark") from None
        self._errors = (PySparkException, Py4JError)
        user_session = session or SparkSession.getActiveSession()
        if user_session is None:
            user_session = self._own = self._start(SparkSession.builder, master)
        try:
            self._session = user_session.newSession()
            # An overflow must fail, not wrap around; moments are shown nowhere, but read as UTC.
            self._session.conf.set("spark.sql.ansi.enabled", "true")
            self._session.conf.set("spark.sql.session.timeZone", "UTC")
            escaped = [_GLOB.sub(r"\\\1", path) for path in paths]
            frame = self._session.read.schema(_schema()).parquet(*escaped)
            frame = frame.fillna(0, subset=list(ledger_format.columns_added(1)))
            frame.createOrReplaceTempView(queries.RELATION)
            schema = _columns(column.name for column in ledger_format.STATEMENT_COLUMNS)
            if statements:
                escaped = [_GLOB.sub(r"\\\1", path) for path in statements]
                frame = self._session.read.schema(schema).parquet(*escaped)
            else:
                # Not createDataFrame, which makes this session the process's active one.
                empty = (f"CAST(NULL AS {kind}) AS {name}" for name, kind in _pairs(schema))
                frame = self._session.range(0).selectExpr(*empty)
            frame.createOrReplaceTempView(queries.STATEMENTS)
        except self._errors as error:
            self.close()
            raise self._unreadable(error) from None

    @property
    def copies(self) -> int:
        return self._copies

    def left_out(self) -> str:
        return ""

    def nothing(self) -> str:
        return f"the ledger {self._ledger!r} holds nothing for {self._label}"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        text = queries.transpile(sql, queries.Dialect.SPARK)
        try:
            return [tuple(row) for row in self._session.sql(text).collect()]
        except self._errors as error:
            raise self._unreadable(error) from None

    def close(self) -> None:
        if self._own is not None:
            self._own.stop()
            self._own = None

    def _start(self, builder: Any, master: str | None) -> SparkSession:
        if master is not None:
            builder = builder.master(master)
        builder = builder.appName("tenantmetrics")
        for name, value in {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "OFF",  # what goes wrong is raised, in one line
        }.items():
            builder = builder.config(name, value)
        try:
            session: SparkSession = builder.getOrCreate()
        except self._errors as error:
            raise ReportError(
                f"Spark does not start: {_first_line(error)}; it needs Java 17 or later (JAVA_HOME)"
            ) from None
        return session

    def _unreadable(self, error: Exception) -> LedgerError:
        return LedgerError(f"Spark cannot read ledger {self._ledger!r}: {_first_line(error)}")


def _schema() -> str:
    """The columns that are read, with their types: else Spark would open a file to learn them.

    Where a file lacks one, Spark reads NULL.
    """
    return _columns((*queries.COLUMNS_READ, *ledger_format.columns_added(1)))


def _columns(names: Iterable[str]) -> str:
    every = (*ledger_format.COLUMNS, *ledger_format.STATEMENT_COLUMNS)
    kinds = {column.name: column.kind for column in every}
    return ", ".join(f"{name} {_TYPES[kinds[name]]}" for name in names)


def _first_line(error: Exception) -> str:
    """What went wrong, without Java's stack and without Python's part of the call."""
    lines = [line.strip(": ") for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("An error occurred while calling")]
    return _JAVA_CLASS.sub("", told[0]) if told else type(error).__name__


def _pairs(schema: str) -> Iterable[tuple[str, str]]:
    """Names and types of a schema in Spark's words."""
    for column in schema.split(", "):
        name, _, kind = column.partition(" ")
        yield name, kind
