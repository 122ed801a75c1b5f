"""The estimate of a period, by the best method that each hour and cluster have."""

from __future__ import annotations

import gc
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tenantmetrics.cost.engines import OpenLedger
from tenantmetrics.cost.server_time import sql_cells, sql_factors
from tenantmetrics.cost.server_time.division import divided
from tenantmetrics.cost.server_time.grouping import FEWEST_GROUPS, groups_of, known_of
from tenantmetrics.cost.server_time.known import Cell, Kept
from tenantmetrics.cost.server_time.model import (
    HourServerTime,
    Method,
    MethodCoverage,
    TenantServerTime,
)
from tenantmetrics.cost.server_time.notes import notes_on
from tenantmetrics.cost.server_time.overheads import FAILED, WORK, ClusterOverhead
from tenantmetrics.cost.server_time.parts import estimate_parts
from tenantmetrics.cost.server_time.record import Record
from tenantmetrics.cost.server_time.server import HourKey, ServerLoad
from tenantmetrics.cost.server_time.sql_words import workless_group
from tenantmetrics.cost.server_time.wall import of_usage
from tenantmetrics.cost.statement import Period
from tenantmetrics.cost.usage import HourUsage, TenantUsage
from tenantmetrics.servertime import Drift, intervals

__all__ = ["ServerTimeEstimate"]

_MOST_KEPT_APART = 5_000_000
"""Calls up to which writers and cold calls are looked at tenant by tenant: of more, what the errors
of their overheads move is less than a thousandth, and the sums would be millions of rows."""


class ServerTimeEstimate:
    """As `model.Estimate`.

    Args:
        ledger: The opened period.
        period: Which.
        usage: Usage by hour since the epoch.
        record: The table of statements in the period.
        server: What the server says of it.
        methods: The method by hour and cluster.
        quiet: Load of hours without a metered call, nanoseconds by hour.
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
        quiet: Mapping[int, float],
        more: Sequence[str] = (),
    ) -> None:
        self._ledger = ledger
        self._period = period
        self._usage = usage
        self._record = record
        self._server = server
        self._quiet = quiet
        self._more = tuple(more)
        self._numbers: dict[int, int] = {}
        self.parts = estimate_parts(record, server, methods)
        self.usage_hours = frozenset(usage) - {hour for hour, _ in methods}
        self.hours = self._hours()
        waited = {key[0] for part in self.parts if part.method is Method.WALL for key in part.keys}
        self.told_hours = frozenset(self.hours) - self.usage_hours - waited

    def _hours(self) -> dict[int, HourServerTime]:
        mine: dict[int, float] = defaultdict(float)
        rest: dict[int, float] = defaultdict(float)
        for part in self.parts:
            for (hour, _), hour_of in part.hours.items():
                mine[hour] += hour_of.metered_ns
                rest[hour] += hour_of.unmetered_ns
        for hour in self.usage_hours:
            mine[hour] += self._usage[hour].net_ns
        for hour, ns in self._quiet.items():
            rest[hour] += ns
        return {
            hour: HourServerTime(round(mine[hour]), round(rest[hour]))
            for hour in sorted({*mine, *rest})
        }

    @property
    def methods(self) -> tuple[MethodCoverage, ...]:
        """What each method was used for, the best first."""
        found = []
        for method in Method:
            parts = [part for part in self.parts if part.method is method]
            hours = {hour for part in parts for hour, _ in part.keys}
            records = [self._record.hours[key] for part in parts for key in part.keys]
            calls = sum(int(record.calls) for record in records)
            wall = sum(int(record.net_ns) for record in records)
            mine = math.fsum(
                hour_of.metered_ns for part in parts for hour_of in part.hours.values()
            )
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
        # A hundred thousand tuples, none in a cycle: looked at by the collector again and again,
        # they would take a third more time.
        collects = gc.isenabled()
        gc.disable()
        try:
            return self._tenants(factors, usage)
        finally:
            if collects:
                gc.enable()

    def _tenants(
        self, factors: Mapping[int, float], usage: Sequence[TenantUsage]
    ) -> Mapping[str, TenantServerTime]:
        found = of_usage(usage) if self.usage_hours else {}
        largest = max((factors.get(hour, 0.0) for hour in self.hours), default=0.0) or 1.0
        weights = {hour: factors.get(hour, 0.0) / largest for hour in self.hours}
        self._numbers = groups_of(self.parts, len(usage))
        plain, weighted = self._sums(weights)
        ones = dict.fromkeys(self.hours, 1.0)
        amounts: dict[str, list[float]] = defaultdict(lambda: [0.0] * 4)
        for number, part in enumerate(self.parts):
            known = [
                known_of(part, of_hours, self._numbers, self._record, self._server)
                for of_hours in (ones, weights)
            ]
            server = divided(plain[number], known[0], with_errors=False).tenants
            shares = divided(weighted[number], known[1])
            weighed = shares.tenants
            bounds = intervals(list(weighed.values()), shares.common)
            for tenant, estimate in server.items():
                amounts[tenant][0] += estimate.server_ns
            for (tenant, estimate), (low, high) in zip(weighed.items(), bounds, strict=True):
                amounts[tenant][1] += estimate.server_ns
                # Parts of a period err apart, so their half widths add up as squares do.
                amounts[tenant][2] += (estimate.server_ns - low) ** 2
                amounts[tenant][3] += (high - estimate.server_ns) ** 2
        return _merged(found, amounts, largest)

    def _sums(
        self, weights: Mapping[int, float]
    ) -> tuple[dict[int, list[Cell]], dict[int, list[Cell]]]:
        """The cells by segment: as they are, and weighted."""
        plain: dict[int, list[Cell]] = defaultdict(list)
        weighted: dict[int, list[Cell]] = defaultdict(list)
        scales = self._scales(weights)
        kept_of: dict[tuple[Any, Any], Kept] = {}
        rows = self._cells(weights, scales)
        while rows:
            # Each row goes as its cells come: there may be millions.
            segment, tenant, of, writer, cold, *sums = rows.pop()
            # Text from Athena, whole numbers from the others.
            calls, rest, noise, wcalls, wrest, wnoise, wbytes = map(float, sums)
            number, group = int(segment), int(of)
            kept = kept_of.get((writer, cold))
            if kept is None:
                kept = kept_of[writer, cold] = Kept(int(writer), bool(int(cold)))
            plain[number].append(
                Cell(tenant, group, calls, rest / scales.rest, noise / scales.noise, 0.0, kept)
            )
            weighted[number].append(
                Cell(
                    tenant,
                    group,
                    wcalls / scales.weighted_calls,
                    wrest / scales.weighted_rest,
                    wnoise / scales.weighted_noise,
                    wbytes,
                    kept,
                )
            )
        return plain, weighted

    def _scales(self, weights: Mapping[int, float]) -> sql_factors.Scales:
        """Units in which all tenants' sums fit into a double."""
        rest = noise = wcalls = wrest = wnoise = 0.0
        for part in self.parts:
            over = part.overhead
            apart = max(map(abs, over.offsets.values()), default=0.0) + over.cold_ns
            noisy = max(over.noises.values(), default=1.0) * over.cold_noise
            for key in part.keys:
                one, weight = self._record.hours[key], weights[key[0]]
                mean = abs(over.of(key[0], -1, cold=False)) + apart
                size = math.fsum(sums.bytes_ for sums in one.parts.values())
                drift = over.drifts.get(key[0], Drift())
                mean += drift.most_ns
                most = one.net_ns + one.calls * mean + size * over.slope.ns_a_byte
                rest, wrest = rest + most, wrest + most * weight
                wcalls += one.calls * weight
                vary = one.calls * max(1.0, noisy)
                if drift.spread_ns2:
                    windows = drift.length_s / one.lengths_s[0]
                    most = windows * drift.spread_ns2 + drift.untold_ns2
                    vary *= 1 + one.calls * most / over.whole.variance_ns2
                noise, wnoise = noise + vary, wnoise + vary * weight * weight
        return sql_factors.Scales(*map(sql_cells.finest, (rest, noise, wcalls, wrest, wnoise)))

    def _cells(
        self, weights: Mapping[int, float], scales: sql_factors.Scales
    ) -> list[tuple[Any, ...]]:
        clusters = {arn: number for number, arn in enumerate(self._record.clusters)}
        of_cluster: dict[str, sql_factors.OfCluster] = {}
        of_hour: dict[tuple[int, int], sql_factors.OfHour] = {}
        offsets: dict[tuple[int, str], tuple[int, float]] = {}
        for number, part in enumerate(self.parts):
            over, cluster = part.overhead, clusters[part.arn]
            of_cluster[part.arn] = sql_factors.OfCluster(
                cluster, round(over.cold_ns), over.slope.ns_a_byte, over.cold_noise
            )
            for key in part.keys:
                mean = round(over.of(key[0], -1, cold=False))
                of_hour[key[0], cluster] = sql_factors.OfHour(
                    number, mean, weights[key[0]], _of_drift(over, key[0])
                )
            for writer, class_number in self._record.classes.items():
                if class_number in over.offsets or class_number in over.noises:
                    more = round(over.offsets.get(class_number, 0.0))
                    offsets[cluster, writer] = more, over.noises.get(class_number, 1.0)
        if not of_hour:
            return []
        calls = math.fsum(hour.calls for hour in self._record.hours.values())
        keys = [key for part in self.parts for key in part.segment.parts]
        does = {(key.fingerprint, key.kind in WORK) for key in keys if key.kind not in FAILED}
        statements = {statement for statement, _ in does}
        few = len(statements) <= len(self._numbers) + FEWEST_GROUPS
        # In older ledgers one that failed is work: it may be one with work and one without.
        failed = any(key.kind in FAILED for key in keys)
        whole = few and len(statements) == len(does) and not failed
        groups = {statement: workless_group(statement) for statement, works in does if not works}
        return self._ledger.rows(
            sql_cells.cells(
                self._period,
                of_cluster,
                of_hour,
                offsets,
                self._numbers | groups if whole else self._numbers,
                scales=scales,
                classes=self._record.classes if calls <= _MOST_KEPT_APART else None,
                few_statements=few,
                whole_groups=whole,
                failed=failed,
                no_others=len(of_cluster) == len(clusters),
            )
        )


def _of_drift(over: ClusterOverhead, hour: int) -> sql_factors.OfDrift | None:
    """How the windows of an hour differ, for the query; None where they do not."""
    drift, usual_ns2 = over.drifts.get(hour), over.whole.variance_ns2
    if drift is None or usual_ns2 <= 0:
        return None
    # Six digits are more than is known of them, and a month of hours has to fit into a query.
    spread, noise, untold = (
        float(f"{ns2 / usual_ns2:.6g}")
        for ns2 in (drift.spread_ns2, drift.noise_ns2, drift.untold_ns2)
    )
    return sql_factors.OfDrift(
        round(over.centers[hour]),
        spread,
        noise,
        untold,
        drift.length_s,
        begins=drift.begins,
    )


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
