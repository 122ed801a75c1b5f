"""The columns of the server's tables.

Amounts are integers. Loads are average active sessions, doubles as AWS gives them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

__all__ = [
    "ACTIVITY",
    "DB_LOAD",
    "PERFORMANCE_INSIGHTS",
    "STATEMENTS",
    "TABLES",
    "Column",
    "Gap",
    "Kind",
    "Table",
]


class Kind(StrEnum):
    """Column types, by their names in Arrow."""

    STRING = "string"
    INT64 = "int64"
    DOUBLE = "double"


class Column(NamedTuple):
    """One column: its name, type and meaning."""

    name: str
    kind: Kind
    about: str


class Gap(StrEnum):
    """What a statements row says in `gap`: why its stretch is not just the last few minutes."""

    NONE = ""
    MISSING = "missing"  # snapshots are missing in between: right in sum, not by hour
    RESET = "reset"  # the statistics were reset: what ran before `start_s` is lost
    RESTART = "restart"  # the server lost them in a restart: the same
    EVICTED = "evicted"  # statements were pushed out of the view: the amounts are a lower bound


class Table(NamedTuple):
    """One table: its name, what its stretch ends with, and its columns."""

    name: str
    end: str
    columns: tuple[Column, ...]


_ARN = Column("resource_arn", Kind.STRING, "the cluster, as the ledger names it")
_START = Column("start_s", Kind.INT64, "start, seconds since the epoch")
_PERIOD = Column("period_s", Kind.INT64, "length, seconds")
_INSTANCE = Column("instance", Kind.STRING, "the DB instance's identifier")

STATEMENTS = Table(
    "statements",
    "end_s",
    (
        Column("start_s", Kind.INT64, "time of the snapshot before, seconds since the epoch"),
        Column("end_s", Kind.INT64, "time of this snapshot, seconds since the epoch"),
        _ARN,
        Column("database", Kind.STRING, "the database that the statement ran in"),
        Column("fingerprint", Kind.INT64, "the text's fingerprint, as in `_statements`; 0 = none"),
        Column("queryid", Kind.INT64, "PostgreSQL's own; 0 in the row of a stretch without calls"),
        Column("summary", Kind.STRING, "such as `SELECT bookings`"),
        Column("calls", Kind.INT64, "executions in the stretch"),
        Column("exec_ns", Kind.INT64, "time planning and executing them, nanoseconds"),
        Column("rows", Kind.INT64, "rows returned or written"),
        Column("blocks_read", Kind.INT64, "shared blocks read from storage"),
        Column("blocks_hit", Kind.INT64, "shared blocks found in memory"),
        Column("gap", Kind.STRING, "empty, or `missing`, `reset`, `restart`, `evicted`"),
    ),
)
DB_LOAD = Table(
    "db_load",
    "",
    (
        _START,
        _PERIOD,
        _ARN,
        _INSTANCE,
        Column("load_aas", Kind.DOUBLE, "DBLoad: average active sessions"),
        Column("cpu_aas", Kind.DOUBLE, "DBLoadCPU: those that ran on a CPU"),
        Column("non_cpu_aas", Kind.DOUBLE, "DBLoadNonCPU: those that waited"),
    ),
)
PERFORMANCE_INSIGHTS = Table(
    "performance_insights",
    "",
    (
        _START,
        _PERIOD,
        _ARN,
        _INSTANCE,
        Column("dimension", Kind.STRING, "`application` or `user`"),
        Column("name", Kind.STRING, "the application's or user's name; empty = all of them"),
        Column("load_aas", Kind.DOUBLE, "db.load.avg: average active sessions"),
    ),
)
ACTIVITY = Table(
    "activity",
    "",
    (
        _START,
        _PERIOD,
        _ARN,
        Column("samples", Kind.INT64, "how often pg_stat_activity was looked at"),
        Column("tenant", Kind.STRING, "by comment or application_name; empty = not named"),
        Column("fingerprint", Kind.INT64, "of the running text; 0 = none"),
        Column("active_samples", Kind.INT64, "active sessions seen, over all samples"),
    ),
)
TABLES = {table.name: table for table in (STATEMENTS, DB_LOAD, PERFORMANCE_INSIGHTS, ACTIVITY)}
