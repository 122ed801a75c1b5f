"""Errors that move several tenants at once, and what of each a tenant has.

What a call costs more with a writer, when it opens a connection, or for a byte is known to an error
only, and so is whether a statement's overhead is that of calls without work. Each moves a tenant by
its calls or bytes. Where the server says what a group of statements took, only what a tenant has
more than the group's mean call is moved.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from tenantmetrics.servertime import Common, Work

__all__ = ["CommonErrors", "Errors", "Kept"]

_Key = tuple[str, int]


class Kept(NamedTuple):
    """What calls have in common besides tenant and statement: class of writer, and being cold."""

    writer_class: int = 0
    cold: bool = False


@dataclass(frozen=True, slots=True)
class Errors:
    """Standard errors of what was taken off a call, nanoseconds.

    Attributes:
        offsets: By class of writer.
        cold_ns: Of what opening a connection adds.
        byte_ns: Of what a byte adds.
    """

    offsets: Mapping[int, float] = field(default_factory=dict)
    cold_ns: float = 0.0
    byte_ns: float = 0.0


class Calls(Protocol):
    """A tenant's calls."""

    @property
    def tenant(self) -> str:
        """Whose."""

    @property
    def calls(self) -> float:
        """How many."""

    @property
    def bytes_(self) -> float:
        """Of their bodies."""

    @property
    def kept(self) -> Kept:
        """What else they have in common."""


class CommonErrors:
    """Collects them, group by group.

    Args:
        errors: What they are.
        level_ns: The standard error of the overhead's mean.
    """

    def __init__(self, errors: Errors, level_ns: float) -> None:
        self._errors = errors
        self._level_ns = level_ns
        self._groups: dict[_Key, float] = {}
        self._amounts: dict[_Key, dict[str, float]] = defaultdict(lambda: defaultdict(float))

    def add(
        self, group: int, cells: Iterable[Calls], total_ns: float, work: Work | None = None
    ) -> None:
        """Take a group of statements.

        Args:
            group: Its number.
            cells: Whose calls.
            total_ns: The group's server time.
            work: How well a call's is known; None where the server says what the group took.
        """
        calls: dict[str, float] = defaultdict(float)
        amounts: dict[_Key, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        offsets, errors = self._errors.offsets, self._errors
        for cell in cells:
            tenant, count, kept = cell.tenant, cell.calls, cell.kept
            calls[tenant] += count
            # What has no error moves nobody.
            if errors.byte_ns:
                amounts["byte", 0][tenant] += cell.bytes_
            if offsets and offsets.get(kept.writer_class):
                amounts["writer", kept.writer_class][tenant] += count
            if kept.cold and errors.cold_ns:
                amounts["cold", 0][tenant] += count
        whole = math.fsum(calls.values())
        moved = 0.0
        if work is not None:
            moved = work.moved
            self._groups["group", group] = work.error_ns
            self._amounts["group", group].update(calls)
            for tenant, count in calls.items():
                self._amounts["level", 0][tenant] += count * moved
        for key, mine in amounts.items():
            error = self._error(key)
            if not error:
                continue
            # What moves all of a group moves it as far as its time is not known.
            mean = (1 - moved) * math.fsum(mine.values()) / whole
            most = math.inf if work is not None else total_ns / 2 / error
            for tenant, count in calls.items():
                apart = mine.get(tenant, 0.0) - count * mean
                self._amounts[key][tenant] += max(-most, min(most, apart))

    def add_total(self, group: int, server_ns: Mapping[str, float], error: float) -> None:
        """Take what a group's total may be wrong by.

        Args:
            group: Its number.
            server_ns: What each tenant gets of it.
            error: The standard error, as a part of it.
        """
        self._amounts["total", group].update(server_ns)
        self._groups["total", group] = error

    def add_untold(self, parts: Mapping[str, float], error_ns: float) -> None:
        """Take the error of the server's number, where the groups are made to add up to it.

        Args:
            parts: What part of the difference each tenant took.
            error_ns: The standard error of the number.
        """
        self._amounts["untold", 0].update(parts)
        self._groups["untold", 0] = error_ns

    def of(self, tenants: Iterable[str], parts: Mapping[str, float]) -> list[Common]:
        """The errors, with amounts in the tenants' order.

        Args:
            tenants: The tenants.
            parts: What part of the sum's difference from the server's number each of them took;
                empty where nothing was made to add up to one.
        """
        names = list(tenants)
        found = []
        for key, mine in sorted(self._amounts.items()):
            whole = math.fsum(mine.values()) if parts and key[0] != "untold" else 0.0
            amounts = [mine.get(name, 0.0) - whole * parts.get(name, 0.0) for name in names]
            found.append(Common(amounts, self._error(key)))
        return found

    def _error(self, key: _Key) -> float:
        kind, number = key
        if key in self._groups:
            return self._groups[key]
        if kind == "writer":
            return self._errors.offsets.get(number, 0.0)
        if kind == "cold":
            return self._errors.cold_ns
        return self._errors.byte_ns if kind == "byte" else self._level_ns
