"""Look at the sessions at a steady pace, and write what was seen every few minutes.

Stretches end with the clock's minutes, as the ledger's windows do. What was seen is written also
where the run is stopped before its time. A look that fails is left out, not counted as idle.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tenantmetrics.errors import ServerLoadError
from tenantmetrics.serverside import tables
from tenantmetrics.serverside.activity.sample import Reader, Work
from tenantmetrics.serverside.columns import ACTIVITY
from tenantmetrics.serverside.sql import Database

__all__ = ["Seen", "requests_a_month", "run"]

_MONTH_S = 730 * 3_600
_MOST_FAILURES = 5
"""Looks in a row that may fail before the run gives up."""


@dataclass(slots=True)
class Seen:
    """What a run has seen.

    Attributes:
        samples: Looks that succeeded.
        active: Sessions that worked, over all looks.
        named: Those of them that name a tenant.
        failed: Looks that failed.
        files: Addresses of the files that were written.
    """

    samples: int = 0
    active: int = 0
    named: int = 0
    failed: int = 0
    files: list[str] = field(default_factory=list)


def requests_a_month(interval_s: float) -> int:
    """Data API requests that looking all month takes; a look of over 32 KB counts as more.

    Args:
        interval_s: Seconds between two looks.
    """
    return round(_MONTH_S / interval_s)


def run(
    database: Database,
    reader: Reader,
    ledger: str | os.PathLike[str],
    resource_arn: str,
    *,
    interval_s: float,
    for_s: float,
    write_every_s: int = 300,
    clock: Callable[[], float] = time.time,
    wait: Callable[[float], object] | None = None,
    on_failure: Callable[[str], object] = lambda _: None,
) -> Seen:
    """Look until the time is over.

    Args:
        database: Any database of the cluster; it shows the sessions of all.
        reader: How to look.
        ledger: The ledger's folder or `s3://bucket/prefix`.
        resource_arn: The cluster, as the ledger names it.
        interval_s: Seconds between two looks.
        for_s: Seconds after which it ends.
        write_every_s: Seconds that a file holds at most.
        clock: Seconds since the epoch; injected by tests.
        wait: Waits so many seconds; injected by tests.
        on_failure: Told why a look failed.

    Raises:
        ServerLoadError: Others' sessions cannot be seen, or five looks in a row failed.
        LedgerError: The ledger cannot be written.
        MissingExtraError: pyarrow is not installed.
    """
    tables.arrow_schema(ACTIVITY)  # a missing extra is told now, not after the first stretch
    wait = wait or threading.Event().wait
    reader.check(database)
    seen = Seen()
    stretch: Counter[Work] = Counter()
    samples = failures = 0
    began_s = start_s = clock()
    turn = 0

    def write(end_s: float) -> None:
        nonlocal start_s, samples
        if samples:
            rows = _rows(resource_arn, int(start_s), int(end_s), samples, stretch)
            source = tables.source_id(resource_arn)
            seen.files.append(tables.write(ledger, ACTIVITY, int(start_s), source, rows))
        stretch.clear()
        start_s, samples = end_s, 0

    try:
        while True:
            try:
                found = reader.look(database)
            except ServerLoadError as error:
                failures += 1
                seen.failed += 1
                on_failure(str(error))
                if failures == _MOST_FAILURES:
                    raise
            else:
                failures = 0
                samples += 1
                stretch += found
                seen.samples += 1
                seen.active += found.total()
                seen.named += sum(n for work, n in found.items() if work.tenant)
            # By the start, not by the last look: a slow answer does not shift those after it.
            turn = max(turn + 1, math.ceil((clock() - began_s) / interval_s))
            next_s = began_s + turn * interval_s
            if next_s >= began_s + for_s:
                return seen
            border_s = next_s // write_every_s * write_every_s
            if border_s > start_s:
                write(border_s)
            wait(max(0.0, next_s - clock()))
    finally:
        write(clock())


def _rows(
    resource_arn: str, start_s: int, end_s: int, samples: int, seen: Counter[Work]
) -> list[dict[str, object]]:
    # An idle stretch was looked at all the same, and a row says so.
    found = dict(seen) or {Work("", 0): 0}
    return [
        {
            "start_s": start_s,
            "period_s": max(1, end_s - start_s),
            "resource_arn": resource_arn,
            "samples": samples,
            "tenant": work.tenant,
            "fingerprint": work.fingerprint,
            "active_samples": sessions,
        }
        for work, sessions in found.items()
    ]
