"""Documents on their way to a ledger's file."""

from __future__ import annotations

import random

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantmetrics import ledger
from tenantmetrics.cost.sources.documents import Document, Whose
from tenantmetrics.cost.sources.staging import DifferError, Staging
from tenantmetrics.records import UNATTRIBUTED


def document(number, **more):
    """One tenant's document, in a window and of a size of its own."""
    return Document(
        "Shop", "w", 60 * number, number, Whose.TENANT, f"t{number}", calls=number + 1,
        duration_ns=7, **more,
    )  # fmt: skip


def stage(folder, documents):
    with Staging(folder) as staging:
        for one in documents:
            staging.add(one)
        return staging.finish()


def rows(folder):
    (file,) = folder.rglob("*.parquet")
    return pq.read_table(file).to_pylist()


def test_the_file_has_the_ledgers_columns_and_types_and_a_ledgers_name(tmp_path):
    """Whatever reads a ledger reads it, and nothing else is left behind."""
    staged = stage(tmp_path, [document(3, failed_calls=1)])
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert ledger.parse(file.name).start_s == 180
    found, wanted = pq.read_schema(file), ledger.arrow_schema()
    assert found.names == wanted.names
    for name in wanted.names:
        if "list" not in str(wanted.field(name).type):
            assert found.field(name).type == wanted.field(name).type, name
    assert (staged.documents, staged.copies, staged.calls) == (1, 0, 4)
    assert {(row["outcome"], row["calls"], row["duration_ns"]) for row in rows(tmp_path)} == {
        ("ok", 3, 7),
        ("error", 1, 0),
    }


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 5))
@settings(max_examples=settings.default.max_examples // 5)
def test_copies_count_once_in_whatever_batches_they_come(tmp_path_factory, numbers, batch):
    """Duplicates lie in other batches than their originals."""
    folder = tmp_path_factory.mktemp("staging")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tenantmetrics.cost.sources.staging._BATCH", batch)
        staged = stage(folder, [document(number, place=at) for at, number in enumerate(numbers)])
    assert staged.documents == len(set(numbers))
    assert staged.copies == len(numbers) - len(set(numbers))
    assert sum(row["calls"] for row in rows(folder)) == sum(n + 1 for n in set(numbers))


def test_documents_that_contradict_each_other_are_told_by_place(tmp_path):
    """In any order; the places are those of the two that differ."""
    documents = [document(number, place=number) for number in range(9)]
    documents.append(document(4, place=99)._replace(calls=50))
    random.Random(3).shuffle(documents)
    with pytest.raises(DifferError) as caught:
        stage(tmp_path, documents)
    assert sorted(caught.value.places) == [4, 99]


def test_what_tenants_lack_of_the_fleet_is_nobodys(tmp_path):
    """Calls, failures, time and requests of the difference, in the same window."""
    fleet = Document(
        "Shop", "w", 60, 1, Whose.FLEET, "", calls=9, failed_calls=3, duration_ns=50,
        billed_requests=11,
    )  # fmt: skip
    staged = stage(tmp_path, [fleet, document(1), document(2)])
    assert (staged.short_windows, staged.short_calls) == (1, 7)
    nobody = [row for row in rows(tmp_path) if row["tenant"] == UNATTRIBUTED]
    assert sorted((row["outcome"], row["calls"]) for row in nobody) == [("error", 3), ("ok", 4)]
    assert sum(row["duration_ns"] for row in nobody) == 43
    assert sum(row["billed_requests"] for row in nobody) == 11


def test_nothing_is_written_where_there_is_nothing(tmp_path):
    """A fleet without a call is no usage."""
    staged = stage(tmp_path, [Document("Shop", "w", 60, 1, Whose.FLEET, "")])
    assert staged.documents == 0
    assert list(tmp_path.iterdir()) == []


def test_a_long_query_writes_nothing_to_standard_output(tmp_path):
    """A progress bar would stand in the middle of a CSV that is piped into a file."""
    with Staging(tmp_path) as staging:
        assert staging._row("SELECT current_setting('enable_progress_bar')") == [0]
