"""The file of rules: strict, and every fault named by file and key."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tenantmetrics.cost.invoicing import Rules, read_rules
from tenantmetrics.errors import ReportError


@pytest.fixture
def rules(tmp_path):
    """Rules of a text."""

    def read(text):
        path = tmp_path / "rules.toml"
        path.write_text(text)
        return read_rules(path)

    return read


def test_an_empty_file_charges_cost(rules):
    """Nothing is added, and each line is rounded half to even."""
    assert rules("") == Rules(origin=rules("").origin)


def test_everything_that_can_be_said_is_read(rules):
    """Numbers as numbers or as text; ids by tenant."""
    read = rules(
        'markup_percent = 12.5\nminimum = "5.00"\nrounding = "half-up"\nround_per = "invoice"\n'
        'round_to = 0.05\nlines = "total"\nwithout_customer = "leave-out"\nevent_name = "db"\n'
        'title = "Database"\n[pools.compute]\nmarkup_percent = 35\ntitle = "CPU"\n'
        "[groups.plan.pro]\nexport = false\n"
        '[tenants."a.b"]\nminimum = 0\nstripe_customer = " cus_1 "\n'
        "pools.io.markup_percent = 7\n"
    )
    assert read.everybody.markup == Decimal("12.5")
    assert (read.everybody.minimum, read.round_to) == (Decimal("5.00"), Decimal("0.05"))
    assert (read.rounding, read.round_per, read.lines) == ("half-up", "invoice", "total")
    assert (read.without_customer, read.event_name, read.title) == ("leave-out", "db", "Database")
    assert (read.everybody.pools, read.titles) == ({"compute": 35}, {"compute": "CPU"})
    assert read.groups["plan"]["pro"].export is False
    assert (read.tenants["a.b"].minimum, read.tenants["a.b"].pools) == (0, {"io": 7})
    assert read.customers == {"a.b": {"stripe_customer": "cus_1"}}


BAD = {
    "no TOML": ("markup_percent =", "is no TOML"),
    "two keys": ("minimum = 1\nminimum = 2", "is no TOML"),
    "key": ("markup = 20", "key 'markup' is unknown; did you mean 'markup_percent'?"),
    "key of a tenant": (
        "[tenants.acme]\nmarkup_percnt = 1",
        "key 'tenants.acme.markup_percnt' is unknown; did you mean 'markup_percent'?",
    ),
    "key of a group": ("[groups.plan.pro]\nstripe_customer = 'c'", "groups.plan.pro.stripe"),
    "key of a pool": ("[pools.io]\nminimum = 1", "key 'pools.io.minimum' is unknown"),
    "pool": ("[pools.computer]\nmarkup_percent = 1", "no pool 'computer'; did you mean 'compute'?"),
    "negative markup": ("markup_percent = -5", "markup_percent = -5 is not a number, 0 or more"),
    "negative minimum": ("[tenants.a]\nminimum = -0.01", "tenants.a.minimum = '-0.01' is not"),
    "not a number": ("markup_percent = 'much'", "markup_percent = 'much' is not a number"),
    "infinite": ("markup_percent = inf", "is not a number, 0 or more"),
    "nan": ("minimum = nan", "is not a number, 0 or more"),
    "true": ("markup_percent = true", "markup_percent = True is not a number"),
    "list": ("markup_percent = [1]", "markup_percent = '[1]' is not a number"),
    "huge": ("markup_percent = 1e999999", "is not a number, 0 or more"),
    "tiny": ("markup_percent = 1e-999999", "of at most 12 decimals"),
    "rounding": ("rounding = 'up'", "rounding = 'up' is not one of half-even, half-up"),
    "round_per": ("round_per = 'pool'", "is not one of line, invoice"),
    "round_to": ("round_to = 0", "round_to = 0 is not a number above 0"),
    "export": ("[tenants.a]\nexport = 'no'", "tenants.a.export = 'no' is not true or false"),
    "no table": ("pools = 3", "pools = 3 is not a table"),
    "tenant without table": ("[tenants]\nacme = 3", "tenants.acme = 3 is not a table"),
    "id": ("[tenants.a]\nstripe_customer = 7", "stripe_customer = 7 is not a text"),
    "title": ("[pools.io]\ntitle = '${.env:KEY}'", "is not a text without '${'"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_file_is_refused_by_file_and_key(rules, case):
    """One line that says what was wrong, and where."""
    text, message = BAD[case]
    with pytest.raises(ReportError) as caught:
        rules(text)
    said = str(caught.value)
    assert message in said
    assert "rules.toml'" in said
    assert "\n" not in said


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    """Missing, a folder, or not text."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name, why in (("none", "No such file"), (".", "directory"), ("bytes", "not UTF-8")):
        with pytest.raises(ReportError, match=why):
            read_rules(tmp_path / name)
