"""What each group of statements gets: by the server's word, or by what its calls took.

Where the server says one number for all (DBLoad), the groups are made to add up to it. What the
record has too much or too little is put down to each group by how little its own time is known: to
long statements, which a busy machine keeps waiting, and to those that may be look-ups or not,
rather than to look-ups, which lie together; to all by their calls as far as it is the overhead
itself that is not known. That is the estimate of least variance (best linear unbiased) under the
groups' errors and what they share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tenantmetrics.cost.server_time.known import LEAST_NS, WITHOUT_WORK, Cell, Known
from tenantmetrics.servertime import Work

__all__ = ["UNTOLD", "group_totals", "work_of"]

UNTOLD = 0.03
"""The part of the server's load that may be nobody's calls and yet too little to be told: that of
autovacuum, of an admin's queries. What the load is more than the record says is not all put down to
the tenants' calls, then."""

_Groups = Mapping[int, Sequence[Cell]]


def group_totals(groups: _Groups, known: Known) -> tuple[dict[int, float], dict[int, float]]:
    """Each group's server time, and what part of the sum's difference it took.

    Args:
        groups: Cells by group, one a tenant.
        known: What else is known.
    """
    if known.groups_ns is not None:
        return {group: known.groups_ns.get(group, 0.0) for group in groups}, {}
    totals = dict.fromkeys(groups, 0.0)
    for group, cells in groups.items():
        if group not in WITHOUT_WORK:
            totals[group] = _calls(cells) * work_of(group, known).server_ns
    if not known.by_total:
        return totals, {}
    return _adding_up(totals, groups, known)


def work_of(group: int, known: Known) -> Work:
    """What a call of a group works; of one that nothing is known of, next to nothing."""
    return known.works.get(group) or Work(LEAST_NS, known.overhead.mean_ns, 1.0)


def _calls(cells: Sequence[Cell]) -> float:
    return math.fsum(cell.calls for cell in cells)


def _adding_up(
    totals: Mapping[int, float], groups: _Groups, known: Known
) -> tuple[dict[int, float], dict[int, float]]:
    calls = {group: _calls(cells) for group, cells in groups.items() if group not in WITHOUT_WORK}
    moved = {group: count * work_of(group, known).moved for group, count in calls.items()}
    level_ns2 = known.overhead.error_ns**2 * math.fsum(moved.values())
    doubt = {
        group: (count * work_of(group, known).error_ns) ** 2 + moved[group] * level_ns2
        for group, count in calls.items()
    }
    found = dict(totals)
    part_ours = 1.0
    if known.total_ns > math.fsum(totals.values()):
        whole = math.fsum(doubt.values())
        strangers_ns2 = (UNTOLD * known.total_ns) ** 2
        part_ours = whole / (whole + strangers_ns2) if whole else 1.0
    open_groups = {group for group, ns2 in doubt.items() if ns2 > 0}
    parts: dict[int, float] = {}
    while open_groups:
        whole = math.fsum(doubt[group] for group in open_groups)
        parts = {group: doubt[group] / whole for group in sorted(open_groups)}
        difference = known.total_ns - math.fsum(
            totals[group] if group in open_groups else found[group] for group in found
        )
        for group, part in parts.items():
            found[group] = totals[group] + part * part_ours * difference
        # No group gets less than its calls take at the least: the others share what that leaves.
        short = {group for group in open_groups if found[group] < calls[group] * LEAST_NS}
        if not short:
            break
        for group in short:
            found[group] = calls[group] * LEAST_NS
        open_groups -= short
    return found, {group: part * part_ours for group, part in parts.items()}
