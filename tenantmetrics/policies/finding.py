"""A finding, and a rule: what every rule gives, and what is known of it before it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenantmetrics.policies.scope import Scope

__all__ = ["Fault", "Finding", "Rule", "Severity"]


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """Another tenant's rows can be read or written."""
    WARNING = "warning"
    """Isolation rests on luck, another tenant's existence shows, or queries are slow."""
    INFO = "info"
    """It holds, and could be better."""

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Fault:
    """What a rule's function found at one object.

    Attributes:
        object: The object, by its name in SQL, such as "public.bookings".
        why: What is wrong and what may come of it, in a sentence or two.
        mend: SQL that mends it; what SQL cannot decide is a comment.
        severity: Another severity than the rule's.
    """

    object: str
    why: str
    mend: str
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        id: Stays for ever: baselines and SARIF know a rule by it.
        name: The same for people.
        severity: Of most of its findings.
        about: What it looks for, in a few words.
        find: Gives what it finds.
    """

    id: str
    name: str
    severity: Severity
    about: str
    find: Callable[[Scope], Iterable[Fault]]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the check reports."""

    rule: Rule
    severity: Severity
    object: str
    why: str
    mend: str

    @property
    def key(self) -> tuple[str, str]:
        """By what a baseline knows it."""
        return (self.rule.id, self.object)

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return {
            "id": self.rule.id,
            "rule": self.rule.name,
            "severity": str(self.severity),
            "object": self.object,
            "why": self.why,
            "mend": self.mend,
        }
