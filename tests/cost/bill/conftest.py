"""Bills to read: files of rows, and one that koku-nise generated."""

from __future__ import annotations

import csv
import gzip

import duckdb
import pytest

from tests.cost.bill.rows import NISE


@pytest.fixture
def write(tmp_path):
    """Write rows as CSV or Parquet; the path."""

    def make(rows, name="bill.csv"):
        path = tmp_path / name
        text = path.with_suffix(".csv")
        with text.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        if path.suffix == ".parquet":
            types = ", ".join(
                f"{name}: 'DOUBLE'" for name in rows[0] if name.endswith(("Cost", "_cost"))
            )
            duckdb.sql(f"COPY (FROM read_csv('{text}', types={{{types}}})) TO '{path}'")
        return path

    return make


@pytest.fixture
def nise(tmp_path):
    """The file that koku-nise generated, its databases of a class that Aurora has."""
    path = tmp_path / NISE.name
    with gzip.open(NISE, "rt", newline="") as old, gzip.open(path, "wt", newline="") as new:
        new.write(old.read().replace("db.m5.xlarge", "db.r5.xlarge"))
    return path
