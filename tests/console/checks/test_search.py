"""Statistics by their names."""

import pytest

from tenantmetrics.console.checks import search


@pytest.mark.parametrize("stat", ["Sum", "p99", "p99.9", "p100", "tm95", "TM(10%:90%)", "PR(:300)"])
def test_statistics_that_exist_are_taken(stat):
    """As the CloudWatch user guide lists them."""
    assert search.stat_fault(stat) is None


@pytest.mark.parametrize("stat", ["p", "p101", "sum", "", None, "P99"])
def test_statistics_that_do_not_exist_are_refused(stat):
    """Spelling counts."""
    assert search.stat_fault(stat)
