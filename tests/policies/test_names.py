"""Names are quoted as PostgreSQL needs them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantmetrics.errors import RlsError
from tenantmetrics.policies.names import literal, matches, parse, qualified, quoted

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12
) | st.sampled_from(["user", "a.b", 'x"y', "Ä", "select", "tenant_id", " ", ":a", "%s", "$1", "\\"])


def test_every_name_and_text_arrives_as_it_is(made):
    """Also keywords of every kind, quotes, colons, percent signs and backslashes."""

    @settings(max_examples=settings.default.max_examples // 2)
    @given(NAMES)
    def arrives(name):
        cursor = made.execute(f"SELECT {literal(name)} AS {quoted(name)}".encode())
        assert cursor.fetchone()[0] == name
        assert cursor.description[0].name == name.encode()[:63].decode(errors="ignore")
        assert parse(qualified("S", name)) == ["S", name]

    arrives()
    words = "SELECT word FROM pg_get_keywords() WHERE catcode <> 'U'"
    for (word,) in made.execute(words).fetchall():
        made.execute(f"CREATE TEMPORARY TABLE {quoted(word)} ({quoted(word)} int)")


@pytest.mark.parametrize("text", ["", "a.", ".a", 'a"b', '"a', "a..b", " ", '"a"b'])
def test_what_is_no_name_is_refused(text):
    """In words that say how to write one."""
    with pytest.raises(RlsError, match="is not a name"):
        parse(text)


def test_a_pattern_names_tables_of_any_schema_or_of_one():
    """Stars and question marks, as in a shell; case matters."""
    assert matches("book*", "public", "bookings")
    assert matches("app.*", "app", "x")
    assert not matches("app.*", "public", "x")
    assert not matches("Book*", "public", "bookings")
