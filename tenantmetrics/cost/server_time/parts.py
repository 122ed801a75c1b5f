"""A cluster's hours of one method, and what each of them gets."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from tenantmetrics.cost.server_time.known import LEAST_NS
from tenantmetrics.cost.server_time.matched import Matched, match
from tenantmetrics.cost.server_time.model import Method
from tenantmetrics.cost.server_time.named import named_ns
from tenantmetrics.cost.server_time.overheads import (
    FAILED,
    WORK,
    ClusterOverhead,
    StatementKey,
    StatementSums,
    add_slope,
    cluster_overhead,
)
from tenantmetrics.cost.server_time.record import Record, Segment
from tenantmetrics.cost.server_time.server import HourKey, ServerLoad
from tenantmetrics.cost.server_time.works import Worked, residues, works
from tenantmetrics.servertime import Metered, OverheadSource, Verdict, between, metered
from tenantmetrics.servertime.load import Z

__all__ = ["Part", "estimate_parts"]

_MOST_SESSIONS = 3
"""Sessions that can work on a call at once: its own, and PostgreSQL's two parallel workers
(`max_parallel_workers_per_gather` is 2 unless set)."""
_TOO_LOW = 1.5
"""Times the server's own number that the record may say before the number is not believed: on a
busy machine, whose long statements wait, it said up to 1.3 times it."""


@dataclass(slots=True)
class Part:
    """A cluster's hours of one method.

    Attributes:
        method: Which.
        arn: The cluster.
        keys: The hours.
        segment: The sums by statement.
        overhead: What a call costs before the server does any work.
        hours: Metered and unmetered time by hour.
        matched: What pg_stat_statements says, joined.
        tenants: The server's own word by hour, then tenant; Performance Insights and
            samples of `pg_stat_activity` have it.
        load_ns: All server time by its own account; None where nothing says it.
        doubted: The server's own account where it is too far below the record to be of these calls:
            its method and its nanoseconds. The record divides then, and is the part's method.
        works: What the calls of each statement work, by fingerprint; by the record.
    """

    method: Method
    arn: str
    keys: list[HourKey]
    segment: Segment
    overhead: ClusterOverhead
    hours: dict[HourKey, Metered] = field(default_factory=dict)
    matched: Matched | None = None
    tenants: dict[HourKey, dict[str, float]] = field(default_factory=dict)
    load_ns: float | None = None
    doubted: tuple[Method, float] | None = None
    works: dict[int, Worked] = field(default_factory=dict)


def estimate_parts(
    record: Record, server: ServerLoad, methods: Mapping[HourKey, Method]
) -> list[Part]:
    """Part a period by cluster and method, and work out what each hour gets.

    Args:
        record: The table of statements.
        server: What the server says.
        methods: The method by hour and cluster.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    kinds = sorted({(arn, method) for (_, arn), method in methods.items()})
    numbers = {kind: number for number, kind in enumerate(kinds)}
    by_key = {key: numbers[key[1], method] for key, method in methods.items()}
    segments = record.segments(by_key)
    overheads: dict[str, ClusterOverhead] = {}
    for arn in {arn for arn, _ in kinds}:
        sums: dict[StatementKey, StatementSums] = {}
        for (of, _), number in numbers.items():
            for key, known in segments[number].parts.items() if of == arn else ():
                sums[key] = sums.get(key, StatementSums()).plus(known)
        overheads[arn] = cluster_overhead(sums, record.workless_hours(arn), record.drifts(arn))
        overheads[arn].unmoved = record.unmoved(arn)
        add_slope(overheads[arn], sums, None)
    parts = [
        Part(
            method,
            arn,
            sorted(key for key, of in by_key.items() if of == number),
            segments[number],
            overheads[arn],
        )
        for (arn, method), number in numbers.items()
    ]
    # Statements first: the price of a byte that they tell holds for the other hours too.
    for part in sorted(parts, key=lambda one: one.method is not Method.STATEMENTS):
        if part.method is Method.STATEMENTS:
            _by_statements(part, record, server)
        else:
            _by_record(part, record, server)
    return parts


def _by_record(part: Part, record: Record, server: ServerLoad) -> None:
    """What the record says, and where the server has a number, that one."""
    part.works = works(part.segment, part.overhead)
    rests = _residues(part, record)
    # That long statements may wait longer makes the record too high, and never the server's load.
    moved = math.fsum(count * work.moved for count, work, _ in part.works.values())
    whole = math.fsum(count for count, _, _ in part.works.values())
    error = part.overhead.whole.error_ns * moved / whole if whole else 0.0
    # Nor is anything unmetered that is ours if calls without work have the overhead of the others.
    doubt_ns = max(0.0, part.overhead.whole.mean_ns - part.overhead.workless_ns)
    if part.method is Method.DB_LOAD:
        _doubt(part, math.fsum(server.load_ns[key] for key in part.keys), whole, error)
    for key in part.keys:
        mine, calls = rests[key]
        noise = math.sqrt(calls * part.overhead.whole.variance_ns2 + (calls * error) ** 2)
        if part.method in {Method.RECORD, Method.WALL}:
            part.hours[key] = Metered(mine, 0.0, Verdict.AGREE)
            continue
        total, said = _total(part, key, record, server)
        if part.method is Method.ACTIVITY:
            # What was sampled is itself known to the root of the sessions seen.
            noise = math.hypot(noise, math.sqrt(total * server.sample_s * 1e9))
        part.load_ns = (part.load_ns or 0.0) + total
        if part.overhead.whole.source is not OverheadSource.WORKLESS:
            # The cheapest statements may work for longer than look-ups do: what the load is more
            # than the record says may be theirs, as far as anybody waited for it.
            most = max(said, min(total, _MOST_SESSIONS * float(record.hours[key].net_ns)))
            verdict = Verdict.UNMETERED if most < total else Verdict.AGREE
            part.hours[key] = Metered(most, total - most, verdict)
            continue
        found = metered(max(0.0, total - said), max(0.0, mine + calls * doubt_ns - said), noise)
        part.hours[key] = found._replace(metered_ns=found.metered_ns + said)


def _doubt(
    part: Part,
    total_ns: float,
    calls: float,
    error_ns: float,
) -> None:
    """Do not believe a number that is far below what the calls took beyond their overhead.

    It would be brought about by taking far too much off each call: what little is left goes to
    those whose calls take longest.
    """
    if part.overhead.whole.source is not OverheadSource.WORKLESS:
        return
    mine = math.fsum(
        rest.rest_ns for rest in residues(part.segment, part.overhead).values() if rest.is_plain
    )
    noise = math.sqrt(calls * part.overhead.whole.variance_ns2 + (calls * error_ns) ** 2)
    # DBLoad is known from a look a second.
    noise = math.hypot(noise, math.sqrt(max(0.0, mine) * 1e9))
    if mine > _TOO_LOW * total_ns and mine - total_ns > Z * noise:
        part.doubted, part.method = (part.method, total_ns), Method.RECORD


def _total(part: Part, key: HourKey, record: Record, server: ServerLoad) -> tuple[float, float]:
    """The server's time of an hour, and what of it is named as a tenant's."""
    if part.method in {Method.PERFORMANCE_INSIGHTS, Method.ACTIVITY}:
        sampled = part.method is Method.ACTIVITY
        tables = (server.sampled_ns,) if sampled else (server.applications_ns, server.users_ns)
        # Tenants may be applications or roles: by whichever names more of them.
        said, total, part.tenants[key] = max(
            (_named(table[key], record.tenants) for table in tables if key in table),
            key=itemgetter(0),
        )
        return total, said
    return server.load_ns[key], 0.0


def _named(
    names: Mapping[str, float], tenants: Sequence[str]
) -> tuple[float, float, dict[str, float]]:
    """What is named as a tenant's, all load, and the tenants' parts."""
    total = names.get("", 0.0) or math.fsum(names.values())
    found = named_ns(names, tenants)
    return min(total, math.fsum(found.values())), total, found


def _by_statements(part: Part, record: Record, server: ServerLoad) -> None:
    """What pg_stat_statements says of our statements, and the record of the others."""
    ran = {key: server.statements.get(key, {}) for key in part.keys}
    calls = math.fsum(record.hours[key].calls for key in part.keys)

    def failed() -> float:
        every = math.fsum(one.calls for (_, arn), one in record.hours.items() if arn == part.arn)
        return record.failed.get(part.arn, 0) * calls / max(1.0, every)

    first = match(part.segment, ran.values(), part.overhead, failed)
    doubted_ns = first.doubted_ns(part.overhead, _TOO_LOW)
    if doubted_ns is not None:
        part.doubted, part.method = (part.method, doubted_ns), Method.RECORD
        _by_record(part, record, server)
        return
    add_slope(part.overhead, part.segment.parts, _of_warm_calls(part.segment, first))
    part.matched = match(part.segment, ran.values(), part.overhead, failed)
    for key in part.keys:
        share = record.hours[key].calls / max(1.0, calls)
        mine, rest = part.matched.of_hour(ran[key], share)
        part.hours[key] = Metered(mine, rest, part.matched.verdict)
    part.load_ns = math.fsum(hour.metered_ns + hour.unmetered_ns for hour in part.hours.values())


def _of_warm_calls(segment: Segment, matched: Matched) -> dict[int, float]:
    """Server time by statement of the calls that opened no connection."""
    warm: dict[int, float] = defaultdict(float)
    for key, sums in segment.parts.items():
        if key.kind == "work":
            warm[key.fingerprint] += sums.moments.calls
    calls = {statement: sums.moments.calls for statement, sums in segment.by_statement().items()}
    found = dict.fromkeys(segment.workless(), 0.0)
    for statement, ns in matched.work_ns.items():
        found[statement] = ns * warm[statement] / calls[statement] if calls[statement] else 0.0
    return found


def _residues(part: Part, record: Record) -> dict[HourKey, tuple[float, float]]:
    """What the record alone says of each hour, drawn to the mean of all; and its calls.

    An hour of look-ups may come out below 0 by chance. It was there, though, and its capacity
    was paid for: so each hour's mean a call is drawn to the period's, and is never nothing.
    """
    over = part.overhead
    rests, calls = {}, {}
    for key in part.keys:
        rest = count = 0.0
        for (number, kind), sums in record.hours[key].parts.items():
            if kind not in WORK and kind not in FAILED:
                continue
            mean = over.of(key[0], number, cold=kind.startswith("cold"))
            rest += sums.moments.wall_ns - sums.moments.calls * mean
            rest -= sums.bytes_ * over.slope.ns_a_byte
            count += sums.moments.calls
        rests[key], calls[key] = rest, count
    whole = math.fsum(calls.values())
    # In sum, the hours are what the statements work.
    surplus = math.fsum(rests.values()) - math.fsum(
        count * work.server_ns for count, work, _ in part.works.values()
    )
    for key in part.keys if whole else ():
        rests[key] -= calls[key] / whole * surplus
    variance = over.whole.variance_ns2
    means = [(rests[key] / calls[key], variance / calls[key]) for key in part.keys if calls[key]]
    center = math.fsum(rests.values()) / whole if whole else 0.0
    spread = between(means, center)
    found = {}
    for key in part.keys:
        mean = center
        if calls[key] and spread:
            trust = spread / (spread + variance / calls[key])
            mean += trust * (rests[key] / calls[key] - center)
        found[key] = calls[key] * max(LEAST_NS, mean), calls[key]
    return found
