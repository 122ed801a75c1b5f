"""Which statements are divided one by one, and what is known of each group of them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from tenantmetrics.cost.server_time.known import Errors, Known
from tenantmetrics.cost.server_time.matched import MOST_MATCHED, Matched
from tenantmetrics.cost.server_time.model import Method
from tenantmetrics.cost.server_time.parts import Part
from tenantmetrics.cost.server_time.record import Record
from tenantmetrics.cost.server_time.server import ServerLoad
from tenantmetrics.cost.server_time.sql_words import FAILED_GROUP, REST_GROUP, WORKLESS_GROUP
from tenantmetrics.cost.server_time.works import by_group
from tenantmetrics.servertime import Verdict

__all__ = ["FEWEST_GROUPS", "groups_of", "known_of"]

_MOST_CELLS = 200_000
"""Tenants times statements that are divided one by one: some seconds in Python."""
FEWEST_GROUPS = 20
"""However many tenants there are."""


def groups_of(parts: Sequence[Part], tenants: int) -> dict[int, int]:
    """The statements that are divided one by one: those that took most of the clients' time.

    Args:
        parts: The period.
        tenants: How many tenants there are.

    Returns:
        The group's number by fingerprint; 0 for those that the server knows and that are one group.
    """
    most = min(MOST_MATCHED, max(FEWEST_GROUPS, _MOST_CELLS // max(1, tenants)))
    walls: dict[int, float] = defaultdict(float)
    matched: set[int] = set()
    for part in parts:
        for statement, sums in part.segment.by_statement().items():
            walls[statement] += sums.moments.wall_ns
        matched |= set(part.matched.work_ns) if part.matched is not None else set()
    missing = {
        statement
        for part in parts
        for statement, _ in (part.matched.missing if part.matched is not None else ())
    }
    # Ours that no view shows are one group, because their time is known as one; so are those of few
    # calls that no view tells.
    worked = [item for part in parts for item in part.works.items()]
    told = {statement for statement, work in worked if not work.together}
    missing |= {statement for statement, _ in worked} - told
    walls = {key: wall for key, wall in walls.items() if key in matched or key not in missing}
    order = sorted(walls, key=lambda statement: (-walls[statement], statement))
    groups = {statement: number for number, statement in enumerate(order[:most], 1)}
    return groups | {
        statement: 0 for statement in order[most : most + MOST_MATCHED] if statement in matched
    }


def known_of(
    part: Part,
    weights: Mapping[int, float],
    numbers: Mapping[int, int],
    record: Record,
    server: ServerLoad,
) -> Known:
    """All that is known of a part before it is divided.

    Args:
        part: A cluster's hours of one method.
        weights: What a nanosecond of each hour weighs.
        numbers: The groups of its statements.
        record: The table of statements.
        server: What the server says.
    """
    over = part.overhead
    total = math.fsum(
        hour_of.metered_ns * weights[hour] for (hour, _), hour_of in part.hours.items()
    )
    errors = Errors(over.offset_errors, over.cold_error, over.slope.error)
    if part.matched is not None:
        groups = _group_totals(part, part.matched, weights, numbers, record=record, server=server)
        unsure = {
            numbers[statement]: error / part.matched.factors[statement]
            for statement, error in part.matched.errors.items()
            if numbers.get(statement) and part.matched.factors[statement]
        }
        return Known(
            over.whole,
            total,
            errors=errors,
            groups_ns=groups,
            groups_errors=unsure,
            groups_failing={
                numbers[statement]: part_of
                for statement, part_of in part.matched.failing.items()
                if numbers.get(statement)
            },
        )
    said: dict[str, tuple[float, float]] = {}
    for (hour, _), names in part.tenants.items():
        for tenant, ns in names.items():
            known, variance = said.get(tenant, (0.0, 0.0))
            weight = weights[hour]
            # A session that is seen stands for the time to the next sample, give or take its
            # root. Performance Insights looks every second.
            apart_ns = 1e9
            if part.method is Method.ACTIVITY:
                apart_ns *= server.sample_s
            said[tenant] = known + ns * weight, variance + ns * apart_ns * weight * weight
    unmetered = any(hour_of.verdict is Verdict.UNMETERED for hour_of in part.hours.values())
    by_total = part.method is Method.DB_LOAD and not unmetered
    return Known(
        over.whole,
        total,
        errors=errors,
        by_total=by_total,
        works=by_group(part.works, {**numbers, FAILED_GROUP: FAILED_GROUP}, REST_GROUP),
        tenants_ns=said,
    )


def _group_totals(
    part: Part,
    matched: Matched,
    weights: Mapping[int, float],
    numbers: Mapping[int, int],
    *,
    record: Record,
    server: ServerLoad,
) -> dict[int, float]:
    totals: dict[int, float] = defaultdict(float)
    calls = math.fsum(record.hours[key].calls for key in part.keys)
    for key in part.keys:
        weight = weights[key[0]]
        share = record.hours[key].calls / max(1.0, calls)
        if matched.beyond_ns:
            totals[REST_GROUP] += matched.beyond_ns * share * weight
        for statement, ran in server.statements.get(key, {}).items():
            factor = matched.factors.get(statement)
            beyond = ran.ns * max(0.0, 1 - (factor or 0.0)) * weight * matched.rest_factor
            if beyond:
                totals[REST_GROUP] += beyond
            if factor is None:
                continue
            work = statement in matched.work_ns
            group = numbers.get(statement, 0) if work else WORKLESS_GROUP
            totals[group] += ran.ns * factor * weight
    return totals
