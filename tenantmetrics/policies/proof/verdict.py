"""What the proof says of one operation on one object."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Proved", "Verdict"]


class Verdict(StrEnum):
    """Whether it was isolated."""

    ISOLATED = "isolated"
    """It was tried, and nothing of the other tenant's was seen or changed."""
    LEAK = "not isolated"
    DENIED = "no privilege"
    """The role may not do it at all."""
    NOT_THERE = "not there"
    """The server or the connection has no such operation, or the table has no key for it."""
    UNPROVED = "not proved"
    """It could not be tried; says why."""


@dataclass(frozen=True, slots=True)
class Proved:
    """One operation on one object.

    Attributes:
        object: By its name in SQL.
        operation: Such as "INSERT".
        verdict: What came of it.
        why: What was seen, without any value; empty where there is nothing to say.
    """

    object: str
    operation: str
    verdict: Verdict
    why: str = ""

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return {
            "object": self.object,
            "operation": self.operation,
            "verdict": str(self.verdict),
            "why": self.why,
        }
