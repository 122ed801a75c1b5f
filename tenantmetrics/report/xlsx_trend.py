"""The workbook's sheet on what changed since another month: by pool, and for whom."""

from __future__ import annotations

from typing import Any

from tenantmetrics.cost.statement import Statement
from tenantmetrics.report.compare import Anomaly, Comparison, PoolChange
from tenantmetrics.report.xlsx_formats import on_a4, widen
from tenantmetrics.report.xlsx_text import plain

__all__ = ["fill"]


def fill(sheet: Any, comparison: Comparison, statement: Statement, formats: dict[str, Any]) -> None:
    """Write what changed into a sheet.

    Args:
        sheet: An empty XlsxWriter worksheet.
        comparison: What changed.
        statement: The month that is compared.
        formats: The workbook's, by their names in `xlsx_formats`.
    """
    sheet.set_column(0, 0, 30)
    pools: tuple[PoolChange | Anomaly, ...] = (*comparison.pools, *comparison.anomalies)
    known = (
        (comparison.before, *(one.before for one in pools)),
        (comparison.after, *(one.after for one in pools)),
        (comparison.change, *(one.change for one in pools)),
        [pool.by_volume for pool in comparison.pools if pool.by_volume is not None],
        [pool.by_price for pool in comparison.pools if pool.by_price is not None],
    )
    for column, amounts in enumerate(known, start=1):
        widen(sheet, column, amounts, statement.quantum, least=16)
    sheet.freeze_panes(1, 1)
    heads = ("Pool", comparison.label, statement.period.label, "Change", "By volume", "By price")
    for column, head in enumerate(heads):
        sheet.write_string(0, column, head, formats["number_head" if column else "head"])
    row = 0
    for row, pool in enumerate(comparison.pools, start=1):
        sheet.write_string(row, 0, pool.title)
        sheet.write_number(row, 1, float(pool.before), formats["money"])
        sheet.write_number(row, 2, float(pool.after), formats["money"])
        change = float(pool.change)
        sheet.write_formula(row, 3, f"=C{row + 1}-B{row + 1}", formats["money"], change)
        for column, part in ((4, pool.by_volume), (5, pool.by_price)):
            if part is None:
                sheet.write_string(row, column, "unknown", formats["right"])
            else:
                sheet.write_number(row, column, float(part), formats["money"])
    end = row + 1
    sheet.write_string(end, 0, "Total", formats["bold"])
    for column, value in ((1, comparison.before), (2, comparison.after), (3, comparison.change)):
        letter = "ABCD"[column]
        formula = f"=SUM({letter}2:{letter}{end})" if row else "=0"
        sheet.write_formula(end, column, formula, formats["sum"], float(value))
    line = end
    for line, one in enumerate(comparison.anomalies, start=end + 2):
        sheet.write_string(line, 0, plain(one.tenant))
        sheet.write_number(line, 1, float(one.before), formats["money"])
        sheet.write_number(line, 2, float(one.after), formats["money"])
        sheet.write_formula(line, 3, f"=C{line + 1}-B{line + 1}", formats["money"],
                            float(one.change))  # fmt: skip
        sheet.write_string(line, 4, f"mostly {one.pool}, by {one.driver}", formats["after"])
    on_a4(sheet, line, len(heads) - 1)
