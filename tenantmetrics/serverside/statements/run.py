"""Take one snapshot, and write what ran since the last one."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from tenantmetrics.config import Config
from tenantmetrics.errors import ServerLoadError
from tenantmetrics.serverside import tables
from tenantmetrics.serverside.columns import STATEMENTS, Gap
from tenantmetrics.serverside.sql import Database
from tenantmetrics.serverside.statements import state
from tenantmetrics.serverside.statements.delta import NewSeries, Stretch, between
from tenantmetrics.serverside.statements.read import read_snapshot
from tenantmetrics.serverside.statements.snapshot import Counters, Entry, Snapshot
from tenantmetrics.serverside.statements.view import find_view
from tenantmetrics.serverside.store import store_of
from tenantmetrics.serverside.texts import Known, Texts

__all__ = ["Outcome", "take"]

_UNKNOWN = Known(0, "", is_ours=False)
_NS_A_MS = 1_000_000
_SAYS = {
    Gap.MISSING: "snapshots are missing before it: it is right in sum, not by the hour",
    Gap.RESET: "statistics were reset in it: what ran before that is lost",
    Gap.RESTART: "the server restarted and lost its statistics: what ran before that is lost",
    Gap.EVICTED: "statements were pushed out of the view: it is a lower bound",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did.

    Attributes:
        statements: Statements that the snapshot holds.
        written: Statements that ran in the stretch.
        stretch: What was written; None where this snapshot is the first of a series.
        address: The file; empty where none was written.
        began_anew: Why an earlier series was ended, in words; empty where none was.
        exec_ns: Time of the statements that were written, nanoseconds.
        notes: What the user should know, one line each.
    """

    statements: int
    written: int
    stretch: Stretch | None
    address: str
    began_anew: str
    exec_ns: int
    notes: tuple[str, ...]


def take(
    database: Database,
    ledger: str | os.PathLike[str],
    resource_arn: str,
    config: Config,
    *,
    every_s: int,
    start_anew: bool = False,
) -> Outcome:
    """Take a snapshot, and write what ran since the last one.

    Args:
        database: Where the extension is; it tells of all databases of the cluster.
        ledger: The ledger's folder or `s3://bucket/prefix`.
        resource_arn: The cluster, as the ledger names it.
        config: The settings.
        every_s: Seconds between two snapshots by the schedule.
        start_anew: Begin a new series, whatever the last snapshot is.

    Raises:
        ServerLoadError: The statistics cannot be read, or are not those of the last snapshot's
            cluster and of a later time. Nothing was written.
        LedgerError: The ledger cannot be read or written.
        MissingExtraError: pyarrow is not installed.
    """
    tables.arrow_schema(STATEMENTS)  # a missing extra is told now, not after the first snapshot
    store = store_of(ledger)
    source = tables.source_id(resource_arn)
    before = None if start_anew else state.load(store, source, resource_arn)
    view = find_view(database)
    known = {} if before is None else before.texts
    now = read_snapshot(database, view, known, Texts(config).read)
    notes = list(view.notes)
    if not any(not known.is_ours for known in now.texts.values()):
        notes.append("the view holds no statement yet; is compute_query_id off?")
    stretch: Stretch | NewSeries | None = None
    if before is not None:
        stretch = between(before, now, every_s=every_s, longest_s=tables.LONGEST_S)
        # Somebody else's run at the same time would count the same statements again.
        last = state.load(store, source, resource_arn)
        if last is None or last.taken_s != before.taken_s:
            raise ServerLoadError("another run took a snapshot of this cluster at the same time")
    if not isinstance(stretch, Stretch):
        state.save(store, source, resource_arn, now)
        why = stretch.why if isinstance(stretch, NewSeries) else ""
        return Outcome(len(now.entries), 0, None, "", why, 0, tuple(notes))
    rows = _rows(stretch, now, resource_arn)
    address = tables.write(ledger, STATEMENTS, stretch.start_s, source, rows)
    state.save(store, source, resource_arn, now)
    if stretch.gap is not Gap.NONE:
        more = f" (pg_stat_statements.max is {view.most})" if stretch.gap is Gap.EVICTED else ""
        notes.append(_SAYS[stretch.gap] + more)
    total_ns = sum(row["exec_ns"] for row in rows)
    written = sum(row["calls"] > 0 for row in rows)
    return Outcome(len(now.entries), written, stretch, address, "", total_ns, tuple(notes))


def _rows(stretch: Stretch, now: Snapshot, resource_arn: str) -> list[dict[str, Any]]:
    """The stretch's rows: one a database and statement, whoever ran it; ours are left out."""
    sums: dict[tuple[str, int, Known], list[Counters]] = defaultdict(list)
    for entry, counters in stretch.progress.items():
        known = now.texts.get(entry.text, _UNKNOWN)
        if not known.is_ours:
            sums[_database(entry, now), entry.queryid, known].append(counters)
    common = {
        "start_s": stretch.start_s,
        "end_s": stretch.end_s,
        "resource_arn": resource_arn,
        "gap": str(stretch.gap),
    }
    # An idle stretch was looked at all the same, and a row says so.
    if not sums:
        sums["", 0, _UNKNOWN] = []
    return [
        {
            **common,
            "database": database,
            "fingerprint": known.fingerprint,
            "queryid": queryid,
            "summary": known.summary,
            "calls": sum(row.calls for row in rows),
            "exec_ns": round(sum(row.exec_ms for row in rows) * _NS_A_MS),
            "rows": sum(row.rows for row in rows),
            "blocks_read": sum(row.blocks_read for row in rows),
            "blocks_hit": sum(row.blocks_hit for row in rows),
        }
        for (database, queryid, known), rows in sums.items()
    ]


def _database(entry: Entry, now: Snapshot) -> str:
    """The name of an entry's database; empty for one that is gone."""
    return now.databases.get(entry.dbid, "")
