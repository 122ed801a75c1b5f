"""The server's own number beside the record's: how much of it the metered calls caused."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = ["Metered", "Verdict", "Z", "metered"]

Z = 1.959963984540054
"""Standard errors of a 95 % interval."""


class Verdict(StrEnum):
    """What the two numbers say of each other."""

    AGREE = "agree"
    """They differ by no more than chance: all of the server's load is the metered calls'."""
    UNMETERED = "unmetered"
    """The server did more than the metered calls account for."""
    BELOW = "below"
    """The server did less than the metered calls seem to have caused: the overhead is taken for
    too low, or the numbers are of another cluster or period."""


class Metered(NamedTuple):
    """The server's load, in two parts that add up to it.

    Attributes:
        metered_ns: What the metered calls caused.
        unmetered_ns: What nobody's metered calls caused.
        verdict: How the parts came about.
    """

    metered_ns: float
    unmetered_ns: float
    verdict: Verdict


def metered(total_ns: float, record_ns: float, record_error_ns: float) -> Metered:
    """Part the server's load.

    Args:
        total_ns: The server's own number, nanoseconds of active sessions.
        record_ns: What the record alone says of the metered calls.
        record_error_ns: The standard error of that.
    """
    margin = Z * record_error_ns
    if total_ns - record_ns > margin:
        known = max(0.0, record_ns)
        return Metered(known, total_ns - known, Verdict.UNMETERED)
    below = record_ns - total_ns > margin
    return Metered(total_ns, 0.0, Verdict.BELOW if below else Verdict.AGREE)
