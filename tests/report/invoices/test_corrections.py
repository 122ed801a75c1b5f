"""A month that was exported and is made again: only the differences are sent."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantmetrics.cost.inputs import CUSTOMER_COLUMNS, TenantFacts
from tenantmetrics.cost.invoicing import Rules, invoices
from tenantmetrics.cost.invoicing.rules import Lines
from tenantmetrics.cost.statement import Line, LineKind, Period, Pool, Statement, Usage
from tenantmetrics.errors import ReportError
from tenantmetrics.report.invoices.export import FORMS, InvoiceFormat, export, read_earlier

EACH = pytest.mark.parametrize("kind", list(InvoiceFormat))
OCTOBER = Period("2026-10", 1790812800, 1793491200)


def sent(kind, cents, files=(), *, customers=None, lines=Lines.POOL):
    """The text of an export of `{tenant: (compute, data_api)}` after the files before it."""
    amounts = {name: tuple(Decimal(one) / 100 for one in both) for name, both in cents.items()}
    rows = tuple(Line(name, LineKind.TENANT, Usage(1), both) for name, both in amounts.items())
    sums = [sum((row.amounts[n] for row in rows), Decimal(0)) for n in range(2)]
    pools = tuple(
        Pool(name, name, total, "calls")
        for name, total in zip(("compute", "data_api"), sums, strict=True)
    )
    of = Statement(OCTOBER, "USD", Decimal("0.01"), "a bill", False, pools, rows)
    rules = Rules(lines=lines)
    known = {name: (customers or {}).get(name, name) for name in cents}
    facts = {
        name: TenantFacts({}, None, 0, dict.fromkeys(CUSTOMER_COLUMNS, customer))
        for name, customer in known.items()
    }
    earlier = [one for text in files for one in read_earlier(kind, "old", text, "2026-10")]
    made = invoices(of, rules, quantum=FORMS[kind].unit("USD").quantum)
    return export(kind, of, made, rules, facts, earlier=earlier if files else None).text


def held(kind, files):
    """What the provider has after all files: it takes each identifier once."""
    seen = {}
    for text in files:
        for one in read_earlier(kind, "a file", text, "2026-10"):
            seen.setdefault(one.identifier, one)
    sums = {}
    for one in seen.values():
        sums[one.customer] = sums.get(one.customer, 0) + one.units
    return {customer: units for customer, units in sums.items() if units}


@EACH
def test_a_correction_has_the_differences_under_new_identifiers(kind):
    """Made again after it was sent, it is empty."""
    first = sent(kind, {"acme": (300, 20), "bee": (50, 0)})
    second = sent(kind, {"acme": (310, 20), "bee": (50, 0)}, [first])
    (one,) = read_earlier(kind, "second", second, "2026-10")
    assert (one.customer, one.units) == ("acme", 10)
    assert one.identifier not in first
    third = sent(kind, {"acme": (310, 20), "bee": (50, 0)}, [first, second])
    assert read_earlier(kind, "third", third, "2026-10") == []
    assert sent(kind, {"acme": (310, 20), "bee": (50, 0)}, [first]) == second


@EACH
def test_a_tenant_that_is_gone_is_taken_back_and_may_come_again(kind):
    """Down to nothing, and up again, as often as need be."""
    files = [sent(kind, {"acme": (300, 20), "bee": (50, 7)})]
    for bee in ((0, 0), (50, 7), (0, 0), (0, 9)):
        cents = {"acme": (300, 20), "bee": bee} if any(bee) else {"acme": (300, 20)}
        files.append(sent(kind, cents, files))
        expected = {"acme": 320, "bee": sum(bee)} if any(bee) else {"acme": 320}
        assert held(kind, files) == expected


@EACH
def test_an_amount_at_the_wrong_customer_is_taken_back_there(kind):
    """And charged to the right one."""
    files = [sent(kind, {"acme": (300, 20)}, customers={"acme": "wrong"})]
    files.append(sent(kind, {"acme": (300, 20)}, files, customers={"acme": "right"}))
    assert held(kind, files) == {"right": 320}


@EACH
def test_other_lines_of_the_same_total_come_to_the_same(kind):
    """A change of the rules from pools to one line."""
    files = [sent(kind, {"acme": (300, 20)})]
    files.append(sent(kind, {"acme": (300, 20)}, files, lines=Lines.TOTAL))
    assert held(kind, files) == {"acme": 320}


MONTHS = st.dictionaries(
    st.sampled_from(["acme", "bee", "cee"]), st.tuples(*[st.integers(-500, 10**6)] * 2), min_size=1
)


@EACH
@settings(max_examples=settings.default.max_examples // 3)
@given(versions=st.lists(MONTHS, min_size=2, max_size=4), shared=st.booleans())
def test_all_files_together_are_what_the_month_says_last(kind, versions, shared):
    """However often it is corrected; also where two tenants are one customer."""
    customers = {"acme": "one", "bee": "one"} if shared else {}
    files = []
    for cents in versions:
        files.append(sent(kind, cents, files, customers=customers))
        expected = {}
        for tenant, both in cents.items():
            customer = customers.get(tenant, tenant)
            expected[customer] = expected.get(customer, 0) + sum(both)
        assert held(kind, files) == {name: units for name, units in expected.items() if units}


@EACH
def test_a_file_of_another_month_or_form_is_refused(kind):
    """Its amounts would all be taken back."""
    text = sent(kind, {"acme": (300, 20)})
    with pytest.raises(ReportError, match="is no amount of 2026-09"):
        read_earlier(kind, "old.csv", text, "2026-09")
    for other in ("", "{}", "a,b\n1,2\n", "[1]", '{"fixtures": [{}]}', "\x00"):
        if other or kind is not InvoiceFormat.LAGO_EVENTS:
            with pytest.raises(ReportError, match="'old' is no export of"):
                read_earlier(kind, "old", other, "2026-10")


def test_an_amount_that_is_no_number_is_refused():
    """As an edited file may have it: one clear line, no traceback."""
    text = sent(InvoiceFormat.OPENMETER_EVENTS, {"acme": (300, 20)})
    broken = text.replace('"amount": "', '"amount": "x', 1)
    assert broken != text
    with pytest.raises(ReportError, match=r"'old' is no export of .*: 'x.*' is no amount"):
        read_earlier(InvoiceFormat.OPENMETER_EVENTS, "old", broken, "2026-10")


@pytest.mark.parametrize("changed", ["7", "null", "{}", "true"])
def test_an_identifier_or_customer_that_is_no_text_is_refused(changed):
    """Whatever a hand made of it."""
    text = sent(InvoiceFormat.OPENMETER_EVENTS, {"acme": (300, 20)})
    for field in ("id", "subject"):
        broken = re.sub(rf'"{field}": "[^"]*"', f'"{field}": {changed}', text, count=1)
        with pytest.raises(ReportError, match=r"'old' is no export of .*: a field is no text"):
            read_earlier(InvoiceFormat.OPENMETER_EVENTS, "old", broken, "2026-10")


def test_the_same_identifier_with_two_amounts_is_refused():
    """One of the files was changed by hand."""
    text = sent(InvoiceFormat.OPENMETER_EVENTS, {"acme": (300, 0)})
    events = json.loads(text)
    events[0]["data"]["amount_minor"] = 1
    with pytest.raises(ReportError, match="was exported twice, with different amounts"):
        sent(InvoiceFormat.OPENMETER_EVENTS, {"acme": (300, 0)}, [text, json.dumps(events)])
    assert json.loads(sent(InvoiceFormat.OPENMETER_EVENTS, {"acme": (300, 0)}, [text, text])) == []
