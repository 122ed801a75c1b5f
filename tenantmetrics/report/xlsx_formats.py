"""How the workbook's cells look."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tenantmetrics.report.text import money

__all__ = ["formats_of", "on_a4", "widen"]

_A4 = 9
"""The paper's number in Excel."""


def formats_of(book: Any, quantum: Decimal, coin: Decimal) -> dict[str, Any]:
    """The workbook's cell formats by name; all texts and numbers of a row stand at its top.

    Args:
        book: An XlsxWriter workbook.
        quantum: What costs are multiples of.
        coin: What revenue and budgets are multiples of.
    """
    money, paid = map(_amount, (quantum, coin))
    kinds: dict[str, dict[str, Any]] = {
        "head": {"bold": True, "bottom": 1, "text_wrap": True},
        "number_head": {"bold": True, "bottom": 1, "text_wrap": True, "align": "right"},
        "title": {"bold": True, "font_size": 15},
        "alert": {"bold": True, "font_color": "#9C2A10"},
        "bold": {"bold": True, "top": 1},
        "money": {"num_format": money},
        "sum": {"num_format": money, "bold": True, "top": 1},
        "paid": {"num_format": paid},
        "paid_sum": {"num_format": paid, "bold": True, "top": 1},
        "count": {"num_format": "#,##0"},
        "counts": {"num_format": "#,##0", "bold": True, "top": 1},
        "seconds": {"num_format": "#,##0.000"},
        "percent": {"num_format": "0.0%"},
        "text": {},
        "right": {"align": "right"},
        # Beside a column of numbers, a text would touch them.
        "after": {"align": "left", "indent": 1},
        "after_head": {"bold": True, "bottom": 1, "align": "left", "indent": 1},
        "wrap": {"text_wrap": True},
        "wrap_after": {"text_wrap": True, "align": "left", "indent": 1},
    }
    return {name: book.add_format({"valign": "top"} | kind) for name, kind in kinds.items()}


def _amount(quantum: Decimal) -> str:
    decimals = max(0, -int(quantum.as_tuple().exponent))
    plain = "#,##0" + ("." + "0" * decimals if decimals else "")
    return f"{plain};[Red]-{plain}"


def widen(
    sheet: Any, column: int, amounts: Iterable[Decimal], quantum: Decimal, least: int
) -> None:
    """Make a column wide enough for its amounts: a program shows ### for one that does not fit.

    Args:
        sheet: An XlsxWriter worksheet.
        column: Counted from 0.
        amounts: What stands in it, its sum in bold among them.
        quantum: What they are multiples of.
        least: Characters that the column has anyway.
    """
    known = list(amounts) or [Decimal(0)]
    longest = max(len(money(amount, quantum)) for amount in (min(known), max(known)))
    # A column's unit is a digit of the plain font; those of the bold one are wider.
    sheet.set_column(column, column, max(least, -(-longest * 5 // 4)))


def on_a4(sheet: Any, last_row: int, last_column: int, pages: int = 1) -> None:
    """Print a sheet on A4 across, and nothing beside what it holds.

    Args:
        sheet: An XlsxWriter worksheet.
        last_row: The last row with something in it, counted from 0.
        last_column: The same of columns.
        pages: On how many pages side by side its columns are.
    """
    sheet.print_area(0, 0, last_row, last_column)
    sheet.set_landscape()
    sheet.set_paper(_A4)
    sheet.fit_to_pages(pages, 0)
