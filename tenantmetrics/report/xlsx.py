"""XLSX: a workbook that recomputes every total with formulas of its own.

Names and notes are written as text cells, which a spreadsheet never runs.
"""

from __future__ import annotations

import io
import os
from typing import Any

from tenantmetrics.errors import MissingExtraError, ReportError
from tenantmetrics.report.model import Report, Row, build
from tenantmetrics.report.text import write_files
from tenantmetrics.report.xlsx_rows import LineCells, fill
from tenantmetrics.statement import Statement

__all__ = ["render", "write"]

MAX_ROWS = 1_048_576 - 2
"""Rows of an Excel sheet, less header and total (Excel specifications and limits)."""

FORMULA_ROWS = 20_000
"""Lines whose own total is a formula; past it only the sums over lines are, to save seconds."""

_SECONDS = "Database time, s"
_USAGE = ("Calls", "Failed", _SECONDS, "Requests", "Rows", "Bytes")
_LINES = "xl/worksheets/sheet2.xml"


def render(statement: Statement) -> bytes:
    """The statement as an Excel workbook.

    Raises:
        UnbalancedError: The statement's lines do not add up.
        ReportError: There are more lines than a sheet has rows.
        MissingExtraError: XlsxWriter is not installed.
    """
    try:
        import xlsxwriter  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("the XLSX report", "report") from None
    report = build(statement)
    if len(report.rows) > MAX_ROWS:
        raise ReportError(f"{len(report.rows):,} lines do not fit into a sheet: write CSV")
    out = io.BytesIO()
    # Row by row to a temporary file: 100,000 tenants take no more memory than ten.
    book = xlsxwriter.Workbook(out, {"constant_memory": True})
    decimals = max(0, -int(statement.quantum.as_tuple().exponent))
    amount = "#,##0" + ("." + "0" * decimals if decimals else "")
    formats = {
        "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
        "title": book.add_format({"bold": True, "font_size": 15}),
        "alert": book.add_format({"bold": True, "font_color": "#9C2A10"}),
        "bold": book.add_format({"bold": True, "top": 1}),
        "money": book.add_format({"num_format": f"{amount};[Red]-{amount}"}),
        "sum": book.add_format({"num_format": f"{amount};[Red]-{amount}", "bold": True, "top": 1}),
        "count": book.add_format({"num_format": "#,##0"}),
        "counts": book.add_format({"num_format": "#,##0", "bold": True, "top": 1}),
        "seconds": book.add_format({"num_format": "#,##0.000"}),
        "percent": book.add_format({"num_format": "0.0%"}),
        "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
    }
    summary, lines, method = (book.add_worksheet(n) for n in ("Summary", "Lines", "Method"))
    first_pool = 2 + len(statement.group_names) + len(_USAGE)
    _summary(summary, report, formats, first_pool)
    _lines(lines, report, formats, first_pool)
    _method(method, report, formats)
    book.close()
    if len(report.rows) <= FORMULA_ROWS:
        return out.getvalue()
    total = first_pool + len(statement.pools)
    cells = (_cells(row, number, total) for number, row in enumerate(report.rows[1:], start=3))
    return fill(out.getvalue(), _LINES, [_letter(column) for column in range(total + 4)], cells)


def write(statement: Statement, path: str | os.PathLike[str]) -> None:
    """Write `render`'s workbook to a file, whole or not at all.

    Raises:
        UnbalancedError: The statement's lines do not add up.
        ReportError: The file cannot be written, or there are too many lines.
        MissingExtraError: XlsxWriter is not installed.
    """
    write_files({path: render(statement)})


def _summary(sheet: Any, report: Report, formats: dict[str, Any], first_pool: int) -> None:
    statement = report.statement
    last = len(report.rows) + 1
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 3, 16)
    sheet.set_column(4, 5, 44)
    sheet.write_string(0, 0, report.title, formats["title"])
    sheet.write_string(1, 0, " ".join(report.status) or "FINAL", formats["alert"])
    row = 2
    for caveat in report.caveats:
        sheet.write_string(row, 0, caveat)
        row += 1
    row += 1
    heads = ("Pool", f"Amount, {statement.currency}", "Sum of lines", "Difference", "How", "By")
    for column, head in enumerate(heads):
        sheet.write_string(row, column, head, formats["head"])
    top = row + 1
    for index, pool in enumerate(statement.pools):
        row += 1
        letter = _letter(first_pool + index)
        value = float(pool.amount)
        sheet.write_string(row, 0, pool.title)
        sheet.write_number(row, 1, value, formats["money"])
        sheet.write_formula(
            row, 2, f"=SUM(Lines!{letter}2:{letter}{last})", formats["money"], value
        )
        sheet.write_formula(row, 3, f"=ROUND(B{row + 1}-C{row + 1},6)", formats["money"], 0)
        sheet.write_string(row, 4, pool.detail, formats["wrap"])
        sheet.write_string(row, 5, pool.driver, formats["wrap"])
    row += 1
    sheet.write_string(row, 0, "Total", formats["bold"])
    for column, value in ((1, float(statement.total)), (2, float(statement.total)), (3, 0)):
        letter = _letter(column)
        formula = f"=SUM({letter}{top + 1}:{letter}{row})" if row > top else "=0"
        sheet.write_formula(row, column, formula, formats["sum"], value)


def _lines(sheet: Any, report: Report, formats: dict[str, Any], first_pool: int) -> None:
    statement = report.statement
    pools = len(statement.pools)
    total = first_pool + pools
    heads = [
        "Tenant", "Kind", *statement.group_names, *_USAGE,
        *(f"{pool.title}, {statement.currency}" for pool in statement.pools),
        f"Total, {statement.currency}", "Share", "Revenue", "Margin",
    ]  # fmt: skip
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, len(heads) - 1, 14)
    sheet.freeze_panes(1, 1)
    for column, head in enumerate(heads):
        sheet.write_string(0, column, head, formats["head"])
    first, last = _letter(first_pool), _letter(total - 1)
    of_usage = [formats["seconds" if name == _SECONDS else "count"] for name in _USAGE]
    styles = [None] * (2 + len(statement.group_names)) + of_usage
    styles += [formats["money"]] * (pools + 1) + [formats["percent"]]
    end = len(report.rows) + 1
    # Of very many lines the first is the pattern of the others, which `xlsx_rows` writes.
    written = report.rows[:1] if len(report.rows) > FORMULA_ROWS else report.rows
    for number, row in enumerate(written, start=1):
        cells = _cells(row, number + 1, total)
        for column, text in enumerate(cells.texts):
            sheet.write_string(number, column, text)
        for column, value in enumerate(cells.numbers, start=len(cells.texts)):
            sheet.write_number(number, column, value, styles[column])
        if pools and len(report.rows) <= FORMULA_ROWS:
            formula = f"=SUM({first}{number + 1}:{last}{number + 1})"
            sheet.write_formula(number, total, formula, formats["money"], float(row.total))
        for column, (formula, value) in enumerate(cells.formulas, start=total + 2):
            if formula:
                sheet.write_formula(number, column, formula, formats["money"], value)
            else:
                sheet.write_number(number, column, value, formats["money"])
    sheet.write_string(end, 0, "Total", formats["bold"])
    sums = [report.everything.calls, report.everything.failed_calls,
            report.everything.duration_ns / 1e9, report.everything.billed_requests,
            report.everything.rows_returned + report.everything.rows_written,
            report.everything.request_bytes + report.everything.response_bytes,
            *(float(pool.amount) for pool in statement.pools), float(statement.total)]  # fmt: skip
    for column, value in enumerate(sums, start=2 + len(statement.group_names)):
        letter = _letter(column)
        style = formats["sum" if column >= first_pool else "counts"]
        sheet.write_formula(end, column, f"=SUM({letter}2:{letter}{end})", style, value)
    sheet.autofilter(0, 0, len(report.rows), len(heads) - 1)


def _cells(row: Row, number: int, total: int) -> LineCells:
    """A line's cells, in row `number` as a spreadsheet counts, its total in column `total`."""
    usage = row.usage
    revenue = float(row.revenue) if row.revenue is not None else 0.0
    margin = f"{_letter(total + 2)}{number}-{_letter(total)}{number}"
    return LineCells(
        texts=(_plain(row.tenant), str(row.kind), *map(_plain, row.groups)),
        numbers=(
            usage.calls,
            usage.failed_calls,
            usage.duration_ns / 1e9,
            usage.billed_requests,
            usage.rows_returned + usage.rows_written,
            usage.request_bytes + usage.response_bytes,
            *map(float, row.amounts),
            float(row.total),
            float(row.share),
        ),
        formulas=(("", revenue), (margin, float(row.margin or 0)))
        if row.revenue is not None
        else (),
    )


def _plain(text: str) -> str:
    """A text that XlsxWriter does not take for XML of its own rich strings, as it takes `<r>`."""
    return f"{text} " if text.startswith("<r>") and text.endswith("</r>") else text


def _method(sheet: Any, report: Report, formats: dict[str, Any]) -> None:
    sheet.set_column(0, 0, 110)
    texts = ["How the bill was divided", *report.method(), "", "Notes on the data"]
    for row, text in enumerate([*texts, *report.statement.notes]):
        style = formats["head" if text in {texts[0], texts[-1]} else "wrap"]
        sheet.write_string(row, 0, text, style)


def _letter(column: int) -> str:
    """A column's letters: 0 is A, 26 is AA."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
