"""Which exchange rate a month is converted by, and what of a rate file is refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from tenantmetrics.cost.period import parse_month
from tenantmetrics.cost.rates import rate_of, read_rates
from tenantmetrics.errors import ReportError

NOVEMBER = parse_month("2026-11")
LATER_S = NOVEMBER.end_s + 10**6
HEAD = "date,from,to,rate,source\n"


@pytest.fixture
def write(tmp_path):
    """A rate file's path."""

    def make(text, name="rates.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return make


def test_the_rate_is_the_last_days(write):
    """Not the first, nor the newest: a month that is over keeps its rate."""
    path = write(
        f"{HEAD}2026-10-31,USD,EUR,0.81,ECB\n2026-11-30,USD,EUR,0.8612,ECB\n"
        "2026-12-01,USD,EUR,0.9,ECB\n"
    )
    rate = rate_of(read_rates(path), "USD", "EUR", NOVEMBER, LATER_S)
    assert (rate.rate, rate.day, rate.source) == (Decimal("0.8612"), date(2026, 11, 30), "ECB")
    assert rate.words() == "1 USD = 0.8612 EUR, the rate of 2026-11-30 (ECB)"


@pytest.mark.parametrize(("day", "fits"), [(30, True), (27, True), (23, True), (22, False)])
def test_over_a_weekend_the_last_rate_counts_and_after_a_week_it_is_stale(write, day, fits):
    """Central banks publish on working days."""
    quotes = read_rates(write(f"date,from,to,rate\n2026-11-{day},USD,EUR,0.86\n"))
    if fits:
        assert rate_of(quotes, "USD", "EUR", NOVEMBER, LATER_S).day == date(2026, 11, day)
    else:
        with pytest.raises(ReportError, match=r"USD to EUR is stale: .*2026-11-30 is of 2026-11-2"):
            rate_of(quotes, "USD", "EUR", NOVEMBER, LATER_S)


def test_an_open_month_takes_todays_rate(write):
    """Tomorrow's is not known, even where the file has it."""
    path = write(f"{HEAD}2026-11-09,USD,EUR,0.85,\n2026-11-11,USD,EUR,0.87,\n")
    rate = rate_of(read_rates(path), "USD", "EUR", NOVEMBER, NOVEMBER.start_s + 9 * 86_400)
    assert (rate.day, rate.source) == (date(2026, 11, 9), "rates.csv")


def test_the_last_day_is_that_of_the_months_zone(write):
    """November in Kolkata is over while it is still November 30 in UTC."""
    month = parse_month("2026-11", "Asia/Kolkata")
    quotes = read_rates(write(f"{HEAD}2026-11-30,USD,INR,84,\n2026-12-01,USD,INR,85,\n"))
    assert rate_of(quotes, "USD", "INR", month, LATER_S).rate == 84


def test_a_rate_may_be_written_the_other_way_round(write):
    """The European Central Bank says what a euro is worth; the direct one of a day is preferred."""
    path = write(f"{HEAD}2026-11-30,EUR,USD,1.25,ECB\n")
    rate = rate_of(read_rates(path), "USD", "EUR", NOVEMBER, LATER_S)
    assert (rate.inverse, rate.base, rate.currency) == (True, "USD", "EUR")
    assert rate.words() == "1 EUR = 1.25 USD, the rate of 2026-11-30 (ECB)"
    both = write(f"{HEAD}2026-11-30,EUR,USD,1.25,\n2026-11-30,USD,EUR,0.8,\n")
    assert not rate_of(read_rates(both), "USD", "EUR", NOVEMBER, LATER_S).inverse


def test_toml_says_the_same_to_the_last_digit(write):
    """A rate in TOML is no binary fraction."""
    path = write(
        'source = "ECB"\n[[rates]]\ndate = 2026-11-30\nfrom = "USD"\nto = "EUR"\n'
        "rate = 0.86123456789012345678901\n",
        "rates.toml",
    )
    (quote,) = read_rates(path)
    assert str(quote.rate) == "0.86123456789012345678901"
    assert (quote.day, quote.source) == (date(2026, 11, 30), "ECB")


BAD = {
    "no file": (None, "cannot be read"),
    "empty": ("", "column 'date' is missing"),
    "no rows": (HEAD, "holds no rate"),
    "semicolons": ("date;from;to;rate\n", "unexpected delimiter ';'"),
    "date": (f"{HEAD}30.11.2026,USD,EUR,1,\n", "row 2, column 'date': '30.11.2026' is not a date"),
    "no such day": (f"{HEAD}2026-11-31,USD,EUR,1,\n", "'2026-11-31' is not a date"),
    "short date": (f"{HEAD}20261130,USD,EUR,1,\n", "'20261130' is not a date"),
    "zero": (f"{HEAD}2026-11-30,USD,EUR,0,\n", "column 'rate': '0' is not a rate above 0"),
    "negative": (f"{HEAD}2026-11-30,USD,EUR,-1,\n", "'-1' is not a rate above 0"),
    "nan": (f"{HEAD}2026-11-30,USD,EUR,NaN,\n", "'NaN' is not a rate above 0"),
    "infinity": (f"{HEAD}2026-11-30,USD,EUR,inf,\n", "'inf' is not a rate above 0"),
    "comma": (f'{HEAD}2026-11-30,USD,EUR,"0,86",\n', "'0,86' is not a rate above 0"),
    "empty rate": (f"{HEAD}2026-11-30,USD,EUR,,\n", "'' is not a rate above 0"),
    "name": (f"{HEAD}2026-11-30,dollar,EUR,1,\n", "'dollar' is not a currency's code"),
    "same": (f"{HEAD}2026-11-30,USD,USD,1,\n", "is not another currency"),
    "twice": (
        f"{HEAD}2026-11-30,USD,EUR,1,\n2026-11-30,USD,EUR,2,\n",
        "row 3, column 'date': duplicate rate from USD to EUR of '2026-11-30'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_rate_file_is_refused_by_row_and_column(write, tmp_path, case):
    """One line each."""
    text, message = BAD[case]
    path = tmp_path / "rates.csv" if text is None else write(text)
    with pytest.raises(ReportError) as caught:
        read_rates(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rates = 3\n", "has no table [[rates]]"),
        ("[[rates]]\n", "rate 1: 'date' is missing"),
        ("x = [\n", "cannot be read"),
        ('[[rates]]\ndate=2026-11-30\nfrom="USD"\nto="EUR"\nrate=nan\n', "'nan' is not a rate"),
        ('[[rates]]\ndate=2026-11-30\nfrom="USD"\nto="EUR"\nrate=true\n', "'True' is not a rate"),
    ],
)
def test_a_wrong_toml_is_refused_too(write, text, message):
    """In the same words."""
    with pytest.raises(ReportError) as caught:
        read_rates(write(text, "rates.toml"))
    assert message in str(caught.value)


def test_a_missing_pair_or_date_says_what_there_is(write):
    """No rate is crossed over a third currency, and none is taken from later."""
    quotes = read_rates(write(f"{HEAD}2026-12-01,USD,EUR,0.8,\n2026-11-30,EUR,GBP,0.9,\n"))
    with pytest.raises(ReportError, match="no rate from USD to GBP, nor back; it has EUR to GBP"):
        rate_of(quotes, "USD", "GBP", NOVEMBER, LATER_S)
    with pytest.raises(ReportError, match=r"of 2026-11-30 .*its first is of 2026-12-01"):
        rate_of(quotes, "USD", "EUR", NOVEMBER, LATER_S)
