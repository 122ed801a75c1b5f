"""What `tenantmetrics.rls.stats()` says of this process."""

from __future__ import annotations

import threading
from collections import Counter

from tenantmetrics.life import in_children

__all__ = ["add", "stats"]

_lock = threading.Lock()
_counts: Counter[str] = Counter()
_NAMES = (
    "transactions",
    "committed",
    "rolled_back",
    "statements",
    "errors",
    "retries",
    "single_requests",
    "fallbacks",
)


def add(name: str, number: int = 1) -> None:
    """Count something; `name` is one of the keys of `stats`."""
    with _lock:
        _counts[name] += number


def stats() -> dict[str, int | float]:
    """What this process did with row-level security since it started, or was forked.

    Returns:
        `transactions` begun, `committed`, `rolled_back`, `statements` of yours, `errors` (calls
        that failed), `retries`, `single_requests` (statements of `rls.execute` that needed no
        transaction), `fallbacks` (those that got one), and `average_duration_ms` of a transaction
        from BEGIN to its end.
    """
    with _lock:
        found: dict[str, int | float] = {name: _counts[name] for name in _NAMES}
        duration_ns, transactions = _counts["duration_ns"], _counts["ended"]
        found["average_duration_ms"] = duration_ns / 1e6 / transactions if transactions else 0.0
    return found


def _after_fork() -> None:
    """A child starts with nothing; another thread of the parent may have held the lock."""
    global _lock
    _lock = threading.Lock()
    _counts.clear()


in_children(_after_fork)
