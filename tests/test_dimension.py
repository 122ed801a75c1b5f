"""Names as dimension values, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.dimension import dimension_value, original_name


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Cn", "Co", "Z")), max_size=90))
def test_a_printable_name_comes_back(name):
    """Any script, quotes, emoji: the report says what the application said."""
    assert dimension_value(name).isascii()
    if "\\" not in name:
        assert original_name(dimension_value(name)) == name


@given(st.text(st.characters(codec="ascii"), max_size=90))
def test_an_ascii_name_that_is_a_dimension_value_stays_apart(name):
    """Whatever is undone is the one name that was done, so two tenants never become one."""
    value = dimension_value(name)
    assert dimension_value(original_name(value)) == value


@pytest.mark.parametrize(
    "name",
    [
        r"CORP\nick", r"CORP\xavier", r"CORP\xaden", r"a\\b", "\\",
        # What Python's own decoder warns of, takes for octal, or looks up by name.
        r"DOMAIN\8user", r"D\777", r"D\101", r"D\N{BULLET}", r"D\U00110000", r"D\u12", r"D\q\xe9",
        r"D\'", r"D\a\b\f\v",
    ],
)  # fmt: skip
def test_a_windows_name_keeps_its_backslash(name):
    """What looks like an escape and stands in a plain name is no escape."""
    assert original_name(dimension_value(name)) == name


def test_a_name_that_was_cut_stays_cut():
    """Only its digest is left of the rest."""
    value = dimension_value("\u00e9" * 2_000)
    assert original_name(value) == value
    assert original_name(dimension_value("")) == ""
    assert original_name(dimension_value(":a")) == ":a"
