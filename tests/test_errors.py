"""A file that cannot be read is told in one line: which, once, and why."""

from __future__ import annotations

import pytest

from tenantmetrics.console.checks.file import check_file
from tenantmetrics.console.rehearsal import recordings
from tenantmetrics.cost.bill import cost_explorer
from tenantmetrics.cost.cluster_names import read_clusters
from tenantmetrics.cost.period import parse_month
from tenantmetrics.cost.rates import read_rates
from tenantmetrics.errors import TenantMetricsError
from tenantmetrics.tenant.identity.schema_file import load_schema


def _bill(path):
    return cost_explorer.load_json(path, parse_month("2026-11"), amortized=False)


READERS = {
    "rates.toml": read_rates,
    "rates.csv": read_rates,
    "clusters.json": read_clusters,
    "clusters.csv": read_clusters,
    "bill.json": _bill,
    "dashboard.json": lambda path: check_file(path, "TenantMetrics"),
    "recording.json": recordings.load,
    "schema.json": lambda path: load_schema(str(path)),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file or directory"), (b'{"a": "\xff"}', "it is not UTF-8 text")],
)
def test_an_unreadable_file_is_named_once_with_the_reason(tmp_path, name, content, why):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TenantMetricsError) as error:
        READERS[name](path)
    assert str(error.value).count(str(path)) == 1
    assert str(error.value).endswith(f"cannot be read: {why}")


def test_a_bill_nested_beyond_what_json_takes_is_refused_in_words(tmp_path):
    path = tmp_path / "bill.json"
    path.write_text("[" * 200_000)
    with pytest.raises(TenantMetricsError, match=r"cannot be read: it is nested too deep$"):
        _bill(path)
