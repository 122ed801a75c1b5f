"""Budgets of the tenants' file, and what a month will have cost."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tenantmetrics.cost import Capacity, monthly
from tenantmetrics.cost.budget_model import BudgetStatus
from tenantmetrics.errors import ReportError


def at(text):
    """Seconds since the epoch of a moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.fixture
def days(write_hour):
    """Write a window in the last hour of each day: 60 calls of acme, 30 of bee."""

    def write(first, count, skip=()):
        start = datetime.fromisoformat(first)
        for number in range(count):
            if number not in skip:
                # The first call is where the month's capacity begins.
                for hour in (23,) if number else (0, 23):
                    moment = start + timedelta(days=number, hours=hour)
                    calls = 30 if number else 15
                    write_hour(moment.isoformat(), {"acme": (2 * calls, 120), "bee": (calls, 60)})

    return write


@pytest.fixture
def of(ledger, tmp_path):
    """A statement of November at 1 ACU, by a tenants' file, as of a moment."""

    def make(text, now="2026-11-16T09:00", **more):
        path = tmp_path / "tenants.csv"
        path.write_text(text)
        fields = {
            "month": "2026-11", "tenants": path, "now_s": at(now),
            "capacity": Capacity(acu=Decimal(1)), "drivers": {"compute": "wall_time"}, **more,
        }  # fmt: skip
        return monthly(ledger, **fields)

    return make


BUDGETS = (
    "tenant,plan,pool,budget\nacme,pro,,10\nbee,free,,0.2\n,pro,,100\n,,compute,20\n,,,1000\n"
    "bee,,compute,0.1\n,,,\n"
)


def by_name(statement):
    """Budgets by name."""
    return {state.budget.name: state for state in statement.outlook.budgets}


def test_a_budget_is_of_a_tenant_a_group_a_pool_or_everything(days, of):
    """Each against its own lines and pools, month to date."""
    days("2026-11-01", 15)
    statement = of(BUDGETS)
    states = by_name(statement)
    assert set(states) == {"acme", "bee", "plan=pro", "compute", "everything", "bee, compute"}
    lines = {line.tenant: line for line in statement.lines}
    place = [pool.name for pool in statement.pools].index("compute")
    assert states["acme"].spent == states["plan=pro"].spent == lines["acme"].total
    assert states["bee, compute"].spent == lines["bee"].amounts[place]
    assert states["compute"].spent == statement.pools[place].amount
    assert states["everything"].spent == statement.total
    assert [state.budget.scope for state in statement.outlook.budgets].count("group") == 1
    assert statement.group_names == ("plan",)


def test_the_worst_budget_comes_first(days, of):
    """What is over, then what will be, then by the part that is used."""
    days("2026-11-01", 15)
    statement = of(BUDGETS)
    statuses = [state.status for state in statement.outlook.budgets]
    assert statuses == sorted(statuses, key=list(BudgetStatus).index)
    assert statement.outlook.budgets[0].status is BudgetStatus.OVER
    assert statement.outlook.budgets[-1].budget.name in {"everything", "plan=pro", "acme"}


def test_a_steady_month_is_forecast_to_go_on(days, of):
    """Half of November at a dollar a day and an earlier month alike: as much again."""
    days("2026-10-01", 31)
    days("2026-11-01", 15)
    statement = of(BUDGETS)
    total = statement.outlook.total
    assert total.days == 15
    assert total.months == ("2026-10",)
    assert float(total.amount) == pytest.approx(2 * float(statement.total), rel=0.02)
    assert statement.total < total.low <= total.amount <= total.high
    acme = by_name(statement)["acme"]
    assert float(acme.forecast.amount) == pytest.approx(2 * float(acme.spent), rel=0.02)
    assert any("2026-09" in note for note in statement.outlook.notes)


def test_weekends_of_earlier_months_are_remembered(days, of, write_hour):
    """Where Saturdays and Sundays are idle, the days ahead count by their weekdays."""
    day, last = datetime.fromisoformat("2026-10-01"), datetime.fromisoformat("2026-11-14")
    while day < last:
        calls = 100 if day.weekday() < 5 else 1
        write_hour((day + timedelta(hours=23)).isoformat(), {"acme": (calls * 10**6, calls)})
        day += timedelta(days=1)
    statement = of(
        "tenant,pool,budget\n,data_api,1\n", now="2026-11-14T00:30",
    )  # fmt: skip
    (state,) = statement.outlook.budgets
    # 10 weekdays and 3 days of weekends are over; 11 and 6 are ahead.
    expected = float(state.spent) * (1 + (11 * 100 + 6) / (10 * 100 + 3))
    assert float(state.forecast.amount) == pytest.approx(expected, rel=0.03)
    assert state.forecast.months == ("2026-10",)


@pytest.mark.parametrize(
    ("first", "count", "now", "reason"),
    [
        ("2026-11-01", 1, "2026-11-01T09:00", "no complete day with data, and without an earlier"),
        ("2026-11-01", 5, "2026-11-06T09:00", "5 complete days with data, and without an earlier"),
        ("2026-10-01", 33, "2026-11-03T09:00", "2 complete days with data, and beside an earlier"),
        ("2026-11-01", 30, "2026-12-01T00:00", "the month is over"),
    ],
)
def test_what_is_not_known_is_said(days, of, first, count, now, reason):
    """No guess on the first days, without history, or of a month that is over."""
    days(first, count)
    outlook = of(BUDGETS, now=now).outlook
    assert outlook.total is None
    assert reason in outlook.unknown
    assert all(state.forecast is None and reason in state.unknown for state in outlook.budgets)


def test_a_scrap_of_an_earlier_month_is_no_history(days, of):
    """Three days of October say nothing of weekdays, and are not named."""
    days("2026-10-29", 12)
    total = of(BUDGETS, now="2026-11-10T09:00").outlook.total
    assert (total.days, total.months) == (9, ())


@pytest.mark.long
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_days_are_those_of_the_months_zone(days, of, zone):
    """The clock is set on November 1 in New York: a day of 25 hours is one day."""
    days("2026-10-01", 46)
    statement = of(BUDGETS, timezone=zone)
    total = statement.outlook.total
    assert total.days in {14, 15}
    assert float(total.amount) == pytest.approx(2 * float(statement.total), rel=0.03)


def test_a_week_alone_is_enough(days, of):
    """Without an earlier month, and it says so."""
    days("2026-11-01", 8)
    total = of(BUDGETS, now="2026-11-09T09:00").outlook.total
    assert (total.days, total.months) == (8, ())
    assert total.basis == "8 complete days and no earlier month"


def test_days_without_data_are_no_days_without_cost(days, of):
    """They are told, and the level does not sink."""
    days("2026-11-01", 15, skip=(3, 4, 5, 9))
    statement = of(BUDGETS)
    assert "4 days of the month so far without data" in statement.outlook.notes[0]
    state = by_name(statement)["acme"]
    assert state.forecast.days == 11
    # 11 days came to what was spent, and 15 are ahead.
    assert float(state.forecast.amount) == pytest.approx(float(state.spent) * 26 / 11, rel=0.05)


def test_a_tenant_without_usage_has_no_forecast(days, of):
    """And its budget is told to be nobody's."""
    days("2026-11-01", 15)
    outlook = of("tenant,budget\ncee,5\n").outlook
    (state,) = outlook.budgets
    assert (state.spent, state.forecast) == (0, None)
    assert "nothing was spent on the complete days" in state.unknown
    assert any("cee" in note for note in outlook.notes)


def test_budgets_and_forecasts_are_in_the_reports_currency(days, of, tmp_path):
    """A euro for two dollars: half of everything but the budgets."""
    days("2026-11-01", 15)
    rates = tmp_path / "rates.csv"
    rates.write_text("date,from,to,rate\n2026-11-16,EUR,USD,2\n")
    dollars, euros = of(BUDGETS), of(BUDGETS, currency="EUR", rates=rates)
    one, other = by_name(dollars)["acme"], by_name(euros)["acme"]
    assert one.budget == other.budget
    assert float(other.spent) == pytest.approx(float(one.spent) / 2, rel=0.001)
    assert float(other.forecast.high) == pytest.approx(float(one.forecast.high) / 2, rel=0.001)


def test_without_budgets_a_forecast_is_made_when_asked_for(days, of):
    """And nothing is read for it otherwise."""
    days("2026-11-01", 15)
    assert of("tenant\nacme\n").outlook is None
    assert of("tenant\nacme\n", forecast=True).outlook.total is not None


BAD = {
    "text": ("tenant,budget\nacme,much\n", "row 2, column 'budget': 'much' is not a budget"),
    "negative": ("tenant,budget\nacme,-1\n", "'-1' is not a budget, 0 or more"),
    "nan": ("tenant,budget\nacme,NaN\n", "'NaN' is not a budget"),
    "comma": ('tenant,budget\nacme,"1,000"\n', "'1,000' is not a budget"),
    "pool": ("tenant,pool,budget\n,computer,1\n", "column 'pool': 'computer' is not a pool; they"),
    "twice": ("tenant,plan,budget\n,pro,1\n,pro,2\n", "row 3, column 'budget': '2' is not the"),
    "none": ("tenant,plan,budget\n,pro,\n", "row 2, column 'budget': '' is not a budget, and"),
    "revenue": ("tenant,revenue,budget\n,5,1\n", "column 'revenue': '5' is not empty"),
    "pool without": ("tenant,pool,budget\nacme,compute,\n", "'' is not a budget, and the row"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_budget_is_refused_by_row_and_column(of, case):
    """One line, before the ledger is looked for."""
    text, message = BAD[case]
    with pytest.raises(ReportError) as caught:
        of(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pool_column_of_a_file_without_budgets_is_a_group(days, of):
    """As it always was."""
    days("2026-11-01", 1)
    assert of("tenant,pool\nacme,blue\n").group_names == ("pool",)


def test_a_bill_is_forecast_by_its_own_days(days, of, tmp_path):
    """A fee of the month counts once; the last day of an open bill is not whole yet."""
    days("2026-11-01", 15)
    path = tmp_path / "bill.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        head = (
            "BilledCost,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,"
            "ChargePeriodEnd,x_UsageType,ServiceName"
        )
        writer.writerow(head.split(","))
        usage_type = "Aurora:ServerlessV2Usage"
        for day in range(1, 16):
            cost = "2.4" if day < 15 else "1"
            start, end = (f"2026-11-{d:02}T00:00:00Z" for d in (day, day + 1))
            writer.writerow([cost, "USD", "2026-11-01", "Usage", start, end, usage_type, "RDS"])
        start, end = "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"
        writer.writerow(["30", "USD", "2026-11-01", "Tax", start, end, usage_type, "RDS"])
    total = of("tenant\nacme\n", forecast=True, bill=path, capacity=None).outlook.total
    assert total.days == 14
    assert total.amount == Decimal(30) + 30 * Decimal("2.4")
