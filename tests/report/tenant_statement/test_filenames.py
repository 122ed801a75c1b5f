"""File names that are safe for any tenant."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.report.tenant_statement.filenames import file_stem

NASTY = [
    "../../etc/passwd", "/etc/passwd", "..", ".", "", ".hidden", "a/b", "a\\b", "C:\\x", "con",
    "NUL", "x" * 300, "\x00", "a\nb", "a b", "a.b", "שלום", "ё" * 300, "%2e%2e", "-rf", "~", "*",
    "acme.html", "Acme", "ACME", "acme", "a:b", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("tenant", NASTY)
def test_a_name_is_plain_ascii_and_short(tenant):
    """No separator, no dot, no device of Windows, no option of a command."""
    stem = file_stem(tenant, "2026-11")
    assert re.fullmatch(r"[a-z0-9_][a-z0-9_-]*-2026-11", stem)
    assert len(stem) < 120


def test_a_plain_tenant_keeps_its_name():
    """Most are plain."""
    assert file_stem("acme", "2026-11") == "acme-2026-11"
    assert file_stem("hotel_7-b", "2026-11") == "hotel_7-b-2026-11"
    assert file_stem("Grand Hôtel", "2026-11").startswith("grand-h-tel-")


def test_no_two_of_them_are_the_same_file_anywhere():
    """Also where case does not count, and for a name that looks like another's file."""
    tricky = file_stem("Acme", "2026-11").removesuffix("-2026-11")
    names = [file_stem(tenant, "2026-11").casefold() for tenant in [*NASTY, tricky]]
    assert len(set(names)) == len(names)


@given(st.lists(st.text(max_size=400), unique=True, max_size=20))
def test_any_tenants_have_files_of_their_own(tenants):
    """Whatever they are called."""
    names = {file_stem(tenant, "2026-11").casefold() for tenant in tenants}
    assert len(names) == len(tenants)
