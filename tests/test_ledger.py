"""The ledger's file naming and schema."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics import ledger
from tenantmetrics.measures import MEASURES
from tenantmetrics.records import Series, Window


def _window(start_s: int, writer: str, sequence: int) -> Window:
    return Window(start_s, 60, writer, sequence, {}, {})


@given(
    start_s=st.integers(0, 4_000_000_000),
    writer=st.text(min_size=1, max_size=40).filter(lambda t: t.isprintable()),
    sequence=st.integers(0, 10**12),
)
def test_a_file_name_says_what_the_window_is_and_stays_in_its_folder(start_s, writer, sequence):
    """What made the name can be read back, and no writer's name climbs out of the partition."""
    path = ledger.file_path(_window(start_s, writer, sequence))
    assert len(path.parts) == 3
    assert ledger.parse(path.name) == ledger.FileName(start_s, writer, sequence, ledger.VERSION)


def test_a_file_is_partitioned_by_the_utc_date_and_hour_of_its_window():
    """Date and hour are folders in the form that Athena and Spark read as partitions."""
    path = ledger.file_path(_window(1_795_209_300, "host-1", 7))
    assert str(path) == "date=2026-11-20/hour=21/20261120T211500Z-host-1-00000007.v2.parquet"


def test_other_names_are_not_taken_for_ledger_files():
    """A temporary file, a stray name and an impossible date parse to nothing."""
    for name in (
        ".20261120T211500Z-host-1-00000007.v2.parquet.tmp",
        "bill.parquet",
        "20261320T211500Z-host-1-00000007.v2.parquet",
    ):
        assert ledger.parse(name) is None


def test_every_column_is_in_the_arrow_schema_with_its_type_and_none_may_be_null():
    """The published column list and the schema that is written are the same thing."""
    schema = ledger.arrow_schema()
    assert schema.names == [column.name for column in ledger.COLUMNS]
    assert not any(field.nullable for field in schema)
    assert str(schema.field("window_start").type) == "timestamp[us, tz=UTC]"
    assert str(schema.field("calls").type) == "int64"


@pytest.mark.parametrize("columns", [ledger.COLUMNS, ledger.STATEMENT_COLUMNS])
def test_the_documentation_lists_every_column_with_its_type_and_meaning(columns):
    """docs/ledger.md does not drift from the schema."""
    text = (Path(__file__).parent.parent / "docs" / "ledger.md").read_text().replace("`", "")
    for column in columns:
        assert f"| {column.name} | {column.kind} | {column.about.replace('`', '')} |" in text


def test_columns_stand_for_the_declared_measures():
    """Series, main table and statement table have the measures under their declared names."""
    declared = [measure.name for measure in MEASURES]
    assert [f.name for f in fields(Series) if f.name in declared] == declared
    assert [c.name for c in ledger.COLUMNS if c.name in declared] == declared
    by_statement = [measure.name for measure in MEASURES if measure.by_statement]
    assert [c.name for c in ledger.STATEMENT_COLUMNS][-len(by_statement) :] == by_statement


def test_the_statements_of_a_window_have_its_name_in_a_folder_of_their_own():
    """Readers of the main table pass over folders that begin with an underscore."""
    window = _window(1_795_209_300, "host-1", 7)
    path = ledger.statements_path(window)
    assert path.parts[0] == "_statements"
    assert path.relative_to("_statements") == ledger.file_path(window)


def test_a_file_of_version_1_lacks_what_came_later():
    """Readers count those columns as 0."""
    assert ledger.columns_added(1) == ("duration_us2", "waited_ns")
    assert ledger.columns_added(ledger.VERSION) == ()
