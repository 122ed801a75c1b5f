"""Files for billing providers: their published forms, and nobody left out in silence."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.cost.inputs import CUSTOMER_COLUMNS, TenantFacts
from tenantmetrics.cost.invoicing import Rules, invoices
from tenantmetrics.cost.invoicing.rules import Lines, RoundPer, Terms, WithoutCustomer
from tenantmetrics.cost.statement import Line, LineKind, Period, Pool, Statement, Usage
from tenantmetrics.errors import ReportError
from tenantmetrics.report.invoices.export import FORMS, InvoiceFormat, export, read_earlier

OCTOBER = Period("2026-10", 1790812800, 1793491200)
LAST_S = 1793491199
NAMED = {
    name: TenantFacts({}, None, 0, {column: f"{column}-{name}" for column in CUSTOMER_COLUMNS})
    for name in ("acme", "bee", "cee")
}


def statement(tenants, *, currency="USD", quantum="0.01", **more):
    """A statement of `{tenant: (compute, data_api)}`."""
    lines = tuple(
        Line(name, LineKind.TENANT, Usage(1), tuple(Decimal(one) for one in amounts))
        for name, amounts in tenants.items()
    )
    sums = [sum((line.amounts[n] for line in lines), Decimal(0)) for n in range(2)]
    pools = (
        Pool("compute", "Compute", sums[0], "server time"),
        Pool("data_api", "Data API", sums[1], "requests"),
    )
    whole = {"estimate": False, **more}
    return Statement(
        OCTOBER, currency, Decimal(quantum), "a bill", pools=pools, lines=lines, **whole
    )


def exported(kind, of, rules=None, facts=None, **more):
    """An export, with invoices in the provider's coins."""
    rules = rules or Rules()
    quantum = FORMS[kind].unit(of.currency).quantum
    made = invoices(of, rules, quantum=quantum)
    return export(kind, of, made, rules, NAMED if facts is None else facts, **more)


TWO = statement({"bee": ("1.10", "0.20"), "acme": ("3.00", "0")})
EACH = pytest.mark.parametrize("kind", list(InvoiceFormat))


def test_stripe_meter_events_are_its_bulk_files():
    """Columns as its page on usage in bulk has them; whole cents; tenants by name."""
    text = exported(InvoiceFormat.STRIPE_METER_EVENTS, TWO).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert text.splitlines()[0] == (
        "identifier,timestamp,event_name,payload_stripe_customer_id,payload_value"
    )
    assert [(row["payload_stripe_customer_id"], row["payload_value"]) for row in rows] == [
        ("stripe_customer-acme", "300"),
        ("stripe_customer-bee", "110"),
        ("stripe_customer-bee", "20"),
    ]
    assert {(row["timestamp"], row["event_name"]) for row in rows} == {
        (str(LAST_S), "database_cost")
    }


def test_stripe_invoice_items_are_a_fixture_of_its_cli():
    """One request each, with the key that makes it happen once."""
    document = json.loads(exported(InvoiceFormat.STRIPE_INVOICE_ITEMS, TWO).text)
    assert document["_meta"] == {"template_version": 0}
    first = document["fixtures"][0]
    assert (
        first["name"] == first["idempotency_key"] == first["params"]["metadata"]["tenantmetrics_id"]
    )
    assert (first["method"], first["path"]) == ("post", "/v1/invoiceitems")
    params = first["params"]
    assert {key: params[key] for key in ("customer", "amount", "currency", "description")} == {
        "customer": "stripe_customer-acme",
        "amount": 300,
        "currency": "usd",
        "description": "Compute, 2026-10",
    }
    assert params["period"] == {"start": OCTOBER.start_s, "end": LAST_S}
    assert params["metadata"]["status"] == "FINAL"


def test_chargebee_usage_is_its_file_of_events():
    """Three columns and properties; milliseconds; 36 characters of deduplication."""
    rows = list(csv.DictReader(io.StringIO(exported(InvoiceFormat.CHARGEBEE_USAGE, TWO).text)))
    assert list(rows[0])[:3] == ["deduplication_id", "subscription_id", "usage_timestamp"]
    assert {len(row["deduplication_id"]) for row in rows} == {36}
    assert {row["usage_timestamp"] for row in rows} == {f"{LAST_S}000"}
    assert [(row["amount"], row["amount_minor"], row["currency"]) for row in rows] == [
        ("3.00", "300", "USD"), ("1.10", "110", "USD"), ("0.20", "20", "USD"),
    ]  # fmt: skip


def test_what_a_provider_does_not_take_is_known():
    """Names of Stripe's events (its OpenAPI), of Chargebee's files, and how old events may be."""
    long = Rules(event_name="x" * 101)
    with pytest.raises(ReportError, match="event_name has 101 characters, and the provider takes"):
        exported(InvoiceFormat.STRIPE_METER_EVENTS, TWO, long)
    exported(InvoiceFormat.LAGO_EVENTS, TWO, long)
    chargebee, stripe = (
        FORMS[InvoiceFormat(of)] for of in ("chargebee-usage", "stripe-meter-events")
    )
    assert chargebee.takes("acme_2026-10.csv")
    assert not any(
        map(chargebee.takes, ("a@b.csv", "a b.csv", "a.b.csv", "a.txt", "a" * 150 + ".csv"))
    )
    assert stripe.takes("a@b.txt")
    assert (chargebee.oldest, stripe.oldest) == ("12 hours", "35 days")


def test_lago_events_are_bodies_of_at_most_100():
    """A line a request."""
    many = statement({f"t{n:03}": (n + 1, 0) for n in range(250)})
    facts = {
        f"t{n:03}": TenantFacts({}, None, 0, {"lago_subscription": f"sub-{n}"}) for n in range(250)
    }
    lines = exported(InvoiceFormat.LAGO_EVENTS, many, facts=facts).text.splitlines()
    bodies = [json.loads(line)["events"] for line in lines]
    assert [len(body) for body in bodies] == [100, 100, 50]
    first = bodies[0][0]
    assert {key: first[key] for key in first if key not in {"transaction_id", "properties"}} == {
        "external_subscription_id": "sub-0",
        "code": "database_cost",
        "timestamp": LAST_S,
        "precise_total_amount_cents": "100",
    }
    assert first["properties"]["amount"] == "1.00"


TEXT, WHOLE = {"type": "string", "minLength": 1}, {"type": "integer"}


def of_fields(required, **optional):
    """An object of these fields and no others."""
    return {
        "type": "object", "required": list(required), "additionalProperties": False,
        "properties": {**required, **optional},
    }  # fmt: skip


# What the providers' own descriptions of their APIs ask of a body.
BODIES = {
    InvoiceFormat.LAGO_EVENTS: of_fields(
        {"transaction_id": TEXT, "external_subscription_id": TEXT, "code": TEXT},
        timestamp={"oneOf": [WHOLE, TEXT]},
        precise_total_amount_cents=TEXT,
        properties={
            "type": "object",
            "additionalProperties": {"oneOf": [TEXT, WHOLE, {"type": "number"}]},
        },
    ),
    InvoiceFormat.OPENMETER_EVENTS: of_fields(
        {"id": TEXT, "source": TEXT, "specversion": TEXT, "type": TEXT, "subject": TEXT},
        time=TEXT, datacontenttype={"enum": ["application/json"]}, data={"type": "object"},
    ),
    InvoiceFormat.STRIPE_INVOICE_ITEMS: of_fields(
        {"customer": TEXT, "amount": WHOLE, "currency": {"enum": ["usd"]}},
        description={"type": "string", "maxLength": 500},
        period=of_fields({"start": WHOLE, "end": WHOLE}),
        metadata={
            "type": "object", "maxProperties": 50,
            "additionalProperties": {"type": "string", "maxLength": 500},
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BODIES)
def test_each_body_has_the_form_that_its_provider_publishes(kind):
    """No field that the provider does not know, and each of the one kind that it allows."""
    text = exported(kind, TWO).text
    if kind is InvoiceFormat.LAGO_EVENTS:
        bodies = [event for line in text.splitlines() for event in json.loads(line)["events"]]
    elif kind is InvoiceFormat.OPENMETER_EVENTS:
        bodies = json.loads(text)
    else:
        bodies = [request["params"] for request in json.loads(text)["fixtures"]]
    assert len(bodies) == 3
    for body in bodies:
        jsonschema.validate(body, BODIES[kind], jsonschema.Draft202012Validator)


def test_openmeter_events_are_cloudevents_in_a_batch():
    """The attributes that CloudEvents 1.0 demands, and OpenMeter's subject."""
    events = json.loads(exported(InvoiceFormat.OPENMETER_EVENTS, TWO).text)
    for event in events:
        assert (event["specversion"], event["source"]) == ("1.0", "tenantmetrics")
        assert all(event[name] for name in ("id", "type", "subject"))
        assert int(datetime.fromisoformat(event["time"]).timestamp()) == LAST_S
    assert events[0]["subject"] == "openmeter_subject-acme"
    assert (events[0]["data"]["amount"], events[0]["data"]["part"]) == ("3.00", "compute")


@pytest.mark.parametrize(
    ("currency", "quantum", "cost", "units", "amount"),
    [
        ("USD", "0.01", "12.34", 1234, "12.34"),
        ("JPY", "1", "1234", 1234, "1234"),
        ("KRW", "1", "5", 5, "5"),
        # The last digit of three is 0; a krona is a hundred units.
        ("KWD", "0.001", "5.124", 5120, "5.12"),
        ("BHD", "0.001", "0.005", 0, "0"),
        ("ISK", "1", "5", 500, "5"),
        ("HUF", "0.01", "10.45", 1045, "10.45"),
    ],
)
def test_stripe_gets_its_own_unit_of_each_currency(currency, quantum, cost, units, amount):
    """As its page on currencies has it."""
    of = statement({"acme": (cost, 0)}, currency=currency, quantum=quantum)
    made = exported(InvoiceFormat.STRIPE_INVOICE_ITEMS, of)
    assert sum(one.units for one in made.records) == units
    assert made.total == Decimal(amount)


def test_others_get_the_currencys_coins():
    """A fils is a fils."""
    of = statement({"acme": ("5.124", 0)}, currency="KWD", quantum="0.001")
    (one,) = exported(InvoiceFormat.LAGO_EVENTS, of).records
    assert (one.units, one.amount) == (5124, Decimal("5.124"))


@pytest.mark.parametrize("currency", ["UGX", "LYD"])
def test_a_currency_whose_unit_at_stripe_is_not_known_is_refused(currency):
    """A hundred times too much is worse than nothing."""
    with pytest.raises(ReportError, match=f"{currency} cannot be exported to Stripe"):
        exported(InvoiceFormat.STRIPE_METER_EVENTS, statement({"acme": (1, 0)}, currency=currency))


@EACH
def test_the_same_month_is_the_same_bytes_in_any_order(kind):
    """Tenants are in the order of their names."""
    turned = statement({"acme": ("3.00", "0"), "bee": ("1.10", "0.20")})
    assert exported(kind, TWO).text == exported(kind, turned).text == exported(kind, TWO).text


@EACH
def test_identifiers_are_of_tenant_month_part_and_nothing_that_changes(kind):
    """The amount may be corrected: it is no part of the name."""
    names = {one.identifier for one in exported(kind, TWO).records}
    other = statement({"bee": ("9.99", "0.01"), "acme": ("1.00", "0")}, draft=("x",))
    assert {one.identifier for one in exported(kind, other).records} == names
    assert len(names) == 3
    assert all(re.fullmatch(r"2026-10-[0-9a-f]{28}", name) for name in names)
    september = replace(TWO, period=replace(OCTOBER, label="2026-09"))
    assert not names & {one.identifier for one in exported(kind, september).records}


@EACH
def test_a_tenant_without_an_id_is_refused_by_name_or_named(kind):
    """With what it would have paid; a tenant that pays nothing needs none."""
    column = FORMS[kind].customer
    facts = {"acme": NAMED["acme"]}
    with pytest.raises(ReportError, match=f"tenant 'bee' has an amount and no {column}"):
        exported(kind, TWO, facts=facts)
    made = exported(kind, TWO, Rules(without_customer=WithoutCustomer.LEAVE_OUT), facts)
    assert [one.tenant for one in made.records] == ["acme"]
    assert made.notes == (f"not exported, without {column}: tenant 'bee', 1.30 USD",)
    assert exported(kind, statement({"bee": (0, 0)}), facts={}).records == ()


def test_many_tenants_without_an_id_are_counted():
    """The first ten by name; a name of 300 characters does not fill the terminal."""
    of = statement({f"{n:02}" + "x" * 300: (1, 0) for n in range(25)})
    with pytest.raises(ReportError, match=r"tenants '00x.*and 15 more have an amount") as caught:
        exported(InvoiceFormat.LAGO_EVENTS, of)
    assert len(str(caught.value)) < 1000


def test_an_id_may_stand_in_the_rules_and_must_be_the_same_in_both():
    """Two truths are none."""
    rules = Rules(customers={"bee": {"stripe_customer": "cus_9"}}, origin="rules.toml")
    facts = {"acme": NAMED["acme"]}
    made = exported(InvoiceFormat.STRIPE_METER_EVENTS, TWO, rules, facts)
    assert {one.customer for one in made.records} == {"stripe_customer-acme", "cus_9"}
    with pytest.raises(ReportError, match=r"'bee' is .*'stripe_customer-bee' .* 'cus_9'"):
        exported(InvoiceFormat.STRIPE_METER_EVENTS, TWO, rules)


@pytest.mark.parametrize("name", ["=cmd()", "+1", "a b", "a\nb", "${.env:HOME}", "x" * 300, "\x1b"])
@EACH
def test_what_cannot_be_an_id_is_refused(kind, name):
    """It would run somewhere, or break a file."""
    facts = {"acme": TenantFacts({}, None, 0, dict.fromkeys(CUSTOMER_COLUMNS, name))}
    with pytest.raises(ReportError, match="of tenant 'acme' cannot be an id"):
        exported(kind, statement({"acme": (1, 0)}), facts=facts)


def test_no_text_of_others_is_evaluated_by_the_stripe_cli():
    """It replaces `${...}` by variables of the environment, and would send them."""
    evil = "${.env:AWS_SECRET_ACCESS_KEY}"
    facts = {evil: TenantFacts({}, None, 0, {"stripe_customer": "cus_1"})}
    text = exported(InvoiceFormat.STRIPE_INVOICE_ITEMS, statement({evil: (1, 0)}), facts=facts).text
    assert "${" not in text
    assert "AWS_SECRET_ACCESS_KEY" in text


@EACH
def test_a_tenant_that_is_not_exported_is_in_no_file(kind):
    """By itself or by its group."""
    rules = Rules(tenants={"bee": Terms(export=False)})
    made = exported(kind, TWO, rules, {"acme": NAMED["acme"]})
    assert {one.tenant for one in made.records} == {"acme"}
    assert not re.search(r"\bbee\b", made.text)


@EACH
def test_one_line_a_tenant_has_the_total(kind):
    """Where the rules want it so, the minimum in it."""
    rules = Rules(lines=Lines.TOTAL, everybody=Terms(minimum=Decimal(2)))
    made = exported(kind, TWO, rules)
    assert [(one.part, one.units) for one in made.records] == [("total", 300), ("total", 200)]


def test_a_credit_that_a_meter_would_take_for_nothing_is_told():
    """An invoice item may be negative; a meter's quantity may not."""
    of = statement({"acme": ("-3", "1")})
    (note,) = exported(InvoiceFormat.STRIPE_METER_EVENTS, of).notes
    assert "tenant 'acme': the month is a credit" in note
    assert exported(InvoiceFormat.STRIPE_INVOICE_ITEMS, of).notes == ()


def test_a_draft_and_an_estimate_say_so_in_the_file():
    """Whoever sends it all the same can tell."""
    of = replace(TWO, draft=("the month is not over",), estimate=True)
    (one, *_) = exported(InvoiceFormat.STRIPE_INVOICE_ITEMS, of).records
    assert one.status == "DRAFT ESTIMATE"


COSTS = st.dictionaries(
    st.sampled_from(["acme", "bee", "cee"]),
    st.tuples(*[st.decimals(-100, 10**6, places=6)] * 2),
    min_size=1,
)


@EACH
@given(
    tenants=COSTS,
    markup=st.decimals(0, 300, places=3),
    currency=st.sampled_from(["USD", "JPY", "KWD", "ISK"]),
    round_per=st.sampled_from(list(RoundPer)),
)
def test_the_file_adds_up_to_the_invoices(kind, tenants, markup, currency, round_per):
    """For any costs, markups and currencies, read back from the text."""
    of = statement(tenants, currency=currency, quantum="0.000001")
    rules = Rules(everybody=Terms(markup=markup), round_per=round_per)
    unit = FORMS[kind].unit(currency)
    charged = invoices(of, rules, quantum=unit.quantum)
    made = exported(kind, of, rules)
    back = read_earlier(kind, "a file", made.text, "2026-10")
    assert unit.amount(sum(one.units for one in back)) == made.total
    assert made.total == sum((one.total for one in charged), Decimal(0))
    assert all(one.units % unit.step == 0 for one in back)
