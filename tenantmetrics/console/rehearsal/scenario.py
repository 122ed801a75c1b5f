"""A scenario: traffic described in TOML, played as windows through the exporter's own code.

minutes = 90                      # length
start = 2026-11-20T12:00:00Z      # optional
tenants = { acme = 60, bee = 30 } # calls a minute in calm times
latency_ms = 20                   # of a call in calm times
overhead_ms = 0                   # part of the latency that is not the server's
error_rate = 0.0                  # share of failed calls in calm times

[[during]]                        # an incident: what is not said stays calm
from = 30                         # minute, counted from 0
to = 50                           # the first minute that is calm again
tenant = "acme"                   # whom it concerns; all tenants without it
calls = 3000
latency_ms = 900
overhead_ms = 20
error_rate = 0.5
error = "ThrottlingException"     # code of the failed calls
unattributed = 40                 # calls a minute that name no tenant
conflicts = 2                     # calls a minute that name two
undecided = 2                     # calls a minute not restricted to their session's tenant
outage = true                     # nothing is exported
losses = { queue_full = 12 }
export_failures = { cloudwatch = 1 }

[cluster]                         # AWS/RDS metrics, a number or one a minute
CPUUtilization = 40
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tenantmetrics import histogram
from tenantmetrics.console.rehearsal.store import MINUTE_S, MetricStore
from tenantmetrics.errors import ConsoleError, why_unreadable
from tenantmetrics.records import OK, UNATTRIBUTED, Misuse, Series, SeriesKey, Source, Window
from tenantmetrics.refusals import REFUSED
from tenantmetrics.statement_table import Kind, StatementTable

__all__ = ["parse_scenario", "play", "windows"]

_START = datetime(2026, 11, 20, 12, tzinfo=UTC)
_TOP = frozenset(
    {
        "minutes", "start", "tenants", "latency_ms", "overhead_ms", "error_rate", "during",
        "cluster",
    }
)  # fmt: skip
_DURING = frozenset(
    {
        "from", "to", "tenant", "calls", "latency_ms", "overhead_ms", "error_rate", "error",
        "unattributed", "conflicts", "undecided", "outage", "losses", "export_failures", "refused",
    }
)  # fmt: skip
_ERROR = "DatabaseErrorException"
_STATEMENT = ("", "", 2, "SELECT", Kind.WORK.value)
_PROBES = 60
"""Calls without work a minute in the table of statements."""
# Latencies around the one that is asked for; their mean is 1.
_SPREAD = (0.6, 0.8, 0.9, 1.0, 1.0, 1.1, 1.2, 1.4)


def play(path: Path, store: MetricStore, cluster: str = "my-aurora-cluster") -> None:
    """Add what a scenario would have published.

    Args:
        path: The file.
        store: Where to.
        cluster: `DBClusterIdentifier` of the cluster's metrics.

    Raises:
        ConsoleError: The file cannot be read or says something that is not known.
    """
    try:
        described = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConsoleError(
            f"scenario {str(path)!r} cannot be read: {why_unreadable(error)}"
        ) from None
    try:
        checked = parse_scenario(described)
    except ConsoleError as error:
        raise ConsoleError(f"scenario {str(path)!r}: {error}") from None
    start_s, minutes = _start_s(checked), int(checked["minutes"])
    store.covers(start_s, start_s + minutes * MINUTE_S)
    store.add_windows(windows(checked))
    pairs = {"DBClusterIdentifier": cluster}
    for name, value in checked.get("cluster", {}).items():
        for minute in range(minutes):
            number = value[min(minute, len(value) - 1)] if isinstance(value, list) else value
            store.add(name, pairs, start_s + minute * MINUTE_S, ((float(number), 1),))


def parse_scenario(described: dict[str, Any]) -> dict[str, Any]:
    """A scenario's entries, checked.

    Raises:
        ConsoleError: An entry is unknown or missing.
    """
    for name in ("minutes", "tenants"):
        if name not in described:
            raise ConsoleError(f"{name} is missing")
    for name in described:
        if name not in _TOP:
            raise ConsoleError(f"unknown entry {name!r}: known are {', '.join(sorted(_TOP))}")
    for incident in described.get("during", ()):
        for name in incident:
            if name not in _DURING:
                raise ConsoleError(
                    f"unknown entry {name!r} in [[during]]: known are {', '.join(sorted(_DURING))}"
                )
        if not 0 <= incident.get("from", -1) < incident.get("to", -1):
            raise ConsoleError("[[during]] needs from and to, minutes, from before to")
        if "tenant" in incident and incident["tenant"] not in described["tenants"]:
            raise ConsoleError(f"[[during]] names {incident['tenant']!r}, who is not in tenants")
    return described


def windows(described: dict[str, Any]) -> Iterator[Window]:
    """The windows of a parsed scenario; minutes of an outage have none."""
    start_s = _start_s(described)
    for minute in range(int(described["minutes"])):
        window = _window(described, minute, start_s + minute * MINUTE_S)
        if window is not None:
            yield window


def _start_s(described: dict[str, Any]) -> int:
    moment = described.get("start", _START)
    seconds = int(moment.timestamp())
    return seconds - seconds % MINUTE_S


def _window(described: dict[str, Any], minute: int, start_s: int) -> Window | None:
    now = [
        incident
        for incident in described.get("during", ())
        if incident["from"] <= minute < incident["to"]
    ]
    if any(incident.get("outage") for incident in now):
        return None
    series: dict[SeriesKey, Series] = {}
    statements = StatementTable()
    loads: dict[str, int] = {}
    for tenant, calls in described["tenants"].items():
        mine = {
            "calls": calls,
            "latency_ms": described.get("latency_ms", 20),
            "overhead_ms": described.get("overhead_ms", 0),
            "error_rate": described.get("error_rate", 0.0),
            "error": _ERROR,
        }
        for incident in now:
            if incident.get("tenant", tenant) == tenant:
                mine |= {name: incident[name] for name in mine if name in incident}
        _calls(series, statements, loads, tenant, mine)
    losses: dict[str, int] = {}
    failures: dict[str, int] = {}
    refusals: dict[SeriesKey, int] = {}
    conflicts = undecided = 0
    for incident in now:
        if unknown := incident.get("unattributed"):
            calm = {"latency_ms": 20, "overhead_ms": described.get("overhead_ms", 0)}
            _calls(
                series, statements, loads, UNATTRIBUTED, {"calls": unknown, "error_rate": 0, **calm}
            )
        conflicts += incident.get("conflicts", 0)
        undecided += incident.get("undecided", 0)
        losses |= incident.get("losses", {})
        failures |= incident.get("export_failures", {})
        for reason, count in incident.get("refused", {}).items():
            refusals[_refused(reason)] = count
    counts = ((Misuse.OTHER_TENANTS_ROWS, conflicts), (Misuse.UNDECIDED_UNDER_SESSION, undecided))
    misuses = {str(kind): count for kind, count in counts if count}
    _probes(statements, described.get("overhead_ms", 0))
    return Window(
        start_s=start_s,
        length_s=MINUTE_S,
        writer="scenario",
        sequence=minute,
        series=series,
        losses=losses,
        misuses=misuses,
        export_failures=failures,
        load_ns=loads,
        statements=statements,
        refusals=refusals,
    )


def _refused(reason: str) -> SeriesKey:
    outcome = REFUSED + reason
    return SeriesKey(UNATTRIBUTED, "ExecuteStatement", outcome, Source.UNATTRIBUTED, "", "")


def _probes(statements: StatementTable, overhead_ms: float) -> None:
    """Calls without work, from whose time a reader of the ledger learns the overhead."""
    key = ("", "", 1, "BEGIN", Kind.WORKLESS.value)
    us = round(overhead_ms * 1e3)
    statements.add(UNATTRIBUTED, key, _PROBES, _PROBES * us * 1_000, _PROBES * us**2, 0, 0, 0, 0, 0)


def _calls(
    series: dict[SeriesKey, Series],
    statements: StatementTable,
    loads: dict[str, int],
    tenant: str,
    mine: dict[str, Any],
) -> None:
    """A tenant's calls of one minute: their series, their row of statements, their load."""
    total = int(mine["calls"])
    failed = round(total * mine["error_rate"])
    for outcome, calls in ((OK, total - failed), (mine.get("error", _ERROR), failed)):
        if not calls:
            continue
        source = Source.UNATTRIBUTED if tenant == UNATTRIBUTED else Source.CONTEXT
        counted = series.setdefault(
            SeriesKey(tenant, "ExecuteStatement", outcome, source, "", ""), Series()
        )
        counted.calls += calls
        counted.billed_requests += calls
        counted.attempts += calls
        counted.request_bytes += 200 * calls
        counted.response_bytes += 900 * calls
        counted.rows_returned += 3 * calls
        counted.rows_written += (calls + 1) // 2
        each, rest = divmod(calls, len(_SPREAD))
        for number, factor in enumerate(_SPREAD):
            count = each + (number < rest)
            duration_ns = int(mine["latency_ms"] * factor * 1e6)
            if count:
                histogram.record(counted, duration_ns, count)
                counted.duration_ns += duration_ns * count
                time_ns, squares = duration_ns * count, count * round(duration_ns / 1e3) ** 2
                statements.add(tenant, _STATEMENT, count, time_ns, squares, 0, 0, 0, 0, 0)
                server_ms = max(0.0, mine["latency_ms"] - mine["overhead_ms"]) * factor
                loads[tenant] = loads.get(tenant, 0) + int(server_ms * 1e6) * count
