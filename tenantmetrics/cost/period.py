"""Months: from "2026-11" and a time zone to seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import ReportError

__all__ = [
    "billing_months",
    "day",
    "is_billing_month",
    "month_of",
    "parse_month",
    "part_of",
    "zone",
]

_MONTHS = 12
_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S


def zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name.

    Raises:
        ReportError: There is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ReportError(
            f"time zone {name!r} is unknown: write an IANA name such as UTC or Europe/Berlin"
        ) from None


def parse_month(text: str, timezone: str = "UTC") -> Period:
    """A calendar month.

    Args:
        text: "2026-11".
        timezone: IANA name of the zone whose midnight are its borders; AWS bills in UTC.

    Raises:
        ReportError: The month does not parse, or the zone is unknown.
    """
    match = re.fullmatch(r"([0-9]{4})-([0-9]{2})", text)
    year, month = (int(match[1]), int(match[2])) if match else (0, 0)
    # 9999-12 has no month after it that Python could name.
    if not (1900 <= year < 9999 and 1 <= month <= _MONTHS):  # noqa: PLR2004
        raise ReportError(f"month {text!r} does not parse: write it as year and month, 2026-11")
    where = zone(timezone)
    start = datetime(year, month, 1, tzinfo=where)
    end = datetime(year + month // _MONTHS, month % _MONTHS + 1, 1, tzinfo=where)
    return Period(text, int(start.timestamp()), int(end.timestamp()), timezone)


def month_of(moment_s: int, timezone: str = "UTC") -> Period:
    """The month that a moment (seconds since the epoch) falls in.

    Raises:
        ReportError: The zone is unknown.
    """
    moment = datetime.fromtimestamp(moment_s, zone(timezone))
    period = parse_month(f"{moment:%Y-%m}", timezone)
    # Where the clock is set back over midnight, the new month has begun by the first midnight.
    return period if moment_s < period.end_s else month_of(moment_s + _DAY_S, timezone)


def billing_months(period: Period) -> list[str]:
    """The months that AWS bills a period's hours in: in UTC, one for a month in UTC.

    One alone need not be of the same hours: March ends an hour earlier in London.
    """
    return list(
        dict.fromkeys(
            f"{datetime.fromtimestamp(second, UTC):%Y-%m}"
            for second in (period.start_s, period.start_s + 15 * _DAY_S, period.end_s - 1)
        )
    )


def is_billing_month(period: Period) -> bool:
    """Whether a period is a month as AWS bills it: its borders are those of a month in UTC."""
    month = month_of(period.start_s)
    return (period.start_s, period.end_s) == (month.start_s, month.end_s)


def day(moment_s: int) -> str:
    """The day of a moment (seconds since the epoch) in UTC, such as "2026-11-20"."""
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d}"


def part_of(period: Period, hour: int) -> Decimal:
    """How much of an hour (since the epoch) lies in a period, 0 to 1.

    A month of a zone that is off by half an hour begins and ends within an hour.
    """
    start_s = max(hour * _HOUR_S, period.start_s)
    end_s = min((hour + 1) * _HOUR_S, period.end_s)
    return Decimal(max(0, end_s - start_s)) / _HOUR_S
