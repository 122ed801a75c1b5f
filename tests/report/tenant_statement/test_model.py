"""A tenant's statement: its own figures, and nothing of any other tenant."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantmetrics.cost.invoicing import Rules
from tenantmetrics.cost.invoicing.rules import RoundPer, Terms
from tenantmetrics.cost.server_time.model import (
    Method,
    MethodCoverage,
    ServerTime,
    ServerTimeSource,
    TenantServerTime,
)
from tenantmetrics.cost.statement import (
    ExchangeRate,
    Line,
    LineKind,
    Period,
    Pool,
    Statement,
    Usage,
)
from tenantmetrics.cost.top_statements import TopStatement
from tenantmetrics.errors import ReportError, UnbalancedError
from tenantmetrics.records import IDLE, UNATTRIBUTED
from tenantmetrics.report.tenant_statement import Statements
from tenantmetrics.report.tenant_statement.html import as_html
from tenantmetrics.report.tenant_statement.json import as_json, schema

CANARY = "kanarienvogel"
SECRET = "987654.32"
OTHERS = (CANARY, f"{CANARY}-eu", "Geheim GmbH")
"""Other tenants, and amounts of theirs that must not be seen."""


def period(label="2026-10", number=0):
    return Period(label, 1790812800 + number, 1793491200 + number)


def server_time(tenants):
    """Server time of so many nanoseconds each, with counts of others in the coverage."""
    return ServerTime(
        asked=ServerTimeSource.AUTO,
        metered_hours=717_171,
        tenants={
            name: TenantServerTime(name, ns, ns, ns // 2, ns * 2) for name, ns in tenants.items()
        },
        methods=(
            MethodCoverage(
                method=Method.DB_LOAD, hours=616_161, calls=515_151, wall_ns=414_141_000_000_000,
                metered_ns=313_131_000_000_000, load_ns=212_121_000_000_000,
            ),
        ),
        unmetered_ns=111_222_333,
    )  # fmt: skip


def line(tenant, *amounts, calls=1000, kind=LineKind.TENANT):
    return Line(
        tenant, kind, Usage(calls, calls // 100, calls * 10**6, calls, 10, 20, 30, 40),
        tuple(Decimal(amount) for amount in amounts),
    )  # fmt: skip


def whole(label="2026-10", acme=("3.10", "0.20", "0"), **changes):
    """A month of acme, of others with the canaries, and of nobody."""
    lines = [line("acme", *acme)]
    lines += [line(name, SECRET, "11223.44", "5566.77", calls=919_191) for name in OTHERS]
    lines += [
        line(UNATTRIBUTED, "77.77", "0", "0", calls=818_181, kind=LineKind.UNATTRIBUTED),
        line(IDLE, "88.88", "0", "0", calls=0, kind=LineKind.IDLE),
    ]
    sums = [sum((one.amounts[n] for one in lines), Decimal(0)) for n in range(3)]
    told = f"of {CANARY}, {SECRET}"
    pools = tuple(
        Pool(name, title, total, driver, f"{told} in {len(OTHERS)} clusters", Decimal(123454321))
        for name, title, total, driver in zip(
            ("compute", "data_api", "storage"), ("Compute", "Data API", "Storage"), sums,
            ("share of server time", "billed requests", "measured bytes of storage"), strict=True,
        )
    )  # fmt: skip
    fields = {
        "period": period(label),
        "currency": "USD",
        "quantum": Decimal("0.01"),
        "basis": f"CUR {CANARY}.csv",
        "estimate": False,
        "pools": pools,
        "lines": tuple(lines),
        "draft": (f"the bill lacks {SECRET} {told}",),
        "notes": (f"A note {told}.",),
        "account": "121212121212",
        "left_out": told,
        "server_time": server_time({"acme": 36 * 10**11, **dict.fromkeys(OTHERS, 929_292 * 10**9)}),
        "top_statements": {
            "acme": (
                TopStatement("SELECT bookings", 7, 10**9, 70),
                TopStatement(f"SELECT {CANARY}.orders", 3, 10**8, 30),
                TopStatement("INSERT geheim_gmbh_orders", 1, 10**7, 3),
                TopStatement("__other__", 2, 10**6, 1),
            ),
            CANARY: (TopStatement("SELECT vogelfutter", 939_393, 949_494 * 10**9, 959_595),),
        },
    }
    return Statement(**{**fields, **changes})


def everything(statement, **more):
    """Each format of acme's statement."""
    one = Statements(statement, **more).of("acme")
    return {"html": as_html(one), "json": as_json(one)}


@pytest.mark.parametrize("kind", ["html", "json"])
@pytest.mark.parametrize("with_rules", [False, True])
def test_nothing_of_any_other_tenant_is_in_it(kind, with_rules):
    """No name, amount, count or total of others, anywhere in the text."""
    rules = Rules(everybody=Terms(markup=Decimal(20))) if with_rules else None
    rate = ExchangeRate(
        "USD", "EUR", Decimal("0.87"), date(2026, 10, 31), "ECB", total=Decimal("3456789.01")
    )
    statement = whole(rate=rate)
    earlier = [whole(label, draft=()) for label in ("2026-08", "2026-09")]
    stored = {"acme": 5 * 10**9, **dict.fromkeys(OTHERS, 676_767 * 10**9)}
    text = everything(statement, earlier=earlier, stored=stored, rules=rules)[kind]
    plain = text.replace(",", "").lower()
    for name in (CANARY, "geheim", "vogelfutter", "__unattributed__", "__idle__", "121212121212"):
        assert name not in plain, name
    seen = set(re.findall(r"\d+(?:\.\d+)?", plain))
    of_others = {
        SECRET, "11223.44", "5566.77", "77.77", "88.88", "919191", "818181", "717171", "616161",
        "515151", "123454321", "676767", "929292", "939393", "949494", "959595", "3456789.01",
        *(f"{pool.amount}" for pool in statement.pools), f"{statement.total}",
        *(f"{pool.amount * Decimal('1.2'):.2f}" for pool in statement.pools),
    }  # fmt: skip
    assert not seen & of_others
    # Shares and intervals: with its own amount they would give the whole.
    assert "%" not in re.sub(r"<style>.*</style>|\d+%", "", text, flags=re.DOTALL)
    assert not re.search(r"<!--|data-", text)
    assert "a statement on other tables" in text
    assert "SELECT bookings" in text


@settings(max_examples=settings.default.max_examples // 2)
@given(
    amounts=st.lists(st.decimals(1000, 10**8, places=2), min_size=3, max_size=3),
    calls=st.integers(10**5, 10**9),
    names=st.lists(st.text(alphabet="bcdfghjk", min_size=8, max_size=12), min_size=1, max_size=4),
)
def test_it_is_the_same_whatever_the_others_did(amounts, calls, names):
    """What does not change with the others' figures cannot tell of them."""
    one = everything(whole())
    others = [line(name, *amounts, calls=calls) for name in {*names}]
    lines = (whole().lines[0], *others)
    sums = [sum((each.amounts[n] for each in lines), Decimal(0)) for n in range(3)]
    pools = tuple(
        replace(pool, amount=total) for pool, total in zip(whole().pools, sums, strict=True)
    )
    worked = server_time({"acme": 36 * 10**11, **dict.fromkeys(names, calls)})
    mine = {**(whole().top_statements or {}), "acme": (TopStatement("SELECT bookings", 7, 1, 2),)}
    first = everything(replace(whole(), top_statements=mine))
    other = everything(whole(lines=lines, pools=pools, server_time=worked, top_statements=mine))
    assert other == first
    assert one.keys() == other.keys()


def test_what_it_shows_is_the_tenants_own():
    """Calls, load, storage, cost by pool, trend, statements, period, state and method."""
    earlier = [whole(f"2026-{n:02}", ("1.00", "0", "0"), draft=()) for n in range(1, 10)]
    one = Statements(whole(), earlier=earlier, stored={"acme": 7}).of("acme")
    assert [(part.name, part.amount) for part in one.parts] == [
        ("compute", Decimal("3.10")), ("data_api", Decimal("0.20")),
    ]  # fmt: skip
    assert (one.total, one.usage.calls, one.stored_bytes) == (Decimal("3.30"), 1000, 7)
    assert one.server_ns == 36 * 10**11
    assert one.load == pytest.approx(3600 / 2_678_400)
    assert [month.total for month in one.months] == [*[Decimal("1.00")] * 9, Decimal("3.30")]
    assert one.status == ("DRAFT",)
    assert one.caveats == ("Draft: the figures may still change.",)
    page = as_html(one)
    for text in (
        "2026-10-01 to 2026-10-31 (UTC)",
        "USD",
        "DRAFT",
        "Compute: by share of server time.",
    ):
        assert text in page
    assert "CloudWatch&#39;s DBLoad" in page


def test_a_running_month_says_so_and_has_no_average():
    """The load of half a month over a whole one would be half."""
    one = Statements(whole(draft=("the month is not over",))).of("acme")
    assert one.caveats == ("Draft: the month is not over.",)
    assert one.load is None


def test_the_trend_begins_with_the_tenant_and_has_13_months_at_most():
    """Not with months before it came; a gap is a month of nothing."""
    months = [whole(f"2025-{n:02}") for n in range(1, 13)]
    months += [whole(f"2026-{n:02}") for n in range(1, 10)]
    one = Statements(whole(), earlier=months).of("acme")
    assert [month.label for month in one.months][:1] == ["2025-10"]
    assert len(one.months) == 13
    gone = [replace(month, lines=month.lines[1:]) for month in months[:3]]
    gone = [balanced(month) for month in gone]
    late = Statements(whole(), earlier=[*gone, months[3], gone[0]]).of("acme")
    assert [month.total for month in late.months] == [Decimal("3.30"), 0, Decimal("3.30")]


def balanced(statement):
    """With pools that are the lines' sums."""
    sums = [sum((one.amounts[n] for one in statement.lines), Decimal(0)) for n in range(3)]
    pools = zip(statement.pools, sums, strict=True)
    return replace(statement, pools=tuple(replace(pool, amount=total) for pool, total in pools))


def test_months_of_another_currency_are_refused_and_such_without_money_have_calls():
    """Nothing is added that cannot be."""
    with pytest.raises(ReportError, match="2026-09 is in EUR and 2026-10 in USD"):
        Statements(whole(), earlier=[whole("2026-09", currency="EUR")])
    one = Statements(whole(), earlier=[whole("2026-09")], without_money=["2026-09"]).of("acme")
    assert [(month.total, month.calls) for month in one.months] == [
        (None, 1000), (Decimal("3.30"), 1000),
    ]  # fmt: skip
    assert "not known" in as_html(one)


def test_with_rules_it_shows_what_is_charged_and_not_what_it_cost():
    """The same amounts as the invoice; the trend, too."""
    rules = Rules(
        everybody=Terms(markup=Decimal(50), minimum=Decimal(6)), round_per=RoundPer.INVOICE,
        titles={"compute": "CPU"},
    )  # fmt: skip
    one = Statements(whole(), earlier=[whole("2026-09", ("10.00", "0", "0"))], rules=rules).of(
        "acme"
    )
    assert [(part.title, part.amount) for part in one.parts] == [
        ("CPU", Decimal("4.65")),
        ("Data API", Decimal("0.30")),
        ("Minimum charge", Decimal("1.05")),
    ]  # fmt: skip
    assert [month.total for month in one.months] == [15, 6]
    for text in (as_html(one), as_json(one)):
        assert "3.10" not in text
        assert "4.65" in text


def test_a_small_estimate_is_in_cents_where_the_tenants_own_say_enough():
    """More decimals because of the others would tell that they are small."""
    micro = Decimal("0.000001")
    small = balanced(whole(quantum=micro, acme=("1.234567", "0.000005", "0"), estimate=True))
    one = Statements(small).of("acme")
    assert [part.amount for part in one.parts] == [Decimal("1.23")]
    small = balanced(whole(quantum=micro, acme=("0.034567", "0.000005", "0"), estimate=True))
    one = Statements(small).of("acme")
    assert [f"{part.amount}" for part in one.parts] == ["0.0346"]
    assert any("4 decimals: in steps of 0.01 USD" in caveat for caveat in one.caveats)
    tiny = balanced(whole(quantum=micro, acme=("0.000123", "0", "0"), estimate=True))
    assert Statements(tiny).of("acme").total == Decimal("0.000123")
    assert Statements(tiny).of("acme").status == ("DRAFT", "ESTIMATE")


def test_a_tenant_of_the_tenants_file_alone_is_not_named_either():
    """It has neither usage nor a line, and a table that is called as it."""
    top = {"acme": (TopStatement("SELECT newcomer.orders", 1, 1, 1),)}
    shown = Statements(whole(top_statements=top), others=["newcomer"]).of("acme").top_statements
    assert shown is not None
    assert [one.summary for one in shown] == ["a statement on other tables"]


def test_nothing_is_nothing_in_coins():
    """A tenant that called and cost nothing."""
    one = Statements(balanced(whole(acme=("0", "0", "0"))), earlier=[whole("2026-09")]).of("acme")
    assert (one.parts, str(one.total)) == ((), "0.00")
    assert "Nothing this month" in as_html(one)
    assert json.loads(as_json(one))["months"][1]["total"] == "0.00"


def test_an_unknown_tenant_is_refused_with_a_suggestion():
    """What is nobody's is no tenant."""
    made = Statements(whole())
    with pytest.raises(ReportError, match=r"no tenant 'Acme' in 2026-10; did you mean 'acme'\?"):
        made.check(["acme", "Acme"])
    with pytest.raises(ReportError, match="no tenant '__idle__'"):
        made.check([IDLE])


def test_lines_that_do_not_add_up_are_shown_to_nobody():
    """Of an earlier month, too."""
    pools = whole().pools
    wrong = (replace(pools[0], amount=pools[0].amount + 1), *pools[1:])
    with pytest.raises(UnbalancedError):
        Statements(whole(pools=wrong))
    with pytest.raises(UnbalancedError):
        Statements(whole(), earlier=[whole("2026-09", pools=wrong)])


@pytest.mark.parametrize(
    "changes", [{}, {"server_time": None}, {"top_statements": None}, {"top_statements": {}}]
)
def test_the_json_fits_its_schema(changes):
    """With and without what may be missing."""
    checker = jsonschema.Draft202012Validator(schema(), format_checker=jsonschema.FormatChecker())
    checker.check_schema(schema())
    statement = whole(**changes)
    for more in ({}, {"stored": {}}, {"earlier": [whole("2026-09")], "without_money": ["2026-09"]}):
        checker.validate(json.loads(everything(statement, **more)["json"]))
