"""Every format by its name: what `report` writes and the scheduled report stores."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenantmetrics.cost.statement import Statement

__all__ = ["MEDIA_TYPES", "SUFFIXES", "TOP", "Format", "in_format"]

TOP = 30
"""Tenants that a table names one by one; the rest fold into a row, so that it still adds up."""


class Format(StrEnum):
    """Output formats."""

    TABLE = "table"
    CSV = "csv"
    HTML = "html"
    XLSX = "xlsx"
    JSON = "json"
    FOCUS = "focus"


SUFFIXES = {
    Format.FOCUS: ".focus.csv",
    Format.CSV: ".csv",
    Format.HTML: ".html",
    Format.XLSX: ".xlsx",
    Format.JSON: ".json",
    Format.TABLE: ".txt",
}
"""How a file of each is named; of two that fit a name the first counts."""

MEDIA_TYPES = {
    Format.FOCUS: "text/csv; charset=utf-8",
    Format.CSV: "text/csv; charset=utf-8",
    Format.HTML: "text/html; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.JSON: "application/json",
    Format.TABLE: "text/plain; charset=utf-8",
}


def in_format(
    statement: Statement, kind: Format, *, top: int = TOP, csv_locale: str | None = None
) -> bytes:
    """A statement in a format.

    Args:
        statement: What to write.
        kind: The format.
        top: Tenants that the table names one by one.
        csv_locale: Whose spreadsheets the CSV is for; as RFC 4180 has it, for programs, if None.

    Raises:
        UnbalancedError: The statement's lines do not add up.
        ReportError: There is no such locale.
        MissingExtraError: The format needs a package that is not installed.
    """
    # The command line names the formats in its help, which waits for none of them.
    from tenantmetrics.report import csv, focus, html, json, terminal, xlsx  # noqa: PLC0415

    if kind is Format.XLSX:
        return xlsx.as_workbook(statement)
    if kind is Format.TABLE:
        return terminal.as_text(statement, top=top).encode()
    if kind is Format.CSV and csv_locale is not None:
        from tenantmetrics.report.csv_locale import for_locale  # noqa: PLC0415 - seldom asked for

        return for_locale(csv.as_csv(statement), csv_locale).encode()
    text = {
        Format.CSV: csv.as_csv,
        Format.HTML: html.as_html,
        Format.JSON: json.as_json,
        Format.FOCUS: focus.as_focus,
    }
    return text[kind](statement).encode()
