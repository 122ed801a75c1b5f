"""The ledger's file naming and schema."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics import ledger
from tenantmetrics.records import Window


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
    assert str(path) == "date=2026-11-20/hour=21/20261120T211500Z-host-1-00000007.v1.parquet"


def test_other_names_are_not_taken_for_ledger_files():
    """A temporary file, a stray name and an impossible date parse to nothing."""
    for name in (
        ".20261120T211500Z-host-1-00000007.v1.parquet.tmp",
        "bill.parquet",
        "20261320T211500Z-host-1-00000007.v1.parquet",
    ):
        assert ledger.parse(name) is None


def test_every_column_is_in_the_arrow_schema_with_its_type_and_none_may_be_null():
    """The published column list and the schema that is written are the same thing."""
    schema = ledger.arrow_schema()
    assert schema.names == [column.name for column in ledger.COLUMNS]
    assert not any(field.nullable for field in schema)
    assert str(schema.field("window_start").type) == "timestamp[us, tz=UTC]"
    assert str(schema.field("calls").type) == "int64"


def test_the_documentation_lists_every_column_with_its_type_and_meaning():
    """docs/ledger.md does not drift from the schema."""
    text = (Path(__file__).parent.parent / "docs" / "ledger.md").read_text()
    for column in ledger.COLUMNS:
        row = next(line for line in text.splitlines() if line.startswith(f"| `{column.name}` |"))
        assert row.replace("`", "") == (
            f"| {column.name} | {column.kind} | {column.about} |".replace("`", "")
        )
