"""How many requests came and what became of them: counted where HTTP ends, whoever asks."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any, NamedTuple

__all__ = ["RequestCounts", "RequestKey"]


class RequestKey(NamedTuple):
    """What requests are counted by.

    Attributes:
        operation: The operation ("ExecuteStatement"); empty for a path that is none.
        status: HTTP status; 0 where no answer was sent.
        error: The error's code; empty for a success.
    """

    operation: str
    status: int
    error: str


class RequestCounts:
    """Counts every HTTP request to the API, each attempt of a retrying client for itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[RequestKey] = Counter()
        self._received = 0

    def receive(self) -> None:
        """Count a request that came in."""
        with self._lock:
            self._received += 1

    def answer(self, operation: str, status: int, error: str = "") -> None:
        """Count what a request gets; called before the answer is sent."""
        with self._lock:
            self._counts[RequestKey(operation, status, error)] += 1

    @property
    def total(self) -> int:
        """All requests received, answered or not."""
        with self._lock:
            return self._received

    def by_key(self) -> dict[RequestKey, int]:
        """Requests by operation, status and error."""
        with self._lock:
            return dict(self._counts)

    def as_json(self) -> dict[str, Any]:
        """The same for another process: `{"total": n, "requests": [{…, "count": n}]}`."""
        counts = self.by_key()
        return {
            "total": self.total,
            "requests": [
                {**key._asdict(), "count": count} for key, count in sorted(counts.items())
            ],
        }
