"""The estimate of a period, by the best method that each hour and cluster have."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tenantmetrics.cost.engines import OpenLedger
from tenantmetrics.cost.server_time import sql
from tenantmetrics.cost.server_time.division import LEAST_NS, Cell, Known, divided
from tenantmetrics.cost.server_time.matched import MOST_MATCHED, Matched, match
from tenantmetrics.cost.server_time.model import (
    HourServerTime,
    Method,
    MethodCoverage,
    TenantServerTime,
)
from tenantmetrics.cost.server_time.named import named_ns
from tenantmetrics.cost.server_time.notes import notes_on
from tenantmetrics.cost.server_time.overheads import (
    WORK,
    ClusterOverhead,
    StatementSums,
    add_slope,
    cluster_overhead,
)
from tenantmetrics.cost.server_time.record import Record, Segment
from tenantmetrics.cost.server_time.server import HourKey, ServerLoad
from tenantmetrics.cost.server_time.wall import of_usage
from tenantmetrics.cost.statement import Period
from tenantmetrics.cost.usage import HourUsage, TenantUsage
from tenantmetrics.servertime import Metered, OverheadSource, Verdict, intervals, metered
from tenantmetrics.servertime.overhead import between

__all__ = ["Part", "ServerTimeEstimate"]

_MOST_CELLS = 200_000
"""Tenants times statements that are divided one by one: some seconds in Python."""
_FEWEST_GROUPS = 20


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
        tenants: The server's own word by hour, then tenant; Performance Insights has it.
        load_ns: All server time by its own account; None where nothing says it.
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


class ServerTimeEstimate:
    """As `model.Estimate`.

    Args:
        ledger: The opened period.
        period: Which.
        usage: Usage by hour since the epoch.
        record: The table of statements in the period.
        server: What the server says of it.
        methods: The method by hour and cluster.
        more: Notes on how the methods were chosen.

    Raises:
        LedgerError: The ledger cannot be read.
    """

    def __init__(
        self,
        ledger: OpenLedger,
        period: Period,
        *,
        usage: Mapping[int, HourUsage],
        record: Record,
        server: ServerLoad,
        methods: Mapping[HourKey, Method],
        more: Sequence[str] = (),
    ) -> None:
        self._ledger = ledger
        self._period = period
        self._usage = usage
        self._record = record
        self._server = server
        self._more = tuple(more)
        self._numbers: dict[int, int] = {}
        self.parts = self._parts(methods)
        for part in self.parts:
            self._estimate(part)
        self.usage_hours = frozenset(usage) - {hour for hour, _ in methods}
        self.hours = self._hours()

    def _parts(self, methods: Mapping[HourKey, Method]) -> list[Part]:
        kinds = sorted({(arn, method) for (_, arn), method in methods.items()})
        numbers = {kind: number for number, kind in enumerate(kinds)}
        by_key = {key: numbers[key[1], method] for key, method in methods.items()}
        segments = self._record.segments(by_key)
        overheads = {}
        for arn in {arn for arn, _ in kinds}:
            sums: dict[object, StatementSums] = {}
            for (of, _), number in numbers.items():
                for key, one in segments[number].parts.items() if of == arn else ():
                    sums[key] = sums.get(key, StatementSums()).plus(one)
            overheads[arn] = cluster_overhead(sums, self._record.workless_hours(arn))  # type: ignore[arg-type]
            add_slope(overheads[arn], sums, None)  # type: ignore[arg-type]
        return [
            Part(
                method,
                arn,
                sorted(key for key, of in by_key.items() if of == number),
                segments[number],
                overheads[arn],
            )
            for (arn, method), number in numbers.items()
        ]

    def _estimate(self, part: Part) -> None:
        """Work out what each of a part's hours gets."""
        if part.method is Method.STATEMENTS:
            self._by_statements(part)
            return
        records = self._residues(part)
        error = part.overhead.error_ns
        for key in part.keys:
            record, calls = records[key]
            noise = math.sqrt(calls * part.overhead.whole.variance_ns2 + (calls * error) ** 2)
            if part.method is Method.RECORD or part.method is Method.WALL:
                part.hours[key] = Metered(record, 0.0, Verdict.AGREE)
                continue
            total, said = self._total(part, key)
            part.load_ns = (part.load_ns or 0.0) + total
            rest = max(0.0, total - said)
            if part.overhead.whole.source is not OverheadSource.WORKLESS:
                # The overhead is no more than a bound, so nothing can be said to be unmetered.
                part.hours[key] = Metered(total, 0.0, Verdict.AGREE)
                continue
            found = metered(rest, max(0.0, record - said), noise)
            part.hours[key] = found._replace(metered_ns=found.metered_ns + said)

    def _total(self, part: Part, key: HourKey) -> tuple[float, float]:
        """The server's time of an hour, and what of it is named as a tenant's."""
        if part.method is Method.PERFORMANCE_INSIGHTS:
            names = self._server.applications_ns[key]
            part.tenants[key] = named_ns(names, self._record.tenants())
            total = names.get("", 0.0) or math.fsum(names.values())
            return total, min(total, math.fsum(part.tenants[key].values()))
        if key in self._server.load_ns:
            return self._server.load_ns[key], 0.0
        return self._server.sampled_ns[key].get("", 0.0), 0.0

    def _by_statements(self, part: Part) -> None:
        ran = {key: self._server.statements.get(key, {}) for key in part.keys}
        first = match(part.segment, ran.values(), part.overhead)
        server_ns = dict(first.work_ns)
        whole = part.segment.by_statement()
        for statement, one in whole.items():
            if statement in server_ns:
                warm = math.fsum(
                    known.moments.calls
                    for key, known in part.segment.parts.items()
                    if key.fingerprint == statement and key.kind == "work"
                )
                server_ns[statement] *= warm / one.moments.calls if one.moments.calls else 0.0
        for statement in part.segment.workless():
            server_ns.setdefault(statement, 0.0)
        add_slope(part.overhead, part.segment.parts, server_ns)
        part.matched = match(part.segment, ran.values(), part.overhead)
        calls = math.fsum(self._record.hours[key].calls for key in part.keys)
        for key in part.keys:
            share = self._record.hours[key].calls / max(1.0, calls)
            mine, rest = part.matched.of_hour(ran[key], share)
            part.hours[key] = Metered(mine, rest, part.matched.verdict)
        part.load_ns = math.fsum(one.metered_ns + one.unmetered_ns for one in part.hours.values())

    def _residues(self, part: Part) -> dict[HourKey, tuple[float, float]]:
        """What the record alone says of each hour, drawn to the mean of all; and its calls.

        An hour of look-ups may come out below 0 by chance. It was there, though, and its capacity
        was paid for: so each hour's mean a call is drawn to the period's, and is never nothing.
        """
        over = part.overhead
        rests, calls = {}, {}
        for key in part.keys:
            rest = count = 0.0
            for (number, kind), one in self._record.hours[key].parts.items():
                if kind not in WORK:
                    continue
                mean = over.of(key[0], number, cold=kind.startswith("cold"))
                rest += one.moments.wall_ns - one.moments.calls * mean
                rest -= one.bytes_ * over.slope.ns_a_byte
                count += one.moments.calls
            rests[key], calls[key] = rest, count
        variance = over.whole.variance_ns2
        means = [
            (rests[key] / calls[key], variance / calls[key]) for key in part.keys if calls[key]
        ]
        whole = math.fsum(calls.values())
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

    def _hours(self) -> dict[int, HourServerTime]:
        mine: dict[int, float] = defaultdict(float)
        rest: dict[int, float] = defaultdict(float)
        for part in self.parts:
            for (hour, _), one in part.hours.items():
                mine[hour] += one.metered_ns
                rest[hour] += one.unmetered_ns
        for hour in self.usage_hours:
            mine[hour] += self._usage[hour].net_ns
        return {hour: HourServerTime(round(mine[hour]), round(rest[hour])) for hour in sorted(mine)}

    @property
    def methods(self) -> tuple[MethodCoverage, ...]:
        """What each method was used for, the best first."""
        found = []
        for method in Method:
            parts = [part for part in self.parts if part.method is method]
            hours = {hour for part in parts for hour, _ in part.keys}
            records = [self._record.hours[key] for part in parts for key in part.keys]
            calls = sum(int(one.calls) for one in records)
            wall = sum(int(one.net_ns) for one in records)
            mine = math.fsum(one.metered_ns for part in parts for one in part.hours.values())
            if method is Method.WALL:
                hours |= self.usage_hours
                calls += sum(self._usage[hour].calls for hour in self.usage_hours)
                wall += sum(self._usage[hour].duration_ns for hour in self.usage_hours)
                mine += sum(self._usage[hour].net_ns for hour in self.usage_hours)
            if not hours:
                continue
            loads = [part.load_ns for part in parts if part.load_ns is not None]
            joined = [part.matched.matched_ns for part in parts if part.matched is not None]
            found.append(
                MethodCoverage(
                    method=method,
                    hours=len(hours),
                    calls=calls,
                    wall_ns=wall,
                    metered_ns=round(mine),
                    load_ns=round(math.fsum(loads)) if loads else None,
                    matched_ns=round(math.fsum(joined)) if joined else None,
                )
            )
        return tuple(found)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        return (*self._more, *notes_on(self.parts, self._server, self._record.summaries))

    def tenants(
        self, factors: Mapping[int, float], usage: Sequence[TenantUsage]
    ) -> Mapping[str, TenantServerTime]:
        """As `Estimate.tenants`."""
        found = of_usage(usage) if self.usage_hours else {}
        largest = max((factors.get(hour, 0.0) for hour in self.hours), default=0.0) or 1.0
        weights = {hour: factors.get(hour, 0.0) / largest for hour in self.hours}
        self._numbers = self._groups(len(usage))
        plain: dict[int, list[Cell]] = defaultdict(list)
        weighted: dict[int, list[Cell]] = defaultdict(list)
        for number, tenant, group, *sums in self._cells(weights):
            calls, rest, noise, wcalls, wrest, wnoise = (int(str(one)) for one in sums)
            key = int(str(number))
            plain[key].append(
                Cell(str(tenant), int(str(group)), calls, rest, noise / sql.NOISE_SCALE)
            )
            weighted[key].append(
                Cell(
                    str(tenant),
                    int(str(group)),
                    wcalls / sql.CALLS_SCALE,
                    wrest,
                    wnoise / sql.NOISE_SCALE,
                )
            )
        ones = dict.fromkeys(self.hours, 1.0)
        amounts: dict[str, list[float]] = defaultdict(lambda: [0.0] * 4)
        for number, part in enumerate(self.parts):
            server, _ = divided(plain[number], self._known(part, ones))
            weighed, error = divided(weighted[number], self._known(part, weights))
            bounds = intervals(list(weighed.values()), error)
            for tenant, one in server.items():
                amounts[tenant][0] += one.server_ns
            for (tenant, one), (low, high) in zip(weighed.items(), bounds, strict=True):
                amounts[tenant][1] += one.server_ns
                # Parts of a period err apart, so their half widths add up as squares do.
                amounts[tenant][2] += (one.server_ns - low) ** 2
                amounts[tenant][3] += (high - one.server_ns) ** 2
        return _merged(found, amounts, largest)

    def _cells(self, weights: Mapping[int, float]) -> list[tuple[object, ...]]:
        clusters = {arn: number for number, arn in enumerate(self._record.clusters)}
        of_cluster: dict[str, sql.OfCluster] = {}
        of_hour: dict[tuple[int, int], sql.OfHour] = {}
        offsets: dict[tuple[int, str], tuple[int, float]] = {}
        for number, part in enumerate(self.parts):
            over, cluster = part.overhead, clusters[part.arn]
            of_cluster[part.arn] = sql.OfCluster(
                cluster, round(over.cold_ns), over.slope.ns_a_byte, over.cold_noise
            )
            for key in part.keys:
                mean = round(over.of(key[0], -1, cold=False))
                of_hour[key[0], cluster] = sql.OfHour(number, mean, weights[key[0]])
            for writer, one in self._record.classes.items():
                if one in over.offsets or one in over.noises:
                    more = round(over.offsets.get(one, 0.0))
                    offsets[cluster, writer] = more, over.noises.get(one, 1.0)
        if not of_hour:
            return []
        return self._ledger.rows(
            sql.cells(self._period, of_cluster, of_hour, offsets, self._numbers)
        )

    def _groups(self, tenants: int) -> dict[int, int]:
        """The statements that are divided one by one: those that took most of the clients' time."""
        most = min(MOST_MATCHED, max(_FEWEST_GROUPS, _MOST_CELLS // max(1, tenants)))
        walls: dict[int, float] = defaultdict(float)
        matched: set[int] = set()
        for part in self.parts:
            for statement, one in part.segment.by_statement().items():
                walls[statement] += one.moments.wall_ns
            matched |= set(part.matched.work_ns) if part.matched is not None else set()
        missing = {
            statement
            for part in self.parts
            for statement, _ in (part.matched.missing if part.matched is not None else ())
        }
        # Ours that no view shows are one group, because their time is known as one.
        walls = {key: wall for key, wall in walls.items() if key in matched or key not in missing}
        order = sorted(walls, key=lambda statement: (-walls[statement], statement))
        groups = {statement: number for number, statement in enumerate(order[:most], 1)}
        return groups | {one: 0 for one in order[most : most + MOST_MATCHED] if one in matched}

    def _known(self, part: Part, weights: Mapping[int, float]) -> Known:
        over = part.overhead
        total = math.fsum(one.metered_ns * weights[hour] for (hour, _), one in part.hours.items())
        if part.matched is not None:
            groups = self._group_totals(part, part.matched, weights)
            return Known(over.whole.variance_ns2, over.error_ns, total, groups_ns=groups)
        said: dict[str, tuple[float, float]] = {}
        for (hour, _), names in part.tenants.items():
            for tenant, ns in names.items():
                known, variance = said.get(tenant, (0.0, 0.0))
                weight = weights[hour]
                # A sample a second: a session seen stands for a second, give or take its root.
                said[tenant] = known + ns * weight, variance + ns * 1e9 * weight * weight
        unmetered = any(one.verdict is Verdict.UNMETERED for one in part.hours.values())
        by_total = part.method is Method.DB_LOAD and not unmetered
        return Known(
            over.whole.variance_ns2, over.error_ns, total, by_total=by_total, tenants_ns=said
        )

    def _group_totals(
        self, part: Part, matched: Matched, weights: Mapping[int, float]
    ) -> dict[int, float]:
        totals: dict[int, float] = defaultdict(float)
        calls = math.fsum(self._record.hours[key].calls for key in part.keys)
        for key in part.keys:
            weight = weights[key[0]]
            share = self._record.hours[key].calls / max(1.0, calls)
            if matched.beyond_ns:
                totals[sql.REST_GROUP] += matched.beyond_ns * share * weight
            for statement, ran in self._server.statements.get(key, {}).items():
                factor = matched.factors.get(statement)
                beyond = ran.ns * max(0.0, 1 - (factor or 0.0)) * weight * matched.rest_factor
                if beyond:
                    totals[sql.REST_GROUP] += beyond
                if factor is None:
                    continue
                work = statement in matched.work_ns
                group = self._numbers.get(statement, 0) if work else sql.WORKLESS_GROUP
                totals[group] += ran.ns * factor * weight
        return totals


def _merged(
    found: Mapping[str, TenantServerTime], amounts: Mapping[str, Sequence[float]], largest: float
) -> dict[str, TenantServerTime]:
    merged = dict(found)
    for tenant, (server_ns, weight, low2, high2) in sorted(amounts.items()):
        known = merged.get(tenant, TenantServerTime(tenant, 0, 0, 0, 0))
        low = max(0.0, weight - math.sqrt(low2)) * largest
        high = (weight + math.sqrt(high2)) * largest
        merged[tenant] = TenantServerTime(
            tenant,
            known.server_ns + round(server_ns),
            known.weight + round(weight * largest),
            known.weight_low + round(low),
            known.weight_high + round(high),
        )
    return merged
