"""What ran between two snapshots of one server. Pure: no I/O.

Counters only grow, until something makes them start anew:

- **All were reset** (`pg_stat_statements_reset()`, or a crash lost them): `reset_s` moved past the
  last snapshot. The counters are of the time since then, so the stretch begins there.
- **Another server answers** (a failover: each Aurora instance keeps statistics of its own):
  `reset_s` changed to a time before the last snapshot, or the instance's name changed. Nothing can
  be subtracted: a new series begins.
- **One entry started anew**: its calls fell, or PostgreSQL 17 says that it is another one, made
  later. Its counters are the part since then. `evictions` tells whether the view was full.
- **A restart that kept the statistics** changes nothing.

Before PostgreSQL 14 the view does not say when it was reset. There a restart after which no counter
is where it was is taken for a loss at the restart; a counter that fell, for a reset of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from tenantmetrics.errors import ServerLoadError
from tenantmetrics.serverside.columns import Gap
from tenantmetrics.serverside.statements.snapshot import Counters, Entry, Snapshot

__all__ = ["NewSeries", "Stretch", "between"]

_ZERO = Counters(0, 0.0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What ran in a stretch of time.

    Attributes:
        start_s: Its start, whole seconds since the epoch.
        end_s: Its end.
        gap: Why it is not just what ran since the last snapshot.
        progress: What each statement added; only those that ran.
    """

    start_s: int
    end_s: int
    gap: Gap
    progress: dict[Entry, Counters]


@dataclass(frozen=True, slots=True)
class NewSeries:
    """Two snapshots that cannot be subtracted, and why, in words."""

    why: str


def between(
    before: Snapshot, now: Snapshot, *, every_s: int, longest_s: int
) -> Stretch | NewSeries:
    """Subtract two snapshots.

    Args:
        before: The earlier one.
        now: The later one.
        every_s: Seconds between two snapshots by the schedule; past twice that, some are missing.
        longest_s: Past that, a stretch says nothing of any hour in it.

    Raises:
        ServerLoadError: They are of different clusters, or the later one is not later.
    """
    if before.server.system and now.server.system and before.server.system != now.server.system:
        raise ServerLoadError(
            "these are the statistics of another database cluster than those of the last snapshot "
            f"(system identifier {now.server.system}, and {before.server.system} before)"
        )
    start_s, end_s = int(before.taken_s), int(now.taken_s)
    if end_s <= start_s:
        raise ServerLoadError(
            f"the last snapshot is not older than this one ({start_s - end_s:,} s ahead of it): "
            "these are the statistics of another time, or the database's clock was set back"
        )
    if end_s - start_s > longest_s:
        hours = (end_s - start_s) / 3600
        return NewSeries(
            f"the last snapshot is {hours:,.0f} hours old: snapshots are missing in between, and "
            "what ran in so long a stretch cannot be told apart by the hour"
        )
    if before.server.instance != now.server.instance:
        return NewSeries(
            f"instance {now.server.instance!r} answers where {before.server.instance!r} did "
            "before, and each keeps statistics of its own"
        )
    gap = Gap.MISSING if end_s - start_s > 2 * every_s else Gap.NONE
    since_s = _lost_at(before, now)
    if since_s is not None and since_s <= before.taken_s:
        return NewSeries(
            "the statistics are another server's than those of the last snapshot (a failover): "
            "they were begun at another time"
        )
    if since_s is not None:
        restarted = now.server.started_s != before.server.started_s
        gap = Gap.RESTART if restarted else Gap.RESET
        return Stretch(min(int(since_s), end_s - 1), end_s, gap, _ran(now.entries))
    progress, anew = _progress(before, now)
    if _evicted(before, now):
        gap = Gap.EVICTED
    elif anew:
        gap = Gap.RESET
    return Stretch(start_s, end_s, gap, _ran(progress))


def _lost_at(before: Snapshot, now: Snapshot) -> float | None:
    """When the server began to count anew; None where it did not."""
    if now.server.reset_s is not None and before.server.reset_s is not None:
        return now.server.reset_s if now.server.reset_s != before.server.reset_s else None
    if now.server.started_s == before.server.started_s:
        return None
    kept = not before.entries or any(
        entry in now.entries and now.entries[entry].calls >= counters.calls
        for entry, counters in before.entries.items()
    )
    return None if kept else now.server.started_s


def _progress(before: Snapshot, now: Snapshot) -> tuple[dict[Entry, Counters], bool]:
    """What was added, and whether a counter started anew in between."""
    progress = {}
    anew = any(entry not in now.entries for entry in before.entries)
    for entry, counters in now.entries.items():
        last = before.entries.get(entry, _ZERO)
        if last is not _ZERO and (counters.calls < last.calls or counters.since_s != last.since_s):
            anew = True
            last = _ZERO
        progress[entry] = Counters(
            counters.calls - last.calls,
            max(0.0, counters.exec_ms - last.exec_ms),
            max(0, counters.rows - last.rows),
            max(0, counters.blocks_read - last.blocks_read),
            max(0, counters.blocks_hit - last.blocks_hit),
        )
    return progress, anew


def _evicted(before: Snapshot, now: Snapshot) -> bool:
    if now.server.evictions is None or before.server.evictions is None:
        return False
    return now.server.evictions > before.server.evictions


def _ran(progress: dict[Entry, Counters]) -> dict[Entry, Counters]:
    return {entry: counters for entry, counters in progress.items() if counters.calls}
