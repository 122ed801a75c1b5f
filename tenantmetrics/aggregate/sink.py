"""What takes settled calls: calls of which it is known whose they were."""

from __future__ import annotations

from typing import Protocol

from tenantmetrics.records import Attribution, Call

__all__ = ["Sink"]


class Sink(Protocol):
    """One taker.

    It is called on the background thread, under the pipeline's lock: it must be quick and wait for
    nothing. What it raises is counted as `aggregate_error`; the others still get the call.
    """

    def add(self, call: Call, attribution: Attribution) -> None:
        """Take one call.

        Args:
            call: Its facts.
            attribution: Whose it was.
        """
