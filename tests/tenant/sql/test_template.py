"""A text is cut alike by the quick expression and by PostgreSQL's lexical rules in full."""

from __future__ import annotations

import pytest

from tenantmetrics.tenant.sql.template import TOO_LONG, skeleton

NUMBERS = [
    *("7", "07", "1_000", "1.5", "1.", ".5", "1_0.2_5", "0x1F", "0o17", "0b1_1"),
    *("15e1", "15e-1", "15E+1", "1.5e-1", "1.e+1", ".5e-3", "1_0e-1_0", "15e-0"),
]
PLACES = [
    *("SELECT {}", "SELECT x FROM a WHERE tenant_id = {}", "SELECT a.b1,{},-{},({}), f({},{})"),
    *("SELECT t1.c2+{}", "SELECT :p1-{}::text", "SELECT a1e-{}", "SELECT x[{}]"),
    "SELECT x FROM a WHERE x IN (" + ", ".join(["{}"] * 20) + ")",
    "INSERT INTO a (x, y) VALUES ({}, '1.5e-3'), (-{}, {})",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_number_is_one_literal_in_every_notation(place):
    """Also one with a signed exponent, or that begins or ends with its point."""
    for number in NUMBERS:
        sql = place.replace("{}", number)
        quick, full = skeleton(sql), skeleton(f"{sql} -- by the rules in full")
        assert quick.template == full.template.rstrip(), sql
        assert list(quick.literals) == list(full.literals), sql
        assert number in {literal.text for literal in quick.literals}, sql


@pytest.mark.parametrize(
    ("begin", "sets"),
    [
        ("SET app.tenant = 'x'", True),
        ('SET "role" TO x', True),
        ("SET LOCAL SESSION AUTHORIZATION x", True),
        ("DISCARD ALL", True),
        ("SET statement_timeout = 1", False),
        ("SELECT 1", False),
    ],
)
def test_a_text_that_is_cut_says_whether_it_may_set_a_tenant(begin, sets):
    """Its template is all that is known of it."""
    found = skeleton(f"{begin}; SELECT {','.join('7' * 17_000)}")
    assert found.template.endswith(TOO_LONG)
    assert ("set_config(" in found.template) is sets


@pytest.mark.parametrize(
    ("chars", "literals", "is_read"),
    [
        (160_000, 59_000, True),
        (160_000, 61_000, False),
        (800_000, 19_000, True),
        (800_000, 21_000, False),
        (990_000, 7_000, True),
        (1_010_000, 0, False),
    ],
)
def test_a_long_text_has_the_fewer_literals_the_longer_it_is(chars, literals, is_read):
    """Else a million characters with 60,000 literals would take twice the bound of 50 ms."""
    text = "SELECT " + "+7" * literals
    found = skeleton(text + " " * (chars - len(text)))
    assert found.template.endswith(TOO_LONG) is not is_read
    assert len(found.literals) == (literals if is_read else 0)
