"""Alarms over a `MetricStore`: when each would have fired, and for whom.

CloudWatch's rules are followed as its user guide states them: M of the last N periods, missing
periods as the alarm says, each series of a GROUP BY a contributor of its own, composites from the
states of their children. Two things differ, and are said where they matter: anomaly bands are a
stand-in (CloudWatch's model is not public), and alarms change state at the end of a period, where
CloudWatch takes a minute or two longer.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from tenantmetrics.console.alarm import Alarm, Missing, Needs
from tenantmetrics.console.checks import alarmrule, insights, promql
from tenantmetrics.console.checks.mathsyntax import Node
from tenantmetrics.console.rehearsal import promeval
from tenantmetrics.console.rehearsal.mathematics import Series, Value, evaluate
from tenantmetrics.console.rehearsal.store import MINUTE_S, MetricStore, Points, statistic

__all__ = ["Firing", "Rehearsal", "rehearse"]

_COMPARE = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
    "GreaterThanUpperThreshold": operator.gt,
}


class Firing(NamedTuple):
    """An alarm in ALARM from one moment to another.

    Attributes:
        alarm: The alarm's id.
        who: Contributors: tenants, reasons, exporters; empty where it has none.
        from_s: When it fired, s since the epoch.
        to_s: When it ended; the end of the recording where it had not.
    """

    alarm: str
    who: tuple[str, ...]
    from_s: int
    to_s: int


class Rehearsal(NamedTuple):
    """What a rehearsal found.

    Attributes:
        firings: In order of time, then of the alarms.
        unheard: Alarms that the recording has no metric for → the metrics.
    """

    firings: tuple[Firing, ...]
    unheard: dict[str, str]


_States = dict[int, frozenset[str]]
"""Moment → contributors in ALARM; a moment without an entry is OK. "" is an alarm without any."""


def rehearse(alarms: Sequence[Alarm], store: MetricStore, values: Mapping[str, Any]) -> Rehearsal:
    """Run alarms over a recording.

    Args:
        alarms: The set; children before their composites.
        store: The recording.
        values: Every parameter of the set.

    Raises:
        ConsoleError: A parameter has no value, or a rule uses what the rehearsal does not know.
    """
    prefix = f"{values['Prefix']}-"
    states: dict[str, _States] = {}
    tenants: dict[str, bool] = {}
    firings: list[Firing] = []
    unheard: dict[str, str] = {}
    for alarm in (template.filled(values) for template in alarms):
        if alarm.needs is not Needs.NOTHING and values[str(alarm.needs)] != "true":
            continue
        if alarm.rule:
            found = _composite(alarm, store, states, tenants, prefix)
        elif alarm.promql:
            found = _promql(alarm, store)
        else:
            missing = _unpublished(alarm, store)
            if missing:
                unheard[alarm.id] = missing
                found = {}
            else:
                found = _metric(alarm, store)
        states[alarm.id] = found
        tenants[alarm.id] = alarm.tenants or (
            bool(alarm.rule) and any(tenants.get(name) for name in _children(alarm, prefix))
        )
        firings += _intervals(alarm.id, found, store.end_s)
    order = {alarm.id: number for number, alarm in enumerate(alarms)}
    firings.sort(key=lambda firing: (firing.from_s, order[firing.alarm], firing.who))
    return Rehearsal(tuple(firings), unheard)


def _unpublished(alarm: Alarm, store: MetricStore) -> str:
    """Metrics that the recording lacks; others of ours are zero or missing by design."""
    names = {key[0] for key in store.series}
    lacking = [
        query.metric
        for query in alarm.queries
        if query.namespace.startswith("AWS/") and query.metric not in names
    ]
    for query in alarm.queries:
        name = query.metric
        if insights.is_query(query.expression):
            name = insights.parse_query(query.expression).metric
        if name in store.unknown:
            lacking.append(name)
    return ", ".join(lacking)


def _metric(alarm: Alarm, store: MetricStore) -> _States:
    known: dict[str, Value] = {}
    for query in alarm.queries:
        if query.metric:
            dimensions = tuple(sorted(query.dimensions))
            points: Points = store.series.get((query.metric, dimensions), {})
            known[query.id] = {"": statistic(points, query.stat, alarm.period_s)}
        else:
            known[query.id] = evaluate(query.expression, store, known, alarm.period_s)
    watched = next(query.id for query in alarm.queries if query.returned)
    value = known[watched]
    series = value if isinstance(value, dict) else {}
    band = known.get(alarm.band) if alarm.band else None
    states: dict[int, set[str]] = {}
    for who, values in series.items():
        limits = band[who] if isinstance(band, dict) else None
        for moment in _alarmed(alarm, values, limits, store):
            # A state holds until the next period ends.
            for minute in range(moment, moment + alarm.period_s, MINUTE_S):
                states.setdefault(minute, set()).add(who)
    return {moment: frozenset(who) for moment, who in sorted(states.items())}


def _alarmed(
    alarm: Alarm, series: Series, band: Series | None, store: MetricStore
) -> Iterator[int]:
    """Ends of the periods at which M of the last N were bad."""
    compare = _COMPARE[alarm.comparison]
    first = store.start_s - store.start_s % alarm.period_s
    recent: list[bool] = []
    for start in range(first, store.end_s, alarm.period_s):
        number = series.get(start)
        limit = (band or {}).get(start) if alarm.band else float(alarm.threshold)
        if number is None:
            recent.append(alarm.missing is Missing.BAD)
        else:
            recent.append(limit is not None and bool(compare(number, limit)))
        del recent[: -alarm.periods]
        # Before the recording there was data, or not: nobody knows, so silence waits for N periods.
        enough = len(recent) == alarm.periods or alarm.missing is not Missing.BAD
        if enough and sum(recent) >= alarm.datapoints:
            yield start + alarm.period_s


def _promql(alarm: Alarm, store: MetricStore) -> _States:
    """Contributors that the query returned for the whole pending period, and not yet recovered."""
    tree = promql.parse_promql(alarm.promql)
    since: dict[str, int] = {}
    seen: dict[str, int] = {}
    alarmed: set[str] = set()
    states: _States = {}
    for moment in range(store.start_s + MINUTE_S, store.end_s + 1, MINUTE_S):
        returned = {labels[0][1] for labels in promeval.evaluate(tree, store, moment)}
        for who in returned:
            since.setdefault(who, moment)
            seen[who] = moment
            if moment - since[who] >= alarm.pending_s:
                alarmed.add(who)
        for who in [tenant for tenant in since if tenant not in returned]:
            if who not in alarmed or moment - seen[who] >= alarm.recovery_s:
                del since[who]
                alarmed.discard(who)
        if alarmed:
            states[moment] = frozenset(alarmed)
    return states


def _children(alarm: Alarm, prefix: str) -> list[str]:
    return [
        name.removeprefix(prefix) for name in alarmrule.children(alarmrule.parse_rule(alarm.rule))
    ]


def _composite(
    alarm: Alarm,
    store: MetricStore,
    states: Mapping[str, _States],
    tenants: Mapping[str, bool],
    prefix: str,
) -> _States:
    tree = alarmrule.parse_rule(alarm.rule)
    children = _children(alarm, prefix)
    found: _States = {}
    for moment in range(store.start_s + MINUTE_S, store.end_s + 1, MINUTE_S):
        now = {name: states[name].get(moment, frozenset()) for name in children}
        if _holds(tree, now, prefix):
            who = {series for name in children if tenants[name] for series in now[name] if series}
            found[moment] = frozenset(who or {""})
    return found


def _holds(node: Node, now: Mapping[str, frozenset[str]], prefix: str) -> bool:
    if node.kind == "number":
        return node.value == "1"
    if node.kind == "call":
        alarmed = bool(now[node.parts[0].value.removeprefix(prefix)])
        return {"ALARM": alarmed, "OK": not alarmed}.get(node.value, False)
    parts = [_holds(part, now, prefix) for part in node.parts]
    if node.value == "NOT":
        return not parts[0]
    return all(parts) if node.value == "AND" else any(parts)


def _intervals(alarm: str, states: _States, end_s: int) -> Iterator[Firing]:
    """Runs of ALARM with everybody who was a contributor in them."""
    moments = sorted(states)
    if not moments:
        return
    start, who = moments[0], set(states[moments[0]])
    for before, moment in pairwise(moments):
        if moment - before > MINUTE_S:
            yield Firing(alarm, _names(who), start, before + MINUTE_S)
            start, who = moment, set()
        who |= states[moment]
    yield Firing(alarm, _names(who), start, max(moments[-1], min(moments[-1] + MINUTE_S, end_s)))


def _names(who: set[str]) -> tuple[str, ...]:
    return tuple(sorted(tenant for tenant in who if tenant))
