"""DuckDB, in the process: the default. Every file of the ledger is accounted for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from tenantmetrics import ledger
from tenantmetrics.cost import queries
from tenantmetrics.cost.engines.base import PathLike
from tenantmetrics.cost.engines.views import FILE_HOUR, Views
from tenantmetrics.cost.files import Broken, LedgerFiles, find, find_statements, named
from tenantmetrics.cost.hour_factors import looked_up
from tenantmetrics.cost.progress import step
from tenantmetrics.cost.row_counts import rows_of_parquet
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import LedgerError, MissingExtraError, ReportError

__all__ = ["DuckDB"]


class DuckDB:
    """Opens ledgers in folders."""

    reads_s3 = False

    def open(self, ledger: PathLike, period: Period, *, skip_corrupt: bool) -> _Folder:
        """As `Engine.open`."""
        return _Folder(find(ledger), period, skip_corrupt=skip_corrupt)


class _Folder:
    """A ledger's files of one period, as a view of DuckDB's."""

    def __init__(self, files: LedgerFiles, period: Period, *, skip_corrupt: bool) -> None:
        try:
            import duckdb  # noqa: PLC0415 - an extra
        except ImportError:
            raise MissingExtraError("the report", "report") from None
        self._files = files
        self._period = period
        self._skip_corrupt = skip_corrupt
        self._refuse(files.broken)
        self._left_out = list(files.broken)
        self._paths = files.within(period.start_s, period.end_s)
        self._statement_files: list[Path] | None = None
        self._sizes: dict[bool, int] = {}
        self._read_whole: set[str] = set()
        self._error = duckdb.Error
        self._database = duckdb.connect()
        # After two seconds it would write into the report's own output.
        self._database.execute("SET enable_progress_bar = false").fetchall()
        self._views = Views(self._database)

    @property
    def copies(self) -> int:
        return len(self._files.copies)

    def left_out(self) -> str:
        return named(self._left_out, self._files.root)

    def close(self) -> None:
        self._database.close()
        self._views.close()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query; if files turn out to be broken, of the query without them."""
        text = queries.transpile(sql, queries.Dialect.DUCKDB)
        while True:
            if not self._paths:
                raise ReportError(self.nothing())
            statements = self._statements() if _reads_statements(sql) else None
            try:
                with step("reading the usage", partial(self._size, sql), self._database):
                    self._views.usage(self._paths)
                    if statements is not None:
                        self._views.statements(statements)
                    self._check(statements)
                    if queries.USAGE_TOTALS in sql:
                        self._views.usage_totals(self._paths)
                    if queries.STATEMENT_TOTALS in sql:
                        self._views.totals(statements or [])
                    return self._database.execute(self._quicker(text)).fetchall()
            except self._error as error:
                every = [*self._paths, *(statements or ())]
                broken = [bad for path in every if (bad := self._broken(path))]
                if not broken:
                    raise LedgerError(f"the ledger cannot be read: {_first_line(error)}") from None
            self._refuse(broken)
            self._left_out += broken
            gone = {bad.path for bad in broken}
            self._paths = [path for path in self._paths if path not in gone]
            self._statement_files = [path for path in self._statements() if path not in gone]

    def _quicker(self, sql: str) -> str:
        """The same query, as it takes least for millions of rows."""
        for relation in (queries.RELATION, queries.STATEMENTS):
            if self._views.say_hours(relation):
                sql = looked_up(sql, relation, FILE_HOUR)
        return _by_integers(sql)

    def _statements(self) -> list[Path]:
        """The files of the table of statements, listed when they are first asked for."""
        if self._statement_files is None:
            found = find_statements(self._files)
            self._refuse(found.broken)
            self._left_out += found.broken
            self._statement_files = found.within(self._period.start_s, self._period.end_s)
        return self._statement_files

    def _size(self, sql: str) -> int:
        """About how many rows a query reads."""
        both = _reads_statements(sql)
        if both not in self._sizes:
            paths = [*self._paths, *(self._statements() if both else ())]
            self._sizes[both] = rows_of_parquet(paths, self._database)
        return self._sizes[both]

    def nothing(self) -> str:
        text = f"the ledger {str(self._files.root)!r} holds nothing for {self._period.label}"
        if self._files.good:
            names = list(self._files.good)
            text += f" ({_day(names[0].start_s)} to {_day(names[-1].start_s)} is there)"
        if self._left_out:
            text += f"; left out: {self.left_out()}"
        return text

    def _check(self, statements: list[Path] | None) -> None:
        """Read all of the files once where broken ones are to be left out.

        Else a file could count in one query, of other columns or of what its footer says, and be
        left out of the next.
        """
        if not self._skip_corrupt:
            return
        for relation, paths in ((queries.RELATION, self._paths), (queries.STATEMENTS, statements)):
            if paths and relation not in self._read_whole:
                self._read(relation)
                self._read_whole.add(relation)

    def _read(self, relation: str) -> None:
        """Read every column that any query does."""
        columns: Sequence[str] = (*queries.COLUMNS_READ, *queries.COLUMNS_SINCE_2)
        if relation == queries.STATEMENTS:
            columns = [column.name for column in ledger.STATEMENT_COLUMNS]
        # Not max() or count(): those are answered from the statistics, without the data.
        sums = ", ".join(f"bit_xor(hash({column}))" for column in columns)
        self._database.execute(f"SELECT {sums} FROM {relation}").fetchall()  # noqa: S608 - our own names

    def _broken(self, path: Path) -> Broken | None:
        """Read all of one file; why it cannot be read, or None."""
        name = next((key for key, value in self._files.good.items() if value == path), None)
        try:
            if path.stat().st_size == 0:
                return Broken(path, "0 bytes", name)
            if path in (self._statement_files or ()):
                self._views.statements([path])
                self._read(queries.STATEMENTS)
            else:
                self._views.usage([path])
                self._read(queries.RELATION)
        except OSError as error:
            return Broken(path, error.strerror or "cannot be opened", name)
        except self._error as error:
            missing = "Binder" in type(error).__name__
            reason = "columns are missing" if missing else "truncated, corrupt or no Parquet file"
            return Broken(path, reason, name)
        return None

    def _refuse(self, broken: list[Broken]) -> None:
        if broken and not self._skip_corrupt:
            raise LedgerError(
                f"{len(broken)} ledger file{'s' * (len(broken) > 1)} cannot be read: "
                f"{named(broken, self._files.root)}; "
                "a report can be made without what they hold"
            ).about("skip_corrupt")


_HOUR = re.compile(re.escape(queries.HOUR), re.IGNORECASE)
_COMPARED = re.compile(r"epoch\(window_start\) (>=|<) (\d+)", re.IGNORECASE)


def _by_integers(sql: str) -> str:
    """The same query without the doubles that `epoch` gives: a tenth less for millions of rows."""
    sql = _HOUR.sub("(epoch_us(window_start) // 3600000000)", sql)
    return _COMPARED.sub(r"epoch_us(window_start) \1 \g<2>000000", sql)


def _reads_statements(sql: str) -> bool:
    return queries.STATEMENTS in sql or queries.STATEMENT_TOTALS in sql


def _day(moment_s: int) -> str:
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
