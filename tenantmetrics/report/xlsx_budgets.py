"""The workbook's sheet of budgets, the worst first, and of the forecast."""

from __future__ import annotations

from typing import Any

from tenantmetrics.cost.statement import Statement
from tenantmetrics.report.coins import is_whole
from tenantmetrics.report.outlook import forecast_sentence, remarks
from tenantmetrics.report.xlsx_formats import on_a4, widen
from tenantmetrics.report.xlsx_text import plain

__all__ = ["fill"]


def fill(sheet: Any, statement: Statement, formats: dict[str, Any]) -> None:
    """Write budgets and forecasts into a sheet.

    Args:
        sheet: An empty XlsxWriter worksheet.
        statement: A statement with an outlook.
        formats: The workbook's, by their names in `xlsx_formats`.
    """
    outlook = statement.outlook
    assert outlook is not None  # noqa: S101 - the caller has looked; for the type checker
    heads = (
        "Budget", "Of", f"Budget, {statement.currency}", "Spent", "Left", "Used", "Status",
        "Forecast", "95 % from", "95 % to", "Days",
    )  # fmt: skip
    sheet.set_column(0, 0, 10)
    sheet.set_column(1, 1, 30)
    sheet.set_column(2, len(heads) - 1, 12)
    states = outlook.budgets
    forecasts = [state.forecast for state in states if state.forecast is not None]
    for column, amounts in (
        (2, [state.budget.amount for state in states]),
        (3, [state.spent for state in states]),
        (4, [state.left for state in states]),
        (7, [one.amount for one in forecasts]),
        (8, [one.low for one in forecasts]),
        (9, [one.high for one in forecasts]),
    ):
        widen(sheet, column, amounts, statement.quantum, least=12)
    sheet.freeze_panes(1, 2)
    for column, head in enumerate(heads):
        style = "head" if column < 2 else "after_head" if head == "Status" else "number_head"  # noqa: PLR2004
        sheet.write_string(0, column, head, formats[style])
    row = 0
    for row, state in enumerate(outlook.budgets, start=1):
        budget, excel = state.budget, row + 1
        sheet.write_string(row, 0, budget.scope)
        sheet.write_string(row, 1, plain(budget.name))
        style = formats["paid" if is_whole(budget.amount, statement) else "money"]
        sheet.write_number(row, 2, float(budget.amount), style)
        sheet.write_number(row, 3, float(state.spent), formats["money"])
        sheet.write_formula(row, 4, f"=C{excel}-D{excel}", style, float(state.left))
        if state.used is not None:
            sheet.write_formula(
                row, 5, f"=D{excel}/C{excel}", formats["percent"], float(state.used)
            )
        sheet.write_string(row, 6, str(state.status), formats["after"])
        if (forecast := state.forecast) is not None:
            for column, amount in enumerate((forecast.amount, forecast.low, forecast.high), 7):
                sheet.write_number(row, column, float(amount), formats["money"])
            sheet.write_number(row, 10, forecast.days, formats["count"])
    sheet.repeat_rows(0)
    line = row
    for line, text in enumerate(
        filter(None, (forecast_sentence(statement), *remarks(outlook))), start=row + 2
    ):
        sheet.write_string(line, 0, plain(text))
    on_a4(sheet, line, len(heads) - 1)
