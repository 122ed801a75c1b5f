"""The cells of a small CSV file: each knows where it stands, so that whoever refuses it can say so.

Strict: a value that does not parse is an error with file, row and column, never a guess.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Self

from tenantmetrics.cost.known import number_of
from tenantmetrics.errors import ReportError, why_unreadable

__all__ = ["Cell", "Path_", "is_blank", "read_rows"]

Path_ = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a file, which knows where it stands."""

    path: str
    row: int
    column: str
    text: str

    def wrong(self, wanted: str) -> ReportError:
        """The error that names file, row and column."""
        return ReportError(
            f"{self.path!r} row {self.row}, column {self.column!r}: {self.text!r} is not {wanted}"
        )

    def duplicate(self, what: str) -> ReportError:
        """The error of a value that an earlier row has, too."""
        return ReportError(
            f"{self.path!r} row {self.row}, column {self.column!r}: duplicate {what} {self.text!r}"
        )

    def named(self, what: str) -> Self:
        """The cell itself, if it names something.

        Args:
            what: What it must name, such as "a tenant's name".

        Raises:
            ReportError: It is blank.
        """
        if not self.text.strip():
            raise self.wrong(what)
        return self

    def number(self, wanted: str = "a number such as 1234.5") -> Decimal:
        """The value as a number. Thousands separators are refused: 1,234 may mean two things.

        Raises:
            ReportError: It is none.
        """
        value = number_of(self.text.strip())
        if value is None:
            raise self.wrong(wanted)
        return value

    def amount(self, wanted: str = "a number, 0 or more") -> Decimal:
        """The value as a number that is not negative.

        Raises:
            ReportError: It is none.
        """
        value = self.number(wanted)
        if value < 0:
            raise self.wrong(wanted)
        return value

    def moment(self) -> datetime:
        """The value as a moment; UTC where it names no zone.

        Raises:
            ReportError: It is none.
        """
        try:
            value = datetime.fromisoformat(self.text.strip())
        except ValueError:
            raise self.wrong("a time such as 2026-11-20T21:00:00Z") from None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def read_rows(
    path: Path_,
    required: tuple[str, ...],
    optional: tuple[str, ...] = (),
    beside: Mapping[str, str] | None = None,
) -> Iterator[dict[str, Cell]]:
    """The rows of a CSV file, by column; row numbers count the header as 1.

    A column that is asked for is known in any case, and with blanks, `_` or `-` between its words:
    `Stripe Customer` is `stripe_customer`. Its cells have the column's name as the file has it.

    Args:
        path: The file.
        required: Columns that must be there.
        optional: Columns that have a meaning where they are there.
        beside: Of some of them, which other column must be there for that.

    Raises:
        ReportError: The file cannot be read, has another delimiter, lacks a column or has it
            twice, or a row has more or fewer cells than the header.
    """
    name = os.fspath(path)
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{name!r} cannot be read: {why_unreadable(error)}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        written = [cell.strip() for cell in next(reader, [])]
        header = _columns(written, (*required, *optional), beside or {})
        if missing := [column for column in required if column not in header]:
            raise ReportError(_missing(name, written, missing))
        if len(set(header)) < len(header):
            raise ReportError(f"{name!r} row 1: {_duplicate(header, written)}")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise ReportError(
                    f"{name!r} row {reader.line_num}: {len(cells)} cells and {len(header)} columns"
                )
            row = reader.line_num
            yield {
                column: Cell(name, row, own, text)
                for column, own, text in zip(header, written, cells, strict=True)
            }
    except csv.Error as error:
        raise ReportError(f"{name!r} row {reader.line_num}: {error}") from None


def _columns(written: list[str], known: tuple[str, ...], beside: Mapping[str, str]) -> list[str]:
    """What each column of a header is, by the name that it is known by, else by its own."""
    meant = {_plain(column): column for column in known}
    there = {meant.get(_plain(column)) for column in written}
    for column, other in beside.items():
        if other not in there:
            del meant[_plain(column)]
    return [meant.get(_plain(column), column) for column in written]


def _plain(column: str) -> str:
    """A column's words. Other signs are part of its meaning: `share %` is no `share`."""
    return re.sub(r"(?<=[^\W_])[\s_-]+(?=[^\W_])", "", column).casefold()


def _duplicate(header: list[str], written: list[str]) -> str:
    twice = next(column for column in header if header.count(column) > 1)
    names = [own for column, own in zip(header, written, strict=True) if column == twice]
    if len(set(names)) == 1:
        return f"duplicate column {names[0]!r}"
    return f"duplicate column {twice!r}: it is {' and '.join(map(repr, names))}"


def _missing(name: str, header: list[str], missing: list[str]) -> str:
    text = f"{name!r} row 1: column {missing[0]!r} is missing"
    if len(header) == 1 and (other := [mark for mark in ";\t|" if mark in header[0]]):
        return f"{text}: unexpected delimiter {other[0]!r}; it must be a comma"
    return f"{text}; the columns are {', '.join(map(repr, header)) or 'none'}"


def is_blank(row: Mapping[str, Cell]) -> bool:
    """Whether a row is empty, as spreadsheets leave them at the end."""
    return not any(cell.text.strip() for cell in row.values())
