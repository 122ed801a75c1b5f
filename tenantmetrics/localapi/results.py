"""Result sets: rows as they arrive from PostgreSQL → JSON text, within the Data API's limits."""

from __future__ import annotations

from typing import NamedTuple, cast

from psycopg.pq.abc import PGresult

from tenantmetrics.dataapi import guesses
from tenantmetrics.dataapi.errors import ApiError
from tenantmetrics.dataapi.requests import ResultOptions
from tenantmetrics.localapi.binding import Value
from tenantmetrics.localapi.codecs import Codec, column_codec, quote
from tenantmetrics.localapi.connection import Connection, ConnectionLostError
from tenantmetrics.localapi.pgtypes import BUILTIN, UNRESOLVED_SQL, Kind, PgType, described

__all__ = [
    "Column",
    "ResponseTooLargeError",
    "ResultSet",
    "catalogue_rows",
    "ends_transaction",
    "resolve_types",
    "result_too_large",
]

RESPONSE_MAX_BYTES = 1024 * 1024
"""A response over 1 MiB is refused (AWS, Data API limitations)."""
FORMATTED_MAX_BYTES = 10 * 1024 * 1024
"""`formattedRecords` may have 10 MB (botocore's service model, FormattedSqlRecords)."""
_NULL = '{"isNull":true}'


class Column(NamedTuple):
    """A column as PostgreSQL describes it.

    Attributes:
        label: Its name in the result.
        oid: Its type.
        modifier: Type modifier, -1 for none.
        table: OID of the table that it comes from, else 0.
        number: Number of the table's column, else 0.
    """

    label: str
    oid: int
    modifier: int
    table: int
    number: int


class ResultSet:
    """Collects rows. A `Connection`'s sink: call it with each part.

    Never raises while rows arrive, since the connection must be read to the end whatever happens;
    `error` says what went wrong. Nothing is kept beyond the limit, and version 2 then ends the
    statement; version 1 lets it finish, since its transaction goes on.

    Args:
        types: Types looked up before, by OID.
        options: How values are shown.
        formatted: Records as JSON objects for `formattedRecords` instead of Fields.
    """

    def __init__(
        self, types: dict[int, PgType], options: ResultOptions, *, formatted: bool
    ) -> None:
        self._types = types
        self._options = options
        self._formatted = formatted
        self._limit = FORMATTED_MAX_BYTES if formatted else RESPONSE_MAX_BYTES
        self._parts: list[PGresult] = []
        self._records: list[str] = []
        self._codecs: list[Codec] | None = None
        self._bytes = 0
        self.columns: list[Column] | None = None
        self.count = 0
        self.error: ApiError | None = None

    def __call__(self, part: PGresult) -> bool:
        """Take a part of the rows; returns whether more are wanted."""
        if self.columns is None:
            self.columns = _columns(part)
            self._prepare()
        if self.error is None:
            if self._codecs is None:
                # A type to be looked up, which cannot be done before the statement has ended.
                self._parts.append(part)
                self._measure(part)
            else:
                self._take(part)
        return not (self.too_large and ends_transaction(self._options.version))

    @property
    def too_large(self) -> bool:
        """Whether it is over the limit."""
        return isinstance(self.error, ResponseTooLargeError)

    def unresolved(self) -> list[int]:
        """OIDs of types that are not known yet."""
        return sorted(
            {
                column.oid
                for column in self.columns or ()
                if column.oid not in BUILTIN and column.oid not in self._types
            },
        )

    def resolved(self) -> None:
        """Go on with what was put by; all types are known now."""
        if self.error is not None or self._codecs is not None or self.columns is None:
            return
        self._prepare()
        self._bytes = 0
        for part in self._parts:
            if self.error is None:
                self._take(part)
        self._parts.clear()

    def type_of(self, column: Column) -> PgType:
        """The type of one of its columns."""
        return BUILTIN.get(column.oid) or self._types[column.oid]

    def records(self) -> str:
        """The rows as a JSON array."""
        return f"[{','.join(self._records)}]"

    def _prepare(self) -> None:
        """Choose the codecs, if all types are known."""
        if self.columns is None or self.unresolved():
            return
        try:
            self._codecs = [
                column_codec(self.type_of(column), self._options) for column in self.columns
            ]
            if self._formatted:
                _refuse_duplicates(self.columns)
        except ApiError as error:
            self.error = error

    def _take(self, part: PGresult) -> None:
        try:
            self._render(part)
        except ApiError as error:
            self.error = error
            self._records.clear()

    def _render(self, part: PGresult) -> None:
        """Turn rows into JSON text."""
        assert self._codecs is not None  # noqa: S101 - `resolved` or `__call__` saw to it
        assert self.columns is not None  # noqa: S101 - likewise
        get_value, rows = part.get_value, range(part.ntuples)
        null = "null" if self._formatted else _NULL
        cells = []
        for index, (column, codec) in enumerate(zip(self.columns, self._codecs, strict=True)):
            raw = [get_value(row, index) for row in rows]
            if raw and not self._formatted and codec.fields is not None and None not in raw:
                cells.append(codec.fields(cast("list[bytes]", raw)))
                continue
            write = codec.scalar if self._formatted else codec.field
            values = [null if value is None else write(value) for value in raw]
            if self._formatted:
                head = f"{quote(column.label)}:"
                values = [head + value for value in values]
            cells.append(values)
        left, right = "{}" if self._formatted else "[]"
        # A SELECT of no columns has rows all the same.
        records = zip(*cells, strict=True) if cells else [()] * part.ntuples
        for texts in records:
            record = f"{left}{','.join(texts)}{right}"
            self._bytes += len(record) + 1
            if self._bytes > self._limit:
                raise result_too_large(self._options.version)
            self._records.append(record)
            self.count += 1

    def _measure(self, part: PGresult) -> None:
        """Count bytes of rows that cannot be turned into JSON yet."""
        for row in range(part.ntuples):
            for index in range(part.nfields):
                self._bytes += len(part.get_value(row, index) or b"")
        if self._bytes > self._limit:
            self._parts.clear()
            self.error = result_too_large(self._options.version)


class ResponseTooLargeError(ApiError):
    """The response is over the limit, which may end a transaction too."""


def ends_transaction(version: int) -> bool:
    """Whether a response over the limit ends its statement and its transaction."""
    return version != 1 and guesses.OVERSIZE_ENDS_TRANSACTION


def result_too_large(version: int) -> ApiError:
    """The error for a response over the limit."""
    status, code, text = (
        guesses.RESPONSE_TOO_LARGE_V1 if version == 1 else guesses.RESPONSE_TOO_LARGE
    )
    return ResponseTooLargeError(code, text, status=status)


def _columns(part: PGresult) -> list[Column]:
    return [
        Column(
            (part.fname(index) or b"").decode(),
            part.ftype(index),
            part.fmod(index),
            part.ftable(index),
            part.ftablecol(index),
        )
        for index in range(part.nfields)
    ]


def _refuse_duplicates(columns: list[Column]) -> None:
    seen: set[str] = set()
    for column in columns:
        if column.label in seen:
            status, code, text = guesses.DUPLICATE_LABEL
            raise ApiError(code, text.format(label=column.label), status=status)
        seen.add(column.label)


async def catalogue_rows(connection: Connection, sql: bytes, oids: list[int]) -> list[list[str]]:
    """Rows of a catalogue query whose only parameter is a list of OIDs."""
    rows: list[list[str]] = []

    def keep(part: PGresult) -> bool:
        rows.extend(
            [(part.get_value(row, index) or b"").decode() for index in range(part.nfields)]
            for row in range(part.ntuples)
        )
        return True

    numbers = ",".join(map(str, oids))
    outcome = await connection.run(sql, [Value(f"{{{numbers}}}".encode(), 1028)], keep)
    if outcome.failure is not None:
        raise ConnectionLostError(f"catalogue query failed: {outcome.failure.message}")
    return rows


async def resolve_types(
    connection: Connection, result: ResultSet, types: dict[int, PgType]
) -> None:
    """Look up types that PostgreSQL does not number for all time, and finish the result.

    Args:
        connection: Where the result came from; sees types made in an open transaction.
        result: The result.
        types: Where found types are kept.
    """
    missing = result.unresolved()
    if missing:
        found = dict(
            described(row) for row in await catalogue_rows(connection, UNRESOLVED_SQL, missing)
        )
        for oid in missing:
            types[oid] = found.get(oid) or PgType(str(oid), Kind.UNSUPPORTED)
        result.resolved()
