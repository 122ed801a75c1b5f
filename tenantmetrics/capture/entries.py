"""What the recorder calls into: a pipeline's functions, and its queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from tenantmetrics.capture.request import Examined, Request
from tenantmetrics.health import Health
from tenantmetrics.records import Claims

__all__ = ["ClaimsOf", "Entries", "Examine", "NoQueue", "Queue", "Record", "Trace"]

ClaimsOf = Callable[[Request], Claims]
"""Whose the call claims to be, worked out on the caller's thread."""

Examine = Callable[[Examined, str, Any, object], bool]
"""Fills in what the claims of a usual call rest on, on the caller's thread: of (call, text,
parameters, whether a transaction is open); False where it takes `ClaimsOf` to find them."""

Trace = Callable[[Request], tuple[int, int] | None]
"""The ids of the current trace and span, None where there is none."""

Record = Callable[[Request], None]
"""Takes a finished request, of which `capture.finished` makes the `Call`; must not block."""


class Queue(Protocol):
    """Where finished requests may go without a call of a function, as long as there is room.

    Attributes:
        queue: Takes them at its end.
        open_until: Its length from which on `Record` is to be asked.
    """

    queue: deque[Any]
    open_until: int


class NoQueue:
    """Every request goes to `Record`."""

    def __init__(self) -> None:
        self.queue: deque[Any] = deque()
        self.open_until = 0


class Entries(NamedTuple):
    """What the recorder calls into.

    Attributes:
        claims: Raises `TenantRefusedError` under `strict`.
        record: Where finished requests go.
        health: Where failures are counted.
        trace: None where traces are not linked.
        forget: Takes the key of a session that is over.
        leave: Takes a request as `record` does, but under no lock: for calls that the garbage
            collector closes, wherever it runs.
        examine: The short way for usual calls; None where every call takes the long one.
        queue: What `record` puts requests into; None where it does more than that.
    """

    claims: ClaimsOf
    record: Record
    health: Health
    trace: Trace | None = None
    forget: Callable[[str], None] | None = None
    leave: Record | None = None
    examine: Examine | None = None
    queue: Queue | None = None
