"""Files by their names: a bill that was saved twice must not be read for another."""

from __future__ import annotations

import gzip

import duckdb
import pytest

from tenantmetrics.cost.as_named import as_named, is_gzip
from tenantmetrics.cost.bill import load
from tenantmetrics.cost.period import parse_month

NOVEMBER = parse_month("2026-11")
HEAD = "BilledCost,BillingCurrency,BillingPeriodStart,ChargeCategory,ChargePeriodStart,x_UsageType"
ROW = "{},USD,2026-11-01,Usage,2026-11-02T00:00:00Z,Data-API-Usage"


def text(amount):
    return f"{HEAD}\r\n{ROW.format(amount)}\r\n"


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("export [1].csv", "export 1.csv"), ("export*.csv", "export 1.csv"), ("b?.csv", "b1.csv"),
        ("[a-z]/b.csv", "q/b.csv"), ("{x,y}.csv", "x.csv"), ("it's; 'so'.csv", "its.csv"),
    ],
)  # fmt: skip
def test_a_bill_is_the_file_that_was_named(tmp_path, name, other):
    """And not one that its name would fit as a pattern."""
    for place, amount in ((name, 5), (other, 77)):
        path = tmp_path / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(text(amount))
    assert load([tmp_path / name], NOVEMBER).total == 5


def test_a_parquet_file_is_the_one_that_was_named(tmp_path):
    """Of bills and of ledgers alike."""
    for name, number in (("p[1].parquet", 1), ("p1.parquet", 2)):
        path = str(tmp_path / name)
        duckdb.sql(f"SELECT {number} AS n").write_parquet(path)
    assert duckdb.read_parquet(as_named(tmp_path / "p[1].parquet")).fetchall() == [(1,)]


@pytest.mark.parametrize("name", ["b.csv.gz", "B.CSV.GZ", "b.csv"])
def test_a_packed_bill_is_known_by_what_is_in_it(tmp_path, name):
    """Whatever its name says, and in any case."""
    path = tmp_path / name
    path.write_bytes(gzip.compress(text(5).encode()))
    assert is_gzip(path)
    assert load([path], NOVEMBER).total == 5
    path.write_text(text(7))
    assert load([path], NOVEMBER).total == 7
