"""A snapshot of `pg_stat_statements`: the counters of every statement at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from tenantmetrics.serverside.texts import Known

__all__ = ["Counters", "Entry", "Server", "Snapshot", "TextKey"]


class Entry(NamedTuple):
    """What a row of the view is of: a statement, as one role ran it in one database."""

    dbid: int
    userid: int
    queryid: int

    @property
    def text(self) -> TextKey:
        """What its text depends on."""
        return TextKey(self.dbid, self.queryid)


class TextKey(NamedTuple):
    """A statement: query ids hold object ids, so each database has its own."""

    dbid: int
    queryid: int


class Counters(NamedTuple):
    """A row's counters, counted from the entry's making or its last reset.

    Attributes:
        calls: Executions.
        exec_ms: Time planning and executing them, milliseconds.
        rows: Rows returned or written.
        blocks_read: Shared blocks read from storage.
        blocks_hit: Shared blocks found in memory.
        since_s: When the entry was made, seconds since the epoch; 0.0 before PostgreSQL 17.
    """

    calls: int
    exec_ms: float
    rows: int
    blocks_read: int
    blocks_hit: int
    since_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Server:
    """Whose statistics they are, and since when.

    Attributes:
        system: PostgreSQL's system identifier; empty where the role may not read it.
        instance: Aurora's name of the instance; empty elsewhere.
        started_s: When the server started, seconds since the epoch.
        reset_s: When all statistics were last reset; None before PostgreSQL 14.
        evictions: How often entries were pushed out; None before PostgreSQL 14.
    """

    system: str
    instance: str
    started_s: float
    reset_s: float | None
    evictions: int | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment.

    Attributes:
        taken_s: When, by the database's clock, seconds since the epoch.
        server: Whose.
        entries: Every statement's counters; statements inside functions are in their caller's.
        databases: Names by id.
        texts: What is known of the texts; an entry whose text was not found is not in it.
    """

    taken_s: float
    server: Server
    entries: dict[Entry, Counters]
    databases: dict[int, str]
    texts: dict[TextKey, Known] = field(default_factory=dict)
