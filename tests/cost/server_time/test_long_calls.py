"""Long statements that opened a connection, and executions that the view has lost."""

import pytest

from tenantmetrics.cost.server_time.matched import match
from tenantmetrics.cost.server_time.overheads import (
    ClusterOverhead,
    StatementKey,
    StatementSums,
    cluster_overhead,
)
from tenantmetrics.cost.server_time.record import Segment
from tenantmetrics.cost.server_time.server import Ran
from tenantmetrics.servertime import Moments, overhead

MEAN_NS = 24e6


def moments(calls, mean_ns, deviation_us=15e3):
    """Calls that are so far apart."""
    return Moments(calls, calls * mean_ns, calls * ((mean_ns / 1e3) ** 2 + deviation_us**2))


def test_a_long_statement_that_opened_a_connection_makes_no_other_cold_call_unsure():
    parts = {
        StatementKey(0, 1, "workless"): StatementSums(moments(400, MEAN_NS)),
        StatementKey(0, 1, "cold_workless"): StatementSums(moments(10, 3 * MEAN_NS)),
        StatementKey(0, 7, "work"): StatementSums(moments(100, 2000e6, 500e3)),
        StatementKey(0, 7, "cold_work"): StatementSums(moments(10, 2050e6, 900e3)),
    }
    found = cluster_overhead(parts, {})
    assert found.cold_noise < 3


@pytest.mark.parametrize("counted", [350, 300, 200])
def test_executions_that_the_view_has_lost_took_what_the_others_did(counted):
    known = ClusterOverhead(overhead(moments(400, MEAN_NS), [moments(400, MEAN_NS)]))
    segment = Segment(
        {StatementKey(0, 7, "work"): StatementSums(moments(400, MEAN_NS + 50e6), 0, 0)}
    )
    found = match(segment, [{7: Ran(counted, counted * 50e6)}], known)
    assert found.work_ns[7] == pytest.approx(400 * 50e6, rel=0.02)
