"""What a reader of a statement must know: why it is a draft, and notes on its data."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tenantmetrics.catalog import OTHER
from tenantmetrics.cost.list_prices import SMALLEST_ACU
from tenantmetrics.records import OVERFLOW
from tenantmetrics.statement import Period

__all__ = ["draft_reasons", "notes_on"]


def draft_reasons(
    period: Period, now_s: float, left_out: str, missing_hours: int
) -> tuple[str, ...]:
    """Why a statement is not final; empty for a final one."""
    reasons = []
    if now_s < period.end_s:
        reasons.append("the month is not over")
    if left_out:
        reasons.append("usage that cannot be read was left out")
    if missing_hours:
        reasons.append(f"the capacity lacks {missing_hours} hours in which there were calls")
    return tuple(reasons)


def notes_on(
    left_out: str,
    copies: int,
    losses: Mapping[str, int],
    tenants: Collection[str],
    *,
    assumed_acu: bool,
    missing_hours: int,
) -> tuple[str, ...]:
    """Notes on the data, the gravest first."""
    notes = []
    if left_out:
        notes.append(f"Left out, because it cannot be read: {left_out}.")
    if missing_hours:
        notes.append(
            f"{missing_hours} hours with calls have no measured capacity: their compute is "
            "neither in the total nor divided."
        )
    if copies:
        notes.append(f"{copies} ledger files were copies of others and counted once.")
    if assumed_acu:
        notes.append(
            f"Capacity is assumed to be {SMALLEST_ACU} ACU, the smallest that does not pause, in "
            "every hour from the first call to the last; --cluster, --capacity, --acu or "
            "--acu-hours gives the real figure."
        )
    for reason, amount in losses.items():
        notes.append(f"Writers lost {amount:,} ({reason}): see stats() and the health metrics.")
    if OVERFLOW in tenants:
        notes.append(
            f"{OVERFLOW} holds tenants beyond a cap on series, their sums but not their names."
        )
    if OTHER in tenants:
        notes.append(
            f"{OTHER} holds tenants beyond max_metric_tenants, window by window: one with a line "
            "of its own may have part of its usage there. A ledger keeps them apart."
        )
    notes.append("Database time is wall time seen by the client; the Data API reports no other.")
    return tuple(notes)
