"""Whether a text names another tenant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.report.tenant_statement.others import Others

TENANTS = ["acme", "acme-eu", "Globex Corp", "42", "room", "select", "hotel/adlon", "שלום"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT globex_corp.orders",
        'SELECT "Globex Corp".orders',
        "SELECT tenantglobexcorp.orders",
        "SELECT GlobexCorp",
        "SELECT orders_42",
        "SELECT tenant_42.orders JOIN x",
        "INSERT hotel_adlon.bookings",
        "SELECT hoteladlonbookings",
        "SELECT שלום",
        "UPDATE room",
        # The other's name that the own one is a part of.
        "SELECT acme_eu.orders",
    ],
)
def test_a_name_is_found_whatever_it_is_written_with(text):
    """As a word, as several in a row, and a long one within a word."""
    assert Others(TENANTS).named_in(text, "acme")


@pytest.mark.parametrize(
    "text",
    ["SELECT acme.orders", "SELECT bookings JOIN rooms", "SELECT t420", "SELECT orders", "", "()"],
)
def test_what_names_nobody_else_is_left(text):
    """Its own name, and words that only begin as a short name."""
    assert not Others(TENANTS).named_in(text, "acme")


def test_a_name_within_the_own_one_is_nobody_elses():
    """`acme` in the tables of `acme-eu`."""
    assert not Others(TENANTS).named_in("SELECT acme_eu.orders", "acme-eu")
    assert Others(TENANTS).named_in("SELECT acme.orders", "acme-eu")


@given(
    st.lists(st.text(min_size=1), max_size=5),
    st.text(alphabet="abcdefghij", min_size=6, max_size=12),
)
def test_a_long_name_is_always_found(tenants, name):
    """Among any others, wherever it stands."""
    others = Others([*tenants, name])
    assert others.named_in(f"SELECT x{name}y", "k")
    assert others.named_in(f"SELECT {name.upper()}.t", "k")
