"""Months and their borders."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.cost.period import day, month_of, parse_month, part_of
from tenantmetrics.errors import ReportError


def test_a_month_runs_from_midnight_to_midnight_in_utc():
    """December ends where the next year begins."""
    period = parse_month("2026-12")
    assert datetime.fromtimestamp(period.start_s, UTC) == datetime(2026, 12, 1, tzinfo=UTC)
    assert datetime.fromtimestamp(period.end_s, UTC) == datetime(2027, 1, 1, tzinfo=UTC)


def test_a_month_with_a_daylight_saving_change_has_an_hour_more_or_less():
    """Berlin's March is 743 hours and its October 745."""
    for month, hours in (("2026-03", 743), ("2026-10", 745), ("2026-11", 720)):
        period = parse_month(month, "Europe/Berlin")
        assert (period.end_s - period.start_s) == hours * 3600


@given(st.integers(0, 4_000_000_000), st.sampled_from(["UTC", "Asia/Kathmandu", "America/Lima"]))
def test_every_moment_is_in_exactly_one_month(moment_s, timezone):
    """Months leave no gap and do not overlap."""
    period = month_of(moment_s, timezone)
    assert period.start_s <= moment_s < period.end_s
    assert month_of(period.end_s, timezone).start_s == period.end_s


def test_a_clock_that_is_set_back_over_midnight_does_not_bring_the_old_month_back():
    """In Goose Bay the first minute of November 2009 was followed by the last hour of October."""
    november = parse_month("2009-11", "America/Goose_Bay")
    assert month_of(november.start_s + 1_800, "America/Goose_Bay") == november


@pytest.mark.parametrize(
    ("timezone", "parts"),
    [("UTC", [0, 1]), ("Asia/Kolkata", [0, "0.5"]), ("Asia/Kathmandu", [0, "0.75"])],
)
def test_an_hour_at_a_border_is_in_two_months_in_parts(timezone, parts):
    """What the border cuts off belongs to the month before."""
    month, before = parse_month("2026-11", timezone), parse_month("2026-10", timezone)
    first = month.start_s // 3600
    assert [part_of(month, hour) for hour in (first - 1, first)] == [Decimal(p) for p in parts]
    assert part_of(month, first) + part_of(before, first) == 1
    assert sum(part_of(month, hour) for hour in month.hours) == 720


def test_a_day_is_named_in_utc():
    """As the ledger's folders are."""
    assert day(1_795_209_300) == "2026-11-20"


@pytest.mark.parametrize(
    "text",
    [
        "2026",
        "2026-13",
        "2026-00",
        "11-2026",
        "2026-1",
        "Nov",
        "",
        "2026-11-01",
        "\uff12\uff10\uff12\uff16-11",
    ],
)
def test_a_month_that_does_not_parse_is_one_clear_error(text):
    """The error quotes what was given and shows the form to write."""
    with pytest.raises(ReportError, match=r"2026-11$"):
        parse_month(text)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../../etc/passwd"])
def test_an_unknown_time_zone_is_one_clear_error(name):
    """The error shows the form to write."""
    with pytest.raises(ReportError, match="Europe/Berlin"):
        parse_month("2026-11", name)
