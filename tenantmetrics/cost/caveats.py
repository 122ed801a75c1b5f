"""What a reader of a statement must know: why it is a draft, and notes on its data."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from tenantmetrics.catalog import OTHER
from tenantmetrics.cost.capacity import IdleBy
from tenantmetrics.cost.list_prices import SMALLEST_ACU
from tenantmetrics.cost.server_time.model import Method, ServerTime, ServerTimeSource
from tenantmetrics.cost.statement import Period
from tenantmetrics.records import OVERFLOW
from tenantmetrics.refusals import REFUSED
from tenantmetrics.servertime.load import Z

__all__ = ["draft_reasons", "idle_words", "notes_on", "notes_on_time"]

_WORTH_SAYING = 0.02
"""The part of server time from which on it is said that it may be on the wrong line."""


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
        reasons.append(f"the capacity lacks {_hours(missing_hours)} in which there were calls")
    return tuple(reasons)


def notes_on(
    left_out: str,
    copies: int,
    losses: Mapping[str, int],
    tenants: Collection[str],
    *,
    assumed_acu: bool,
    missing_hours: int,
    is_billed: bool,
) -> tuple[str, ...]:
    """Notes on the data, the gravest first."""
    notes = []
    if left_out:
        notes.append(f"Left out, because it cannot be read: {left_out}.")
    if missing_hours:
        notes.append(
            f"{_hours(missing_hours)} with calls {'has' if missing_hours == 1 else 'have'} no "
            "measured capacity: "
            + (
                "where others have, the bill's compute falls on calls in those."
                if is_billed
                else "that compute is neither in the total nor divided."
            )
        )
    if copies:
        files = f"{copies:,} ledger file{'s' * (copies != 1)}"
        notes.append(f"Byte-for-byte copies of others count once: {files}.")
    if assumed_acu:
        notes.append(
            f"Capacity is assumed to be {SMALLEST_ACU} ACU, the smallest that does not pause, in "
            "every hour from the first call to the last: give the cluster, its capacity by the "
            "hour, or its ACU-hours for the real figure."
        )
    for reason, amount in losses.items():
        if reason.startswith(REFUSED):
            notes.append(
                f"strict refused {amount:,} calls ({reason.removeprefix(REFUSED)}): they were not "
                "sent, and are in no line."
            )
            continue
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
    return tuple(notes)


def notes_on_time(server: ServerTime | None) -> tuple[str, ...]:
    """Notes on how server time was found; none where nothing is divided by it."""
    if server is None:
        return ()
    notes = [_sentence(note) for note in server.notes]
    if (misplaced := _misplaced(server)) > _WORTH_SAYING:
        notes.append(
            f"By the intervals, some {misplaced:.0%} of the server time may be on another tenant's "
            "line than the one that caused it: calls are few for the spread of what they take "
            "beside the database. It falls with the root of the calls."
        )
    wall = next((used for used in server.methods if used.method is Method.WALL), None)
    if wall is not None:
        whose = "all" if len(server.methods) == 1 else f"{wall.hours:,} of the"
        why = "the ledger holds nothing better"
        if server.asked is ServerTimeSource.WALL:
            why = "it was asked for, and nothing else was looked at"
        notes.append(
            f"In {whose} hours server time is the wall time that clients saw, less the waits "
            f"between attempts: {why}. Most of it is HTTP, so tenants that call often are charged "
            "too much."
        )
    return tuple(notes)


def _misplaced(server: ServerTime) -> float:
    """The part that is expected on the wrong tenant: half of what shares are off by on average."""
    total = server.total_weight
    if not total:
        return 0.0
    halves = sum(tenant.weight_high - tenant.weight_low for tenant in server.tenants.values()) / 2
    return halves / Z * math.sqrt(2 / math.pi) / 2 / total


def idle_words(by: Mapping[IdleBy, int]) -> str:
    """Which measure made the idle part of compute; empty where no hours are known.

    Args:
        by: How many hours each measure told of.
    """
    words = {
        IdleBy.NO_CALLS: "{} without a call",
        IdleBy.CPU: "what the CPU did not use of {}",
        IdleBy.LOAD: (
            "what the load, in server time, left of the capacity of {} (a quarter of a session an "
            "ACU, one a vCPU)"
        ),
        IdleBy.BUSIEST: (
            "what the load, in server time, left of {} beside the busiest one, as no capacity is "
            "known"
        ),
    }
    found = [text.format(_hours(by[one])) for one, text in words.items() if by.get(one)]
    text = f"idle is {'; '.join(found)}" if found else ""
    if count := by.get(IdleBy.NOTHING):
        whole = f"of {_hours(count)} with calls nothing says how much was used: all counts as used"
        return f"{text}; {whole}" if text else whole
    return text


def _hours(count: int) -> str:
    return f"{count:,} hour{'s' * (count != 1)}"


def _sentence(text: str) -> str:
    if not text.startswith("pg_"):
        text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."
