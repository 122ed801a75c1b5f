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

from tenantmetrics.servertime import MISFIT, Common

__all__ = ["CommonErrors", "Errors", "Kept"]

_Key = tuple[str, int]

_LONG_MISFIT = 0.25
"""`MISFIT` of statements that work longer than their overhead takes: on a busy machine whoever
works long is kept waiting longer too; 10 to 60 % were measured there, nothing on an idle one."""


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
        mean_ns: Mean overhead of a call.
    """

    def __init__(self, errors: Errors, mean_ns: float) -> None:
        self._errors = errors
        self._mean_ns = mean_ns
        self._misfits_ns: dict[int, float] = {}
        self._totals: dict[int, float] = {}
        self._amounts: dict[_Key, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._calls = 0.0

    def add(
        self,
        group: int,
        cells: Iterable[Calls],
        rest_ns: float,
        total_ns: float | None,
    ) -> None:
        """Take a group of statements.

        Args:
            group: Its number.
            cells: Whose calls.
            rest_ns: What they took beyond the overhead.
            total_ns: The group's server time where the server says it.
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
        if total_ns is None:
            amounts["statement", group] = calls
        whole = math.fsum(calls.values())
        self._calls += whole
        long = max(0.0, min(1.0, rest_ns / whole / self._mean_ns)) if self._mean_ns > 0 else 0.0
        self._misfits_ns[group] = self._mean_ns * (MISFIT + (_LONG_MISFIT - MISFIT) * long)
        for key, mine in amounts.items():
            error = self._error(key)
            if not error:
                continue
            mean = 0.0 if total_ns is None else math.fsum(mine.values()) / whole
            most = math.inf if total_ns is None else total_ns / 2 / error
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
        self._totals[group] = error

    def of(self, tenants: Iterable[str], calls: Mapping[str, float] | None = None) -> list[Common]:
        """The errors, with amounts in the tenants' order.

        Args:
            tenants: The tenants.
            calls: Their calls, where residues were corrected by one amount a call.
        """
        names = list(tenants)
        found = []
        for key, mine in sorted(self._amounts.items()):
            mean = math.fsum(mine.values()) / self._calls if calls and self._calls else 0.0
            amounts = [
                mine.get(name, 0.0) - mean * (calls.get(name, 0.0) if calls else 0.0)
                for name in names
            ]
            found.append(Common(amounts, self._error(key)))
        return found

    def _error(self, key: _Key) -> float:
        kind, number = key
        if kind == "writer":
            return self._errors.offsets.get(number, 0.0)
        if kind == "total":
            return self._totals[number]
        if kind == "cold":
            return self._errors.cold_ns
        return self._errors.byte_ns if kind == "byte" else self._misfits_ns[number]
