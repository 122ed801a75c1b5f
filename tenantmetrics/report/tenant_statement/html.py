"""HTML: one page, self-contained, for the screen and for the browser's print."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from tenantmetrics.report.templating import template
from tenantmetrics.report.tenant_statement.model import Month, TenantStatement
from tenantmetrics.report.text import duration, money, visible

__all__ = ["as_html"]

_HEIGHT = 100
"""Of the tallest bar of the trend, in the drawing's own units."""

_LARGE = 1000
"""From here on the trend has no cents, and from its square on it is in thousands."""


def as_html(one: TenantStatement) -> str:
    """The statement as an HTML page.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    # Thirteen amounts with cents do not fit beside each other, nor do millions.
    largest = max(abs(month.total or Decimal(0)) for month in one.months)
    scale = _LARGE if largest >= _LARGE**2 else 1 if largest >= _LARGE else 0
    zone = ZoneInfo(one.period.timezone)
    first = datetime.fromtimestamp(one.period.start_s, zone)
    last = datetime.fromtimestamp(one.period.end_s - 1, zone)
    return template("tenant_statement.html").render(
        one=one,
        title=f"Database statement, {one.period.label}",
        first=f"{first:%Y-%m-%d}",
        last=f"{last:%Y-%m-%d}",
        amounts="Charge" if one.is_charge else "Cost",
        bars=_bars(one.months),
        money=lambda amount: money(amount, one.quantum),
        unit=f", in {'thousand ' if scale > 1 else 'whole '}{one.currency}" if scale else "",
        rounded=lambda amount: money(amount / (scale or 1), Decimal(1) if scale else one.quantum),
        load=_load(one.load or 0.0),
        duration=duration,
        size=_size,
        name=visible,
    )


def _load(sessions: float) -> str:
    """Sessions at work on average, in two digits."""
    return "under 0.001" if sessions < 0.001 else f"{sessions:.2g}"  # noqa: PLR2004 - as it says


def _bars(months: tuple[Month, ...]) -> list[tuple[Month, str]]:
    """Each month and the height of its bar; none where no month has money."""
    tallest = max((month.total or Decimal(0) for month in months), default=Decimal(0))
    if tallest <= 0:
        return []
    return [
        (month, f"{max(month.total or Decimal(0), Decimal(0)) * _HEIGHT / tallest:.1f}")
        for month in months
    ]


def _size(octets: int) -> str:
    """Bytes in the unit that fits: "3.2 GB"."""
    size, unit = float(octets), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:  # noqa: PLR2004 - decimal units
            break
        size, unit = size / 1000, larger
    return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
