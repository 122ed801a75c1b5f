"""Feeds several exporters, each on a thread and with a backlog of its own.

Delivery contract: every exporter is offered every window. What one of them surely failed to deliver
is offered to it again with the next windows, until its backlog is full; then the oldest windows go
and their calls are counted as `export_dropped`. What a destination refuses for good is given up at
once and counted likewise. What may or may not have arrived is counted as `export_uncertain` and
never sent twice. An exporter that fails, hangs or is slow delays no other.

Scheduled exports of a whole fleet would all come at the same second after the minute: each process
waits for a moment of its own within `spread_s` first. Who asks for a flush does not wait.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from tenantmetrics.export.base import Exporter
from tenantmetrics.export.lane import Lane
from tenantmetrics.health import Health
from tenantmetrics.records import Window

__all__ = ["MAX_BACKLOG_SERIES", "Fanout"]

MAX_BACKLOG_SERIES = 262_144
"""Series kept for an exporter that is down: 26 one-minute windows of 10,000 series each."""


class Fanout:
    """All exporters behind one.

    Not kept across a fork: its threads are not there in the child, which builds a new one.

    Args:
        exporters: The destinations.
        health: Where failures are counted.
        max_backlog_series: Series kept for an exporter that is down; the newest batch always is.
        spread_s: Seconds over which scheduled exports are spread.
        clock: Monotonic seconds; injected by tests.
    """

    def __init__(
        self,
        exporters: Sequence[Exporter],
        health: Health,
        *,
        max_backlog_series: int = MAX_BACKLOG_SERIES,
        spread_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        # Chosen once, so that a process's exports stay a whole interval apart.
        self._delay_s = random.uniform(0, spread_s)  # noqa: S311 - no secret
        self._lanes = [Lane(exporter, health, max_backlog_series, clock) for exporter in exporters]

    def export(self, windows: Sequence[Window], deadline_s: float) -> bool:
        """Hand the windows to every exporter, with what is left of its backlog, and wait.

        Args:
            windows: Closed windows, oldest first. Empty means: try the backlog again.
            deadline_s: On `time.monotonic()`. The wait ends then; a slow exporter goes on alone.

        Returns:
            Whether every exporter has delivered all that it was ever given. Raises nothing.
        """
        self.offer(windows, deadline_s)
        return self.wait(deadline_s)

    def offer(
        self, windows: Sequence[Window], deadline_s: float, *, scheduled: bool = False
    ) -> None:
        """Hand the windows to every exporter and return at once.

        Args:
            windows: Closed windows, oldest first. Empty means: try the backlog again.
            deadline_s: On `time.monotonic()`.
            scheduled: Nobody waits: the export may be put off within `spread_s`.
        """
        send_at_s = self._clock() + self._delay_s if scheduled else 0.0
        for lane in self._lanes:
            lane.offer(windows, deadline_s, send_at_s)

    def wait(self, deadline_s: float) -> bool:
        """Wait until every exporter has had its try.

        Args:
            deadline_s: On `time.monotonic()`. The wait ends then; a slow exporter goes on alone.

        Returns:
            Whether every exporter has delivered all of it, and what it had kept back before.
        """
        # A list, not a generator: the first lane that failed must not end the wait for the others.
        delivered = [lane.wait(deadline_s) for lane in self._lanes]
        return all(delivered)

    def abandon(self) -> None:
        """Let go of what a fork has copied, in the child: its parent goes on with it."""
        for lane in self._lanes:
            lane.abandon()

    def close(self, deadline_s: float) -> bool:
        """Try the backlogs a last time and close the exporters.

        Args:
            deadline_s: On `time.monotonic()`, one for all exporters.

        Returns:
            Whether every exporter has delivered everything. What has not is counted.
        """
        delivered = self.export((), deadline_s)
        for lane in self._lanes:
            lane.stop(deadline_s)
        return delivered
