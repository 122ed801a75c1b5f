"""Cost Explorer's answers, as somebody saved them: whole, or refused in one line."""

from __future__ import annotations

import copy
import json

import pytest

from tenantmetrics.cost.bill.cost_explorer import load_json, parse
from tenantmetrics.cost.period import parse_month
from tenantmetrics.errors import ReportError

NOVEMBER = parse_month("2026-11")
ACU = "Aurora:ServerlessV2Usage"


def answer(*results, dimensions=("USAGE_TYPE", "RECORD_TYPE")):
    """An answer of (start, end, [(keys, amount)])."""
    return {
        "GroupDefinitions": [{"Type": "DIMENSION", "Key": key} for key in dimensions],
        "ResultsByTime": [
            {
                "TimePeriod": {"Start": start, "End": end},
                "Groups": [
                    {
                        "Keys": list(keys),
                        "Metrics": {"UnblendedCost": {"Amount": amount, "Unit": "USD"}},
                    }
                    for keys, amount in groups
                ],
            }
            for start, end, groups in results
        ],
    }


MONTH = answer(("2026-11-01", "2026-12-01", [((ACU, "Usage"), "5")]))
TOTAL = {
    "TimePeriod": {"Start": "2026-11-01", "End": "2026-12-01"},
    "Groups": [],
    "Total": {"UnblendedCost": {"Amount": "5", "Unit": "USD"}},
}


def read(data, period=NOVEMBER):
    return parse(data, "the answer", "Cost Explorer", period, amortized=False)


def changed(*path, to):
    """The answer with a part of it put in another's place."""
    data = copy.deepcopy(MONTH)
    part = data
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = to
    return data


GROUP = ("ResultsByTime", 0, "Groups", 0)


@pytest.mark.parametrize(
    "data",
    [
        changed("GroupDefinitions", to=None),
        changed("GroupDefinitions", to=[None]),
        changed("ResultsByTime", to=[None]),
        changed("ResultsByTime", 0, "TimePeriod", to=None),
        changed("ResultsByTime", 0, "TimePeriod", "Start", to="01.11.2026"),
        changed("ResultsByTime", 0, "Groups", to={}),
        changed(*GROUP, to=None),
        changed(*GROUP, "Keys", to=[ACU]),
        changed(*GROUP, "Keys", to=[None, None]),
        changed(*GROUP, "Metrics", to=[]),
        changed(*GROUP, "Metrics", "UnblendedCost", to="5"),
        *(
            changed(*GROUP, "Metrics", "UnblendedCost", "Amount", to=amount)
            for amount in (None, True, "", "1,5", "1_000", "١٢", "NaN", "1e400", [])
        ),
        changed(*GROUP, "Metrics", "UnblendedCost", "Unit", to="US dollars"),
        changed(*GROUP, "Metrics", "UnblendedCost", "Unit", to=None),
        answer(*2 * [("2026-11-01", "2026-12-01", [((ACU, "Usage"), "5")])]),
        answer(("2026-11-01", "2026-12-01", 2 * [((ACU, "Usage"), "5")])),
        answer(
            ("2026-11-01", "2026-12-01", [((ACU, "Usage"), "5")]),
            ("2026-11-02", "2026-11-03", [((ACU, "Tax"), "5")]),
        ),
        {**MONTH, "ResultsByTime": [*MONTH["ResultsByTime"], *2 * [TOTAL]]},
        answer(("2026-11-01", "2027-01-01", [((ACU, "Usage"), "5")])),
    ],
)
def test_what_is_no_answer_is_refused_by_its_place(data):
    """Whatever is wrong with it: no traceback, no guess, nothing twice."""
    with pytest.raises(ReportError, match=r"^the answer") as caught:
        read(data)
    assert "\n" not in str(caught.value)


def test_days_add_up_and_those_that_are_missing_make_a_draft():
    """A month that was asked for by the day, and not to its end."""
    days = [(f"2026-11-0{n}", f"2026-11-0{n + 1}", [((ACU, "Usage"), "5")]) for n in (2, 1)]
    bill = read(answer(*days))
    assert bill.total == 10
    assert bill.draft == ("Cost Explorer's answer has nothing of 2026-11-03 to 2026-11-30",)
    assert read(MONTH).draft == ()


def test_pages_of_one_time_are_put_together():
    """Of more groups than fit one page, each page says the month and has other groups."""
    pages = [("2026-11-01", "2026-12-01", [((ACU, kind), "5")]) for kind in ("Usage", "Tax")]
    bill = read(answer(*pages))
    assert bill.total == 10
    assert bill.draft == ()


def test_a_month_has_the_borders_of_the_month_in_utc():
    """Where a zone's month has others, be it by an hour, the message says which."""
    march = answer(("2026-03-01", "2026-04-01", [((ACU, "Usage"), "5")]))
    assert read(march, parse_month("2026-03", "Atlantic/Reykjavik")).total == 5
    with pytest.raises(ReportError, match=r"to 2026-03-31 23:00 UTC: take the month in UTC"):
        read(march, parse_month("2026-03", "Europe/London"))
    with pytest.raises(ReportError, match=r"is from 2026-03-01 01:00 to 2026-04-01 00:00 UTC"):
        read(march, parse_month("2026-03", "Atlantic/Azores"))


def test_the_service_tells_a_database_that_is_not_aurora():
    """Where the answer is grouped by it."""
    groups = [
        (("InstanceUsage:db.r5.large", "Amazon Relational Database Service"), "3"),
        (("InstanceUsage:db.r5.large", "Amazon DocumentDB (with MongoDB compatibility)"), "15"),
    ]
    month = ("2026-11-01", "2026-12-01", groups)
    assert read(answer(month, dimensions=("USAGE_TYPE", "SERVICE"))).total == 3


def test_a_currency_is_its_code_in_any_case():
    """A bill of zeros has the one that it names."""
    unit = (*GROUP, "Metrics", "UnblendedCost", "Unit")
    assert read(changed(*unit, to="eur ")).currency == "EUR"
    data = changed(*unit, to="EUR")
    data["ResultsByTime"][0]["Groups"][0]["Metrics"]["UnblendedCost"]["Amount"] = "0"
    assert read(data).currency == "EUR"


def test_an_amount_that_is_a_number_keeps_its_digits(tmp_path):
    """Some tools write it without quotes; a byte order mark is no matter."""
    path = tmp_path / "ce.json"
    text = json.dumps(MONTH).replace('"5"', "5.12345678901234567890")
    path.write_text(text, "utf-8-sig")
    bill = load_json(path, NOVEMBER, amortized=False)
    assert str(bill.total) == "5.12345678901234567890"
