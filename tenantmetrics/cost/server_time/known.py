"""What is known of a segment before it is divided: its cells, and what goes with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from tenantmetrics.cost.server_time.common import Errors, Kept
from tenantmetrics.cost.server_time.sql_words import BEGIN_GROUP, WORKLESS_GROUP
from tenantmetrics.servertime import Overhead, Work

__all__ = ["LEAST_NS", "WITHOUT_WORK", "Cell", "Errors", "Kept", "Known"]

LEAST_NS = 20_000
"""No call that does work takes less of the server: what parsing and planning a look-up takes."""

WITHOUT_WORK = frozenset({WORKLESS_GROUP, BEGIN_GROUP})
"""Groups whose calls do no work."""


class Cell(NamedTuple):
    """A tenant's calls of a group of statements.

    Attributes:
        tenant: The tenant.
        group: The group.
        calls: How many; weighted, where the rest is.
        rest_ns: Wall time less overhead.
        noise: Its variance, in units of one call's.
        bytes_: Request and response bodies.
        kept: What else these calls have in common.
    """

    tenant: str
    group: int
    calls: float
    rest_ns: float
    noise: float
    bytes_: float = 0.0
    kept: Kept = Kept()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a segment before it is divided.

    Attributes:
        overhead: One call's.
        total_ns: What all tenants get.
        errors: Standard errors of what else was taken off.
        by_total: The total is the server's own number: groups are made to add up to it.
        works: What a call of a group works, where the server does not say what the group gets.
        groups_ns: What a group's tenants get, where it does.
        groups_errors: The error of what a group gets, as a part of it, where others run it too.
        groups_failing: The part of a group's calls that failed: the server's number has nothing of
            them, and they may have waited for long.
        tenants_ns: What the server says of a tenant at the least, with the variance of that.
    """

    overhead: Overhead
    total_ns: float
    errors: Errors = field(default_factory=Errors)
    by_total: bool = False
    works: Mapping[int, Work] = field(default_factory=dict)
    groups_ns: Mapping[int, float] | None = None
    groups_errors: Mapping[int, float] = field(default_factory=dict)
    groups_failing: Mapping[int, float] = field(default_factory=dict)
    tenants_ns: Mapping[str, tuple[float, float]] | None = None
