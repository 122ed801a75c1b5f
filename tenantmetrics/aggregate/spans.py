"""Which part of a call's time belongs to which window."""

from __future__ import annotations

__all__ = ["MAX_WINDOWS_BACK", "Part", "spans"]

MAX_WINDOWS_BACK = 60
"""Windows before its end that a call's time is spread over; what is earlier is in the first of
them. The Data API's calls end within 45 s: more is a machine that slept."""

Part = tuple[int, int, int]
"""(number of the window, time spent in it, time of that which the call only waited), ns."""


def spans(ended_at_ns: int, duration_ns: int, waited_ns: int, window_ns: int) -> list[Part]:
    """A call's time by window, the last one first; adds up to the call's time exactly.

    Args:
        ended_at_ns: End of the call, ns since the epoch.
        duration_ns: Its length.
        waited_ns: What it waited of that before its last attempt: its first part.
        window_ns: Length of a window.
    """
    last = ended_at_ns // window_ns
    began_ns = ended_at_ns - duration_ns
    first = max(began_ns // window_ns, last - MAX_WINDOWS_BACK)
    worked_ns = began_ns + waited_ns
    parts = []
    end_ns = ended_at_ns
    for number in range(last, first - 1, -1):
        start_ns = began_ns if number == first else number * window_ns
        parts.append((number, end_ns - start_ns, max(0, min(end_ns, worked_ns) - start_ns)))
        end_ns = start_ns
    return parts
