"""Which statements are divided one by one."""

from __future__ import annotations

from types import SimpleNamespace

from tenantmetrics.cost.server_time.grouping import groups_of
from tenantmetrics.cost.server_time.overheads import StatementSums
from tenantmetrics.cost.server_time.works import Worked
from tenantmetrics.servertime import Moments, Work


def part(**together):
    """A cluster's hours: its statements by name, and whether each was told with others of few."""
    return SimpleNamespace(
        matched=None,
        works={
            int(name[1:]): Worked(9, Work(1.0, 1.0, 0.0), together=few)
            for name, few in together.items()
        },
        segment=SimpleNamespace(
            by_statement=lambda: {
                int(name[1:]): StatementSums(Moments(9, 90.0, 900.0)) for name in together
            }
        ),
    )


def test_a_statement_of_few_calls_in_one_cluster_is_told_by_the_other():
    """Of those that no cluster tells apart there is no group."""
    groups = groups_of([part(s1=False, s2=True), part(s1=True, s3=True)], tenants=5)
    assert set(groups) == {1}
