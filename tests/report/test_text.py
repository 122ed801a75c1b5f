"""Numbers and names as text; files that appear whole or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.errors import ReportError
from tenantmetrics.report.text import duration, guarded, money, unit_cost, visible, write_files


def test_money_has_all_its_decimals_and_separators():
    """Cents stay cents, millionths stay millionths, credits keep their sign."""
    assert money(Decimal("1234567.5"), Decimal("0.01")) == "1,234,567.50"
    assert money(Decimal("0.000003"), Decimal("0.000001")) == "0.000003"
    assert money(Decimal("-12.3"), Decimal("0.01")) == "-12.30"
    assert money(Decimal(1200), Decimal(1)) == "1,200"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("523012.4", "523,012"), ("780.44", "780.4"), ("2", "2"), ("0", "0"), ("-0.5", "-0.5"),
        ("0.00012345", "0.0001234"), ("1e-12", "0.000000000001"), ("1e15", "1,000,000,000,000,000"),
    ],
)  # fmt: skip
def test_a_unit_cost_is_no_power_of_ten(amount, text):
    """Finance reads 5.23e+05 as a mistake."""
    assert unit_cost(Decimal(amount)) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 µs"), (999, "1.0 µs"), (350_000_000, "350 ms"), (12_500_000_000, "12.5 s"),
        (119_000_000_000, "119 s"),
        (600_000_000_000, "10.0 min"), (3_600_000_000_000 * 30, "30.0 h"),
    ],
)  # fmt: skip
def test_a_duration_is_in_the_unit_that_fits(nanoseconds, text):
    """From microseconds to hours."""
    assert duration(nanoseconds) == text


@given(st.sampled_from("=+-@|%\uff1d\uff0b"), st.sampled_from(["", " ", "\xa0"]), st.text())
def test_text_that_would_run_in_a_spreadsheet_is_disarmed(first, space, rest):
    """An apostrophe makes it text, in front of white space and full-width signs too."""
    assert guarded(space + first + rest) == f"'{space}{first}{rest}"


@pytest.mark.parametrize("text", ["\t=1", "\rx", "\n", "\x00=1"])
def test_a_cell_that_begins_with_a_control_character_is_disarmed(text):
    """Some spreadsheets drop it and run what follows."""
    assert guarded(text) == f"'{text}"


@given(st.from_regex(r"[A-Za-z0-9_.]{1,30}", fullmatch=True))
def test_ordinary_names_are_left_alone(name):
    """A tenant's id is the same in the file as in the database."""
    assert guarded(name) == name


@given(st.text())
def test_nothing_that_is_shown_can_drive_a_terminal_or_turn_the_text(text):
    """No escape sequence, no line break and no change of direction is left."""
    for character in visible(text):
        assert character.isprintable() or ord(character) > 0x9F
        assert character not in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2028\u2029"


def test_files_are_written_all_or_none(tmp_path):
    """The second cannot be written, so the first keeps its old content and nothing is left over."""
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(ReportError, match=r"nowhere/b\.csv' cannot be written"):
        write_files({tmp_path / "a.csv": "new", tmp_path / "nowhere" / "b.csv": "new"})
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"
    write_files({tmp_path / "a.csv": "new\r\n", tmp_path / "c": b"\xff"})
    assert (tmp_path / "a.csv").read_bytes() == b"new\r\n"
    assert (tmp_path / "c").read_bytes() == b"\xff"


def test_a_folder_is_no_file_to_write_to(tmp_path):
    """One clear error that names it."""
    with pytest.raises(ReportError, match="is a folder"):
        write_files({tmp_path: "x"})


def test_an_amount_that_rounds_to_nothing_has_no_sign():
    """-0.00 would make a reader look for a credit."""
    assert money(Decimal("-0.001"), Decimal("0.01")) == "0.00"
