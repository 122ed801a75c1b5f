"""The CSV as a spreadsheet of a country opens it by a double click.

Excel takes the list separator and the decimal mark of its own country, and UTF-8 only behind a byte
order mark. What programs read (RFC 4180, decimal points) it shows in one column, or as dates.
"""

from __future__ import annotations

import csv
import io

from tenantmetrics.errors import ReportError

__all__ = ["for_locale"]

_NUMBERS = frozenset(
    {
        "wall_time_s", "total_cost", "revenue", "margin", "server_time_s", "server_share",
        "server_share_low", "server_share_high", "budget", "budget_spent", "budget_left",
        "forecast", "forecast_low", "forecast_high", "exchange_rate",
    }
)  # fmt: skip
_BOM = "\ufeff"
_SEMICOLONS = frozenset({"CH", "LI"})
"""Where Windows separates lists by semicolons beside decimal points: its Swiss regions do."""


def for_locale(text: str, locale: str) -> str:
    """A report's CSV, rewritten for spreadsheets of a locale.

    Args:
        text: As `as_csv` makes it.
        locale: Such as `de_DE`, `fr-CA` or `en`.

    Returns:
        The same rows: a byte order mark, the locale's decimal mark, and semicolons where Excel's
        list separator is one, as it is where the mark is a comma.

    Raises:
        ReportError: There is no such locale.
    """
    from babel import Locale, UnknownLocaleError  # noqa: PLC0415 - an extra, and slow to load
    from babel.numbers import get_decimal_symbol  # noqa: PLC0415

    try:
        known = Locale.parse(locale.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        raise ReportError(f"locale {locale!r} is unknown: write one such as de_DE").about(
            "csv_locale"
        ) from None
    mark = get_decimal_symbol(known, numbering_system="latn")
    semicolons = mark == "," or known.territory in _SEMICOLONS
    rows = csv.reader(io.StringIO(text, newline=""))
    head = next(rows)
    is_number = [name in _NUMBERS or _is_pool(name) for name in head]
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";" if semicolons else ",")
    writer.writerow(head)
    writer.writerows(
        [
            cell.replace(".", mark) if number else cell
            for cell, number in zip(row, is_number, strict=True)
        ]
        for row in rows
    )
    return _BOM + out.getvalue()


def _is_pool(name: str) -> bool:
    """Whether a column is a pool's; a group may be called anything behind its `group_`."""
    return name.endswith("_cost") and not name.startswith("group_")
