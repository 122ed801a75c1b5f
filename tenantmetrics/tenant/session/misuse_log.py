"""Misuse in the log: at most once a minute a kind, with the statement's summary, never a value."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable

from tenantmetrics.logs import logger
from tenantmetrics.records import Misuse

__all__ = ["MisuseLog"]

_EVERY_S = 60.0


class MisuseLog:
    """Logs conflicts and misuse; for one thread.

    Args:
        clock: Monotonic seconds; injected by tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged_at: dict[Misuse, float] = {}
        self._unlogged: dict[Misuse, int] = {}

    def note(self, misuses: Iterable[Misuse], summary: str) -> None:
        """Log each kind, unless it was logged within the last minute.

        Args:
            misuses: The kinds that one call showed.
            summary: The call's `db.query.summary`, which holds no values.
        """
        now = self._clock()
        for misuse in misuses:
            last = self._logged_at.get(misuse)
            if last is not None and now - last < _EVERY_S:
                self._unlogged[misuse] = self._unlogged.get(misuse, 0) + 1
                continue
            self._logged_at[misuse] = now
            # The application's own structlog processors run here; theirs may fail, and the call
            # they fail on must keep its tenant.
            with contextlib.suppress(Exception):
                logger().warning(
                    "tenantmetrics.tenant_misuse",
                    kind=str(misuse),
                    statement=summary,
                    calls=self._unlogged.pop(misuse, 0) + 1,
                )
