"""What a reader must know of an estimate: where its assumptions do not hold, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from tenantmetrics.cost.server_time.model import Method
from tenantmetrics.cost.server_time.overheads import FAILED
from tenantmetrics.cost.server_time.server import ServerLoad
from tenantmetrics.cost.server_time.sql_words import FAILED_GROUP
from tenantmetrics.cost.server_time.works import residues
from tenantmetrics.servertime import (
    ENOUGH_CALLS,
    FEWEST_CALLS,
    LONG_S,
    OverheadSource,
    Verdict,
)
from tenantmetrics.servertime.load import Z
from tenantmetrics.sqltext.fingerprint import fingerprint

if TYPE_CHECKING:
    from tenantmetrics.cost.server_time.matched import Matched
    from tenantmetrics.cost.server_time.parts import Part

__all__ = ["notes_on"]

_COMMIT = fingerprint("COMMIT")
_NAMED = 3
"""Statements that did not match are named up to so many."""
_WELL_KNOWN = 0.06
"""The part of the overhead from which on an error of it is worth a note."""
_APART = 0.03
"""The part of the overhead by which calls without work take less, from which on that is noted."""
_UNMOVED = 0.2
"""The part of the calls of which it is worth a note that nothing tells how their overhead moved."""
_UNCOUNTED = 0.2
"""The part of the calls above which executions that the view lacks, or has beyond them, are worth a
note."""
_WORTH_NAMING = 0.01
"""The part of the server's time from which on what did not match is worth a note."""


def notes_on(
    parts: Sequence[Part],
    server: ServerLoad,
    summaries: Callable[[Collection[int]], dict[int, str]],
) -> Iterator[str]:
    """The notes of an estimate, a sentence each.

    Args:
        parts: What it was made of.
        server: What the server's tables say.
        summaries: Asks for the summaries of statements of the record.
    """
    for arn in sorted({part.arn for part in parts}):
        mine = [part for part in parts if part.arn == arn]
        where = f" of {arn.rpartition(':')[2]}" if len({part.arn for part in parts}) > 1 else ""
        yield from _on_overhead(mine, where)
        yield from _on_drift(mine, where)
        yield from _on_load(mine, where)
        yield from _on_doubt(mine, where)
        for part in mine:
            if part.matched is not None:
                yield from _on_strangers(part, server, where)
                yield from _on_missing(part, summaries, where)
                yield from _on_counts(part, part.matched, where)
                yield from _on_failed(part, where)
    for arn, gaps in sorted(server.gaps.items()):
        words = {
            "missing": "snapshots are missing, so time is right in sum and not by the hour",
            "reset": "the statistics were reset, so what ran before is not in them",
            "restart": "the server restarted, so what ran before is not in them",
            "evicted": "statements were pushed out of the view, so their time is a lower bound",
        }
        said = [words[gap] for gap in sorted(gaps) if gap in words]
        if said and any(part.arn == arn and part.matched is not None for part in parts):
            yield f"pg_stat_statements of {arn.rpartition(':')[2]}: {'; '.join(said)}"


def _on_overhead(parts: Sequence[Part], where: str) -> Iterator[str]:
    if all(part.method in {Method.STATEMENTS, Method.WALL} for part in parts):
        return
    over = parts[0].overhead
    ms = over.whole.mean_ns / 1e6
    error_ms = over.whole.error_ns / 1e6
    if over.whole.source is OverheadSource.STATEMENTS:
        yield (
            f"server time{where}: no calls without work (BEGIN, set_config, SELECT 1), so a call's "
            f"overhead of {ms:.1f} ms, known to {error_ms:.1f} ms, is what the cheapest "
            "statements have in common; the server's own numbers would tell it"
        )
    elif over.whole.source is OverheadSource.FEW_WORKLESS:
        yield (
            f"server time{where}: fewer than {ENOUGH_CALLS} calls without work, so a call's "
            f"overhead of {ms:.1f} ms is known to {error_ms:.1f} ms only"
        )
    elif over.workless_ns and ms - over.workless_ns / 1e6 > _APART * ms:
        yield (
            f"server time{where}: calls without work take {over.workless_ns / 1e6:.1f} ms, less "
            "than the cheapest statements do; those may be look-ups or work for so long, so a "
            f"call's overhead of {ms:.1f} ms is known to {error_ms:.1f} ms only; the "
            "server's own numbers would tell it"
        )
    elif over.whole.error_ns > _WELL_KNOWN * over.whole.mean_ns:
        yield (
            f"server time{where}: calls without work are few, so a call's overhead of {ms:.1f} ms "
            f"is known to {error_ms:.1f} ms only; the server's own numbers would tell it"
        )
    if over.slope.is_bound and over.slope.ns_a_byte:
        yield (
            f"server time{where}: large answers cost up to {over.slope.ns_a_byte:.0f} ns a byte on "
            "their way, an upper bound; the server's own numbers would tell it"
        )


def _on_drift(parts: Sequence[Part], where: str) -> Iterator[str]:
    over = parts[0].overhead
    if (
        over.whole.source in {OverheadSource.WORKLESS, OverheadSource.FEW_WORKLESS}
        and over.unmoved > _UNMOVED
        and any(part.method is not Method.WALL for part in parts)
    ):
        yield (
            f"server time{where}: {over.unmoved:.0%} of the calls are of hours with fewer than "
            f"{FEWEST_CALLS} calls without work in {LONG_S // 60} minutes, too few to tell how a "
            "call's overhead moved within the hour: it is taken for the same all hour long"
        )


def _on_load(parts: Sequence[Part], where: str) -> Iterator[str]:
    below = sum(
        hour.verdict is Verdict.BELOW
        for part in parts
        if part.matched is None
        for hour in part.hours.values()
    )
    if below:
        yield (
            f"server time{where}: in {below} hour{'s' * (below > 1)} the server's load is below "
            "what the metered calls seem to have caused: it may be of another cluster or period, "
            "or calls without work may be quicker than others"
        )


def _on_doubt(parts: Sequence[Part], where: str) -> Iterator[str]:
    for part in parts:
        if part.doubted is not None:
            method, ns = part.doubted
            mine = math.fsum(hour.metered_ns for hour in part.hours.values())
            yield (
                f"server time{where}: by {method} the server worked for "
                f"{ns / 1e9:,.1f} s, and the metered calls took {mine / 1e9:,.1f} s "
                "beyond their overhead: it is of another cluster, instance or period, and was not "
                "used; the record divides"
            )


def _on_strangers(part: Part, server: ServerLoad, where: str) -> Iterator[str]:
    matched, load = part.matched, part.load_ns or 0.0
    if matched is None or not load:
        return
    joined = matched.matched_ns / load
    strangers = [stranger for stranger in matched.strangers if stranger[1] >= _WORTH_NAMING * load]
    if strangers:
        names = ", ".join(
            f"{server.summaries.get(statement) or 'a statement'} ({ns / load:.1%})"
            for statement, ns in strangers[:_NAMED]
        )
        yield (
            f"pg_stat_statements{where}: {joined:.1%} of its time is of statements that were "
            f"metered; the largest others: {names}"
        )


def _on_counts(part: Part, matched: Matched, where: str) -> Iterator[str]:
    """Where the view's counts do not go with ours."""
    calls = math.fsum(sums.moments.calls for sums in part.segment.by_statement().values())
    if matched.uncounted > _UNCOUNTED * calls:
        yield (
            f"pg_stat_statements{where} has {matched.uncounted:,.0f} executions fewer than there "
            "were calls of the same statements: calls failed, or its statistics are of another "
            "cluster or of part of the time; what calls took says how many were executed"
        )
    if matched.beyond > _UNCOUNTED * calls:
        yield (
            f"pg_stat_statements{where} has {matched.beyond:,.0f} executions more than there were "
            "calls of the same statements: clients that are not metered run them too, or its "
            "statistics are of another cluster or of more than the period; what those executions "
            "took is unmetered"
        )
    if matched.too_long > _WORTH_NAMING * calls:
        yield (
            f"pg_stat_statements{where} says more time of some statements than their "
            f"{matched.too_long:,.0f} calls took: it is of another cluster or period, or others "
            "run them too; what is beyond the calls' own time is unmetered"
        )


def _on_failed(part: Part, where: str) -> Iterator[str]:
    """Where calls that failed worked for longer than chance explains."""
    failed = residues(part.segment, part.overhead, FAILED).get(FAILED_GROUP)
    if failed is None or not part.load_ns:
        return
    over = part.overhead.whole
    noise = math.sqrt(failed.calls * over.variance_ns2 + (failed.calls * over.error_ns) ** 2)
    if failed.rest_ns - Z * noise >= _WORTH_NAMING * part.load_ns:
        yield (
            f"pg_stat_statements{where} has nothing of statements that failed: the "
            f"{failed.calls:,.0f} calls that did took {failed.rest_ns / 1e9:,.1f} s beyond their "
            "overhead, which nobody is charged for; DBLoad has it"
        )


def _on_missing(
    part: Part, summaries: Callable[[Collection[int]], dict[int, str]], where: str
) -> Iterator[str]:
    matched = part.matched
    if matched is None:
        return
    calls = math.fsum(sums.moments.calls for sums in part.segment.by_statement().values())
    missing: dict[int, float] = {}
    for statement, count in matched.missing:
        missing[statement] = missing.get(statement, 0.0) + count
    if 0 in missing and not summaries([0]).get(0):
        # Operations without a text, of a writer that did not yet call them COMMIT.
        del missing[0]
    unseen = math.fsum(missing.values())
    if calls and unseen >= _WORTH_NAMING * calls:
        order = sorted(missing.items(), key=lambda item: (-item[1], item[0]))[:_NAMED]
        known = {_COMMIT: "COMMIT"} | summaries(
            [statement for statement, _ in order if statement != _COMMIT]
        )
        names = ", ".join(
            f"{known.get(statement) or 'without a text'} ({count:,.0f} calls)"
            for statement, count in order
        )
        yield (
            f"pg_stat_statements{where} does not show statements of {unseen / calls:.1%} of the "
            f"metered calls: {names}"
        )
    if matched.verdict is Verdict.BELOW:
        yield (
            f"pg_stat_statements{where} does not show all that the metered calls did: "
            f"{matched.beyond_ns / 1e9:.1f} s of statements that it lacks are by the record"
        )
