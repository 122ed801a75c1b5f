"""A measure is declared once; whatever has measures has those, under the same names."""

import csv
from dataclasses import fields
from decimal import Decimal

from tenantmetrics import ledger
from tenantmetrics.cost.queries import COLUMNS_READ
from tenantmetrics.cost.sources.documents import Document
from tenantmetrics.cost.statement import Period, Statement, Usage
from tenantmetrics.histogram import add
from tenantmetrics.measures import MEASURES, REPORTED, SUMS, Fold
from tenantmetrics.records import Series
from tenantmetrics.report.csv import as_csv as render

FAILED = "failed_calls"
"""What a report has beside the measures: the calls whose outcome is an error."""


def test_names_are_unique():
    """A second column of a name would be lost."""
    names = [measure.name for measure in MEASURES]
    assert len(set(names)) == len(names)
    assert set(REPORTED) <= set(SUMS)
    assert all(measure.about for measure in MEASURES)


def test_series_have_every_measure_and_are_added_by_it():
    """Sums add up, extremes stay extremes."""
    one, other = Series(scale=6, buckets={1: 1}), Series(scale=6, buckets={1: 1})
    for n, measure in enumerate(MEASURES):
        setattr(one, measure.name, n + 1)
        setattr(other, measure.name, 2 * n + 7)
    add(one, other)
    for n, measure in enumerate(MEASURES):
        folded = {Fold.SUM: sum, Fold.MIN: min, Fold.MAX: max}[measure.fold]((n + 1, 2 * n + 7))
        assert getattr(one, measure.name) == folded, measure.name


def test_a_report_has_those_that_are_declared_for_it():
    """Usage, the documents of exported metrics, the queries and the CSV."""
    assert {field.name for field in fields(Usage)} == {*REPORTED, FAILED}
    assert {*REPORTED, FAILED} <= set(Document._fields)
    assert set(REPORTED) <= set(COLUMNS_READ) <= {column.name for column in ledger.COLUMNS}
    empty = Statement(
        Period("2026-11", 0, 60), "USD", Decimal("0.01"), "list prices", estimate=True, pools=(),
        lines=(),
    )  # fmt: skip
    header = next(csv.reader(render(empty).splitlines()))
    shown = {"duration_ns": "wall_time_s"}
    assert {shown.get(name, name) for name in REPORTED} <= set(header)
