"""Tenant names from outside: what becomes of each kind of value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.limits import TENANT_MAX_CHARS
from tenantmetrics.records import IDLE, OVERFLOW, SHARED, UNATTRIBUTED
from tenantmetrics.tenant.identity.tenant_ids import (
    are_plain,
    from_field,
    from_number,
    from_text,
    from_uuid,
)

UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


@pytest.mark.parametrize(
    ("field", "tenant"),
    [
        ({"stringValue": "acme"}, "acme"),
        ({"stringValue": "Acme GmbH & Co. Zürich 東京"}, "Acme GmbH & Co. Zürich 東京"),
        ({"stringValue": " a\tb\n"}, " a\tb\n"),
        ({"stringValue": UUID.upper()}, UUID),
        ({"stringValue": "0042"}, "0042"),
        ({"stringValue": ""}, None),
        ({"isNull": True}, None),
        ({"isNull": True, "stringValue": "acme"}, None),
        ({"longValue": 42}, "42"),
        ({"longValue": -1}, "-1"),
        ({"doubleValue": 42.0}, "42"),
        ({"doubleValue": 1.5}, "1.5"),
        ({"doubleValue": float("nan")}, None),
        ({"doubleValue": float("inf")}, None),
        ({"booleanValue": True}, "true"),
        ({"blobValue": b"x"}, None),
        ({"stringValue": 42}, None),
        ({}, None),
        (None, None),
        ("acme", None),
        ([1], None),
    ],
)
def test_a_field_names_the_tenant_it_should(field, tenant):
    """NULL, empty, bytes and what is no Field name nobody."""
    assert from_field(field) == tenant


def test_a_type_hint_decides_how_a_text_is_read():
    """A UUID in any form that PostgreSQL takes; a decimal by its value."""
    assert from_field({"stringValue": "{" + UUID.replace("-", "").upper() + "}"}, "UUID") == UUID
    assert from_field({"stringValue": "42.00"}, "DECIMAL") == "42"


@pytest.mark.parametrize("text", [UUID, UUID.upper(), UUID.replace("-", ""), f"{{{UUID}}}"])
def test_all_forms_of_a_uuid_are_one_tenant(text):
    """As `::uuid` reads them."""
    assert from_uuid(text) == UUID


@pytest.mark.parametrize("text", ["", "x", UUID[:-1], f"{{{UUID}", UUID + "0", "a-0eebc99" * 4])
def test_what_is_no_uuid_is_refused(text):
    """So that nobody is named by half of one."""
    assert from_uuid(text) is None


@pytest.mark.parametrize(
    ("text", "tenant"),
    [("042", "42"), ("4.2e1", "42"), ("1_000", "1000"), ("0x1F", "31"), (".5", "0.5"), ("0", "0"),
     ("1e9999", None), ("x", None), ("-7", "-7"), ("1.50", "1.5"),
     ("007.250", "7.25"), ("1.", "1"), ("0.0", "0"), ("3.14e1", "31.4"),
     ("1.0000000000000000000000000001", "1"), ("1.5.5", None)],
)  # fmt: skip
def test_numbers_are_read_by_value(text, tenant):
    """However they are written."""
    assert from_number(text) == tenant


@pytest.mark.parametrize("name", [UNATTRIBUTED, OVERFLOW, IDLE, SHARED])
def test_our_own_names_cannot_be_taken(name):
    """A tenant called `__idle__` does not land on the line of idle capacity; reversibly."""
    once, twice = from_text(name), from_text("\\" + name)
    assert once == "\\" + name
    assert twice == "\\\\" + name


@given(st.text(st.characters(exclude_categories=())))
def test_every_text_becomes_one_that_can_be_written(text):
    """UTF-8, bounded, and never one of our names; the same each time."""
    found = from_text(text)
    assert (found is None) == (text == "")
    if found is not None:
        assert len(found) <= TENANT_MAX_CHARS
        found.encode()
        assert found not in {UNATTRIBUTED, OVERFLOW, IDLE, SHARED}
        assert from_text(text) == found


def test_long_names_stay_apart():
    """They are cut, but not onto each other."""
    one, other = from_text("x" * 5_000 + "1"), from_text("x" * 5_000 + "2")
    assert one != other
    assert len(one) == len(other) == TENANT_MAX_CHARS


@given(st.lists(st.text(st.sampled_from("aB7-_é'\\ "), min_size=1, max_size=40), max_size=5))
def test_many_that_are_plain_are_what_each_of_them_is(texts):
    """And none of another kind is taken for one."""
    if are_plain(texts):
        assert [from_text(text) for text in texts] == texts
    assert are_plain(["acme", "bee-7", "42"])
    assert not are_plain(["acme", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"])
