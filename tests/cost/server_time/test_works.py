"""What a call of a statement works, by the record: batches, whose rows take time on their way."""

import pytest

from tenantmetrics.cost.server_time.overheads import ClusterOverhead, StatementKey, StatementSums
from tenantmetrics.cost.server_time.record import Segment
from tenantmetrics.cost.server_time.works import works
from tenantmetrics.servertime import Moments, overhead

MEAN_NS, CALLS = 24e6, 400


def moments(mean_ns, calls=CALLS):
    """Calls that are 15 ms apart."""
    return Moments(calls, calls * mean_ns, calls * ((mean_ns / 1e3) ** 2 + 15e3**2))


def works_of(mean_ns, bytes_a_row):
    """Milliseconds that a call of 100 rows works."""
    known = ClusterOverhead(overhead(moments(MEAN_NS), [moments(MEAN_NS)]))
    sums = StatementSums(moments(mean_ns), CALLS * 100 * bytes_a_row, CALLS * 100)
    found = works(Segment({StatementKey(0, 7, "work"): sums}), known)
    return found[7][1].server_ns / 1e6


@pytest.mark.parametrize(
    ("bytes_a_row", "works_ms"),
    [
        pytest.param(80, 3, id="a batch of 100 sets works for 3 ms, and the rest is their way"),
        pytest.param(1, 200, id="an UPDATE of 100 rows works for all of it"),
    ],
)
def test_rows_that_are_sent_take_time_on_their_way(bytes_a_row, works_ms):
    """A call of 100 rows that takes 200 ms beyond its overhead."""
    assert works_of(MEAN_NS + 200e6, bytes_a_row) == pytest.approx(works_ms, abs=4)
