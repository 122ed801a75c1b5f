"""XLSX: a workbook that recomputes every total with formulas of its own.

Names and notes are written as text cells, which a spreadsheet never runs.
"""

from __future__ import annotations

import io
import os
from decimal import Decimal
from typing import Any

from tenantmetrics.cost.statement import Statement, Usage
from tenantmetrics.errors import MissingExtraError, ReportError
from tenantmetrics.report import xlsx_budgets, xlsx_trend
from tenantmetrics.report.coins import coin_of
from tenantmetrics.report.first import MARGIN, first
from tenantmetrics.report.model import Report, build
from tenantmetrics.report.text import write_files
from tenantmetrics.report.work import Work
from tenantmetrics.report.xlsx_formats import formats_of, on_a4, widen
from tenantmetrics.report.xlsx_text import plain

__all__ = ["as_workbook", "write"]

MAX_ROWS = 1_048_576 - 2
"""Rows of an Excel sheet, less header and total (Excel specifications and limits)."""

FORMULA_ROWS = 20_000
"""Lines whose own total is a formula; past it only the sums over lines are, to save seconds."""

_USAGE = (
    ("Calls", "count"),
    ("Failed", "count"),
    ("Wall time, s", "seconds"),
    ("Requests", "count"),
    ("Rows", "count"),
    ("Bytes", "count"),
)
"""Heads and formats of `_usage`."""

_WORK = ("Server time, s", "Share of the work", "95 % from", "95 % to")
"""Where server time was estimated, after all else."""

_WIDE, _NARROW = 140, 40
"""Characters that fit into a line of the summary: of a sentence, of a cell in words."""


_COLUMNS_A_PAGE = 18
"""Of the sheet of lines, beside the tenant's: more are too small to read on A4 across."""

_DIGITS = 15
"""Significant digits of a number in Excel (Excel specifications and limits)."""

_CUT = "A spreadsheet keeps 15 digits of a number: the last ones of these amounts are in the CSV."

_METHOD_WIDTH = 95
"""Of the sheet on the method, in characters: fits on A4 across, as one column is not made to."""


def as_workbook(statement: Statement) -> bytes:
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
    formats = formats_of(book, statement.quantum, coin_of(statement))
    summary, lines, method = (book.add_worksheet(n) for n in ("Summary", "Lines", "Method"))
    first_pool = 2 + len(statement.group_names) + len(_USAGE)
    _summary(summary, report, formats, first_pool)
    _lines(lines, report, formats, first_pool)
    _method(method, report, formats)
    if report.comparison is not None:
        xlsx_trend.fill(book.add_worksheet("Trend"), report.comparison, statement, formats)
    if statement.outlook is not None:
        xlsx_budgets.fill(book.add_worksheet("Budgets"), statement, formats)
    book.close()
    return out.getvalue()


def write(statement: Statement, path: str | os.PathLike[str]) -> None:
    """Write `as_workbook`'s workbook to a file, whole or not at all.

    Raises:
        UnbalancedError: The statement's lines do not add up.
        ReportError: The file cannot be written, or there are too many lines.
        MissingExtraError: XlsxWriter is not installed.
    """
    write_files({path: as_workbook(statement)})


def _summary(sheet: Any, report: Report, formats: dict[str, Any], first_pool: int) -> None:
    statement = report.statement
    last = len(report.rows) + 1
    sheet.set_column(0, 0, 22)
    amounts = (statement.total, *(pool.amount for pool in statement.pools))
    for column in (1, 2, 3):
        widen(sheet, column, amounts, statement.quantum, least=16)
    sheet.set_column(4, 5, 44)
    sheet.set_row(0, 22)
    sheet.write_string(0, 0, report.title, formats["title"])
    sheet.write_string(1, 0, " ".join(report.status) or "FINAL", formats["alert"])
    row = 2
    margin = (MARGIN,) if any(row.revenue is not None for row in report.rows) else ()
    digits = max(len(amount.as_tuple().digits) for amount in amounts)
    cut = (_CUT,) if digits > _DIGITS else ()
    for sentence in (*report.caveats, *cut, *first(report), *margin):
        # Over the table's width: a long one beyond it would shrink the printed page.
        sheet.set_row(row, _height(sentence, _WIDE))
        sheet.merge_range(row, 0, row, 5, "", formats["wrap"])
        sheet.write_string(row, 0, plain(sentence), formats["wrap"])
        row += 1
    row += 1
    heads = ("Pool", f"Amount, {statement.currency}", "Sum of lines", "Difference", "How", "By")
    styles = ("head", *["number_head"] * 3, "after_head", "after_head")
    for column, (head, style) in enumerate(zip(heads, styles, strict=True)):
        sheet.write_string(row, column, head, formats[style])
    top = row + 1
    for index, pool in enumerate(statement.pools):
        row += 1
        letter = _letter(first_pool + index)
        value = float(pool.amount)
        longest = max(pool.detail, pool.driver, key=len)
        sheet.set_row(row, _height(longest, _NARROW))
        sheet.write_string(row, 0, pool.title, formats["text"])
        sheet.write_number(row, 1, value, formats["money"])
        sheet.write_formula(
            row, 2, f"=SUM(Lines!{letter}2:{letter}{last})", formats["money"], value
        )
        sheet.write_formula(row, 3, f"=ROUND(B{row + 1}-C{row + 1},6)", formats["money"], 0)
        sheet.write_string(row, 4, pool.detail, formats["wrap_after"])
        sheet.write_string(row, 5, pool.driver, formats["wrap_after"])
    row += 1
    on_a4(sheet, row, 5)
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
        "Tenant", "Kind", *statement.group_names, *(head for head, _ in _USAGE),
        *(f"{pool.title}, {statement.currency}" for pool in statement.pools),
        f"Total, {statement.currency}", "Share", "Revenue", "Margin over the database",
        *(_WORK if statement.server_time else ()),
    ]  # fmt: skip
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, len(heads) - 1, 12)
    _widen(sheet, report, first_pool)
    sheet.freeze_panes(1, 1)
    sheet.set_row(0, _height("two lines", 5))
    texts = 2 + len(statement.group_names)
    for column, head in enumerate(heads):
        style = "head" if column < texts else "number_head"
        sheet.write_string(0, column, plain(head), formats[style])
    first, last = _letter(first_pool), _letter(total - 1)
    sum_letter = _letter(total)
    end = len(report.rows) + 1
    for number, row in enumerate(report.rows, start=1):
        sheet.write_string(number, 0, plain(row.tenant))
        sheet.write_string(number, 1, str(row.kind))
        for column, group in enumerate(row.groups, start=2):
            sheet.write_string(number, column, plain(group))
        column = 2 + len(statement.group_names)
        for value, (_, style) in zip(_usage(row.usage), _USAGE, strict=True):
            sheet.write_number(number, column, value, formats[style])
            column += 1
        for amount in row.amounts:
            sheet.write_number(number, column, float(amount), formats["money"])
            column += 1
        excel = number + 1
        if pools and len(report.rows) <= FORMULA_ROWS:
            formula = f"=SUM({first}{excel}:{last}{excel})"
            sheet.write_formula(number, total, formula, formats["money"], float(row.total))
        else:
            sheet.write_number(number, total, float(row.total), formats["money"])
        sheet.write_number(number, total + 1, float(row.share), formats["percent"])
        if row.work is not None:
            _work(sheet, number, total + 4, row.work, formats)
        if row.revenue is not None:
            revenue = _letter(total + 2)
            sheet.write_number(number, total + 2, float(row.revenue), formats["paid"])
            sheet.write_formula(
                number,
                total + 3,
                f"={revenue}{excel}-{sum_letter}{excel}",
                formats["paid"],
                float(row.margin or 0),
            )
    sheet.write_string(end, 0, "Total", formats["bold"])
    amounts = (*(pool.amount for pool in statement.pools), statement.total)
    sums = (*_usage(report.everything), *map(float, amounts))
    for column, value in enumerate(sums, start=2 + len(statement.group_names)):
        letter = _letter(column)
        style = formats["sum" if column >= first_pool else "counts"]
        sheet.write_formula(end, column, f"=SUM({letter}2:{letter}{end})", style, value)
    _margins(sheet, report, formats, total)
    sheet.autofilter(0, 0, len(report.rows), len(heads) - 1)
    _on_paper(sheet, end, len(heads))


def _usage(usage: Usage) -> tuple[float, ...]:
    """A line's cells of usage, under the heads of `_USAGE`."""
    return (
        usage.calls,
        usage.failed_calls,
        usage.duration_ns / 1e9,
        usage.billed_requests,
        usage.rows_returned + usage.rows_written,
        usage.request_bytes + usage.response_bytes,
    )


def _widen(sheet: Any, report: Report, first_pool: int) -> None:
    """Columns of numbers as wide as their largest."""
    rows, statement = report.rows, report.statement
    quantum = statement.quantum
    for index, value in enumerate(_usage(report.everything)):
        digit = Decimal("0.001") if _USAGE[index][1] == "seconds" else Decimal(1)
        column = first_pool - len(_USAGE) + index
        widen(sheet, column, [Decimal(value).quantize(digit)], digit, least=12)
    for index, pool in enumerate(statement.pools):
        amounts = (pool.amount, *(row.amounts[index] for row in rows))
        widen(sheet, first_pool + index, amounts, quantum, least=12)
    total, coin = first_pool + len(statement.pools), coin_of(statement)
    widen(sheet, total, (statement.total, *(row.total for row in rows)), quantum, least=12)
    paid = (report.revenue, *(row.revenue for row in rows if row.revenue is not None))
    kept = (report.margin, *(row.margin for row in rows if row.margin is not None))
    widen(sheet, total + 2, paid, coin, least=12)
    widen(sheet, total + 3, kept, coin, least=12)


def _margins(sheet: Any, report: Report, formats: dict[str, Any], total: int) -> None:
    """Sums of revenue and margin, of the tenants whose revenue is known."""
    end = len(report.rows) + 1
    if any(row.revenue is not None for row in report.rows):
        for column, value in ((total + 2, report.revenue), (total + 3, report.margin)):
            letter = _letter(column)
            formula = f"=SUM({letter}2:{letter}{end})"
            sheet.write_formula(end, column, formula, formats["paid_sum"], float(value))


def _on_paper(sheet: Any, end: int, columns: int) -> None:
    """Columns side by side on A4, the head and the tenant on every page.

    More than fit on one page in letters that one can read go to a second beside it.
    """
    sheet.repeat_rows(0)
    sheet.repeat_columns(0)
    on_a4(sheet, end, columns - 1, -(-columns // _COLUMNS_A_PAGE))


def _work(sheet: Any, number: int, first: int, work: Work, formats: dict[str, Any]) -> None:
    sheet.write_number(number, first, work.server_ns / 1e9, formats["seconds"])
    for column, share in enumerate((work.share, work.low, work.high), start=first + 1):
        if share is not None:
            sheet.write_number(number, column, float(share), formats["percent"])


def _method(sheet: Any, report: Report, formats: dict[str, Any]) -> None:
    sheet.set_column(0, 0, _METHOD_WIDTH)
    texts = ["How the bill was divided", *report.method()]
    if report.differences:
        texts += ["", "Where wall time would have charged another", *report.differences]
    texts += ["", "Notes on the data", *report.statement.notes]
    heads = {"How the bill was divided", "Notes on the data"}
    heads.add("Where wall time would have charged another")
    on_a4(sheet, len(texts) - 1, 0)
    for row, text in enumerate(texts):
        style = formats["head" if text in heads else "wrap"]
        sheet.set_row(row, _height(text, _METHOD_WIDTH))
        sheet.write_string(row, 0, text, style)


def _height(text: str, width: int) -> int:
    """Points that a wrapped text takes: programs other than Excel do not find them themselves."""
    return 15 * max(1, -(-len(text) // width))


def _letter(column: int) -> str:
    """A column's letters: 0 is A, 26 is AA."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
