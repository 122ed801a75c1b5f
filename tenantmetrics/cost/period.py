"""Months: from "2026-11" and a time zone to seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tenantmetrics.errors import ReportError
from tenantmetrics.statement import Period

__all__ = ["day", "month_of", "parse_month", "zone"]

_MONTHS = 12


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
    return parse_month(f"{moment:%Y-%m}", timezone)


def day(moment_s: int) -> str:
    """The day of a moment (seconds since the epoch) in UTC, such as "2026-11-20"."""
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d}"
