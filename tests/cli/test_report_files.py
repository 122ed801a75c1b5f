"""What `report` writes, what it must not write over, and what its options need."""

from __future__ import annotations

import pytest

from tenantmetrics.cli.bill_options import refuse_without_bill
from tenantmetrics.cli.report_files import keep_inputs, merged
from tenantmetrics.errors import ReportError


def test_nothing_that_is_read_is_written_over(tmp_path, monkeypatch):
    """A bill, the tenants, an earlier export; by whatever path, and before any work is done."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "exports"
    folder.mkdir()
    bill = folder / "b.csv"
    bill.write_text("x")
    for inputs, bills, file in (
        ((), ("exports/b.csv",), bill),
        (("usage.json", "s3://books/ledger"), (), tmp_path / "usage.json"),
        (("tenants.csv", None), (), tmp_path / "exports" / ".." / "tenants.csv"),
        ((tmp_path / "sent.jsonl",), ("",), tmp_path / "sent.jsonl"),
    ):
        with pytest.raises(ReportError, match="is read by this report and would be written over"):
            keep_inputs(inputs, bills, [tmp_path / "new.html", file])
    for name in ("b.csv", "new.CSV", "deep/new.csv"):
        with pytest.raises(ReportError, match="lies in the folder of the bill"):
            keep_inputs((), ("exports", "s3://books/exports"), [folder / name])
    keep_inputs((bill, None), ("exports",), [folder / "new.html", tmp_path / "new.csv"])


def test_a_file_is_written_once_by_whatever_path(tmp_path, monkeypatch):
    """The second would take the first's place."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReportError, match="is to be written twice"):
        merged({tmp_path / "a.csv": str}, {tmp_path / "b" / ".." / "a.csv": str})


def test_what_is_said_of_a_bill_needs_one():
    """List prices would be shown as if they were of the one cluster."""
    for name, flag in (("bill_cluster", "--bill-cluster"), ("clusters", "--clusters")):
        with pytest.raises(ReportError, match=f"{flag} is about a bill, and there is none"):
            refuse_without_bill(None, bill_account=None, **{name: "x"})
    refuse_without_bill(["b.csv"], bill_cluster="prod", amortized=True)
    refuse_without_bill(None, bill_cluster=None, amortized=None)
