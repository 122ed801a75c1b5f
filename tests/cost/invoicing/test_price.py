"""Markup, minimum, rounding: the lines of an invoice add up to its total."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.cost.invoicing import Rules, invoices
from tenantmetrics.cost.invoicing.price import unused
from tenantmetrics.cost.invoicing.rules import Lines, Rounding, RoundPer, Terms
from tenantmetrics.cost.statement import Line, LineKind, Period, Pool, Statement, Usage
from tenantmetrics.errors import ReportError

CENT = Decimal("0.01")
POOLS = ("compute", "data_api", "storage")


def statement(tenants, *, currency="USD", groups=None, quantum=CENT):
    """A statement of `{tenant: amounts by pool}`."""
    names = tuple(groups or ())
    lines = tuple(
        Line(
            name,
            LineKind.TENANT,
            Usage(1),
            tuple(Decimal(one) for one in amounts),
            tuple(groups[column].get(name, "") for column in names) if groups else (),
        )
        for name, amounts in tenants.items()
    )
    sums = [sum((line.amounts[n] for line in lines), Decimal(0)) for n in range(len(POOLS))]
    return Statement(
        Period("2026-10", 1790812800, 1793491200), currency, quantum, "a bill", False,
        tuple(Pool(name, name.title(), total, "calls")
              for name, total in zip(POOLS, sums, strict=True)),
        lines, group_names=names,
    )  # fmt: skip


def amounts(made):
    """Each invoice's amounts, as text."""
    return {one.tenant: [str(line.amount) for line in one.lines] for one in made}


def test_without_rules_cost_is_charged():
    """Nobody's lines are nobody's invoice."""
    made = invoices(statement({"acme": ("1.10", "0.20", "0"), "bee": ("0", "0", "0")}), Rules())
    assert amounts(made) == {"acme": ["1.10", "0.20", "0.00"], "bee": ["0.00", "0.00", "0.00"]}


PRECEDENCE = [
    # What is said of everybody, of the group, of the tenant; of compute and of the rest; percent.
    (Terms(), {}, {}, (0, 0)),
    (Terms(markup=Decimal(10)), {}, {}, (10, 10)),
    (Terms(markup=Decimal(10), pools={"compute": Decimal(20)}), {}, {}, (20, 10)),
    (Terms(pools={"compute": Decimal(20)}), {"markup": Decimal(30)}, {}, (30, 30)),
    (Terms(), {"markup": Decimal(30), "pools": {"compute": Decimal(40)}}, {}, (40, 30)),
    (Terms(), {"pools": {"compute": Decimal(40)}}, {"markup": Decimal(50)}, (50, 50)),
    (Terms(), {}, {"markup": Decimal(50), "pools": {"compute": Decimal(0)}}, (0, 50)),
]


@pytest.mark.parametrize(("everybody", "group", "tenant", "percent"), PRECEDENCE)
def test_a_tenant_goes_before_its_group_and_that_before_everybody(
    everybody, group, tenant, percent
):
    """Within each, a pool goes before the rest."""
    rules = Rules(
        everybody=everybody,
        groups={"plan": {"pro": Terms(**group)}},
        tenants={"acme": Terms(**tenant)},
    )
    made = invoices(statement({"acme": (100, 100, 0)}, groups={"plan": {"acme": "pro"}}), rules)
    assert [line.amount for line in made[0].lines[:2]] == [100 + one for one in percent]


def test_groups_that_disagree_are_refused_unless_the_tenant_says_it_itself():
    """Nobody could tell which of them counts."""
    rules = Rules(
        origin="r.toml",
        groups={
            "plan": {"pro": Terms(markup=Decimal(1))},
            "region": {"eu": Terms(markup=Decimal(2))},
        },
    )
    groups = {"plan": {"acme": "pro"}, "region": {"acme": "eu"}}
    of = statement({"acme": (1, 0, 0)}, groups=groups)
    with pytest.raises(ReportError, match=r"groups of tenant 'acme' disagree .* says 1, .* says 2"):
        invoices(of, rules)
    own = Rules(groups=rules.groups, tenants={"acme": Terms(markup=Decimal(3))})
    assert invoices(of, own)[0].lines[0].amount == Decimal("1.03")


def test_a_group_of_no_column_is_refused_with_a_suggestion():
    """A rule that holds for nobody is a slip."""
    with pytest.raises(ReportError, match=r"no column 'plam'; did you mean 'plan'\?"):
        invoices(
            statement({"acme": (1, 0, 0)}, groups={"plan": {}}),
            Rules(groups={"plam": {"pro": Terms()}}),
        )


def test_rules_that_hold_for_nobody_are_named():
    """They may be slips."""
    rules = Rules(
        tenants={"acne": Terms(), "acme": Terms()},
        customers={"bee": {"stripe_customer": "cus_1"}},
        groups={"plan": {"pro": Terms(), "Free": Terms()}},
    )
    of = statement(
        {"acme": (1, 0, 0), "cee": (1, 0, 0)}, groups={"plan": {"acme": "pro", "cee": "free"}}
    )
    assert list(unused(of, rules)) == [
        "the rules of tenant 'acne' hold for nobody; did you mean 'acme'?",
        "the rules of tenant 'bee' hold for nobody; did you mean 'cee'?",
        "the rules of plan 'Free' hold for nobody; did you mean 'free'?",
    ]


@pytest.mark.parametrize(
    ("rounding", "cost", "charged"),
    [
        (Rounding.HALF_EVEN, "0.25", "0.12"),
        (Rounding.HALF_UP, "0.25", "0.13"),
        (Rounding.HALF_EVEN, "0.27", "0.14"),
        (Rounding.HALF_UP, "-0.25", "-0.13"),
        (Rounding.HALF_EVEN, "-0.25", "-0.12"),
        (Rounding.HALF_UP, "0.24", "0.12"),
    ],
)
def test_the_middle_goes_where_the_rule_says(rounding, cost, charged):
    """Half of the cost, in cents: 12.5 is 12 or 13."""
    rules = Rules(everybody=Terms(markup=Decimal(0)), rounding=rounding, round_to=Decimal("0.02"))
    of = statement({"acme": (cost, 0, 0)})
    # An amount in units of two cents is half of it in cents.
    assert invoices(of, rules)[0].lines[0].amount == Decimal(charged) * 2


def test_rounded_per_invoice_the_largest_remainders_get_the_coins_that_are_left():
    """Three thirds of a cent are one cent, and the first line of equals has it."""
    of = statement({"acme": ("0.01", "0.01", "0.01")})
    third = {"everybody": Terms(markup=Decimal("33.333333"))}
    per_line = invoices(of, Rules(**third))[0]
    per_invoice = invoices(of, Rules(**third, round_per=RoundPer.INVOICE))[0]
    assert [line.amount for line in per_line.lines] == [CENT, CENT, CENT]
    assert [line.amount for line in per_invoice.lines] == [CENT * 2, CENT, CENT]


def test_the_minimum_is_a_line_of_its_own():
    """It brings the total up to it, also from a credit; a higher total has none."""
    rules = Rules(everybody=Terms(minimum=Decimal(5)))
    made = invoices(
        statement({"acme": (3, 0, 0), "bee": (5, 0, 0), "cee": (-1, 0, 0), "dee": (0, 0, 0)}), rules
    )
    assert [(one.lines[-1].part, one.lines[-1].amount) for one in made] == [
        ("minimum", 2), ("storage", 0), ("minimum", 6), ("minimum", 5),
    ]  # fmt: skip


def test_a_minimum_that_no_coins_make_is_refused():
    """In yen there are no halves."""
    rules = Rules(everybody=Terms(minimum=Decimal("0.5")))
    with pytest.raises(ReportError, match=r"a minimum of 0.5 JPY .* smallest amount is 1"):
        invoices(statement({"acme": (1, 0, 0)}, currency="JPY", quantum=Decimal(1)), rules)


def test_what_is_rounded_to_must_be_whole_coins():
    """Nor can a cent be paid in twelve-thousandths."""
    with pytest.raises(ReportError, match=r"round_to = 0.012 is no whole number of 0.01 USD"):
        invoices(statement({"acme": (1, 0, 0)}), Rules(round_to=Decimal("0.012")))
    for finer in ("0.003", "0.001"):
        with pytest.raises(
            ReportError, match=rf"round_to = {finer} is no whole number of 0.01 USD"
        ):
            invoices(statement({"acme": (1, 0, 0)}), Rules(round_to=Decimal(finer)))


QUANTA = {"USD": "0.01", "JPY": "1", "KWD": "0.001", "EUR": "0.01", "BHD": "0.001"}
PERCENT = st.decimals(0, 500, places=4)
MONEY = st.decimals(-(10**7), 10**9, places=6)


@st.composite
def cases(draw):
    """A statement and rules."""
    currency = draw(st.sampled_from(sorted(QUANTA)))
    quantum = Decimal(QUANTA[currency])
    coins = draw(st.integers(1, 20))
    tenants = draw(
        st.dictionaries(
            st.sampled_from(["acme", "bee", "cee", "dee"]), st.tuples(MONEY, MONEY, MONEY),
            min_size=1,
        )
    )  # fmt: skip
    terms = st.builds(
        Terms,
        markup=st.none() | PERCENT,
        pools=st.dictionaries(st.sampled_from(POOLS), PERCENT),
        minimum=st.none() | st.integers(0, 10**6).map(lambda n: n * coins * quantum),
    )
    plan = {name: draw(st.sampled_from(["pro", "free"])) for name in tenants}
    rules = Rules(
        everybody=draw(terms),
        groups={"plan": {"pro": draw(terms)}},
        tenants=draw(st.dictionaries(st.sampled_from(["acme", "bee"]), terms)),
        rounding=draw(st.sampled_from(list(Rounding))),
        round_per=draw(st.sampled_from(list(RoundPer))),
        round_to=coins * quantum if coins > 1 else None,
        lines=draw(st.sampled_from(list(Lines))),
    )
    smallest = Decimal("0.000001")
    return statement(tenants, currency=currency, quantum=smallest, groups={"plan": plan}), rules


@given(cases())
def test_every_invoice_adds_up_to_its_total_by_the_documented_rule(case):
    """For any costs, markups, currencies and roundings; each line is less than a coin off."""
    of, rules = case
    quantum = rules.round_to or Decimal(QUANTA[of.currency])
    for one, line in zip(invoices(of, rules), of.lines, strict=True):
        exact = [
            Fraction(amount) * (100 + Fraction(percent_of(rules, line, pool))) / 100
            for pool, amount in zip(POOLS, line.amounts, strict=True)
        ]
        lines = one.lines[: len(POOLS)]
        assert all(not amount.amount % quantum for amount in one.lines)
        charged = sum((amount.amount for amount in lines), Decimal(0))
        if rules.round_per is RoundPer.INVOICE or rules.lines is Lines.TOTAL:
            assert charged == rounded(sum(exact), quantum, rules.rounding)
            for amount, wanted in zip(lines, exact, strict=True):
                assert abs(Fraction(amount.amount) - wanted) < quantum
        else:
            for amount, wanted in zip(lines, exact, strict=True):
                assert amount.amount == rounded(wanted, quantum, rules.rounding)
        minimum = minimum_of(rules, line)
        assert one.total == max(charged, minimum) if minimum else one.total == charged


def percent_of(rules, line, pool):
    """Markup, by the documented order, written down once more."""
    own = rules.tenants.get(line.tenant, Terms())
    group = rules.groups["plan"]["pro"] if line.groups == ("pro",) else Terms()
    for terms in (own, group, rules.everybody):
        if pool in terms.pools:
            return terms.pools[pool]
        if terms.markup is not None:
            return terms.markup
    return 0


def minimum_of(rules, line):
    own = rules.tenants.get(line.tenant, Terms())
    group = rules.groups["plan"]["pro"] if line.groups == ("pro",) else Terms()
    said = (terms.minimum for terms in (own, group, rules.everybody))
    return next((one for one in said if one is not None), Decimal(0))


def rounded(amount, quantum, rounding):
    """An exact amount in coins: half to even as Python's, or half away from zero."""
    units = Fraction(amount) / Fraction(quantum)
    if rounding is Rounding.HALF_EVEN:
        return round(units) * quantum
    sign = -1 if units < 0 else 1
    return sign * ((2 * abs(units) + 1) // 2) * quantum
