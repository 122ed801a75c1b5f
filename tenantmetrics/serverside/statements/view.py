"""Find the view, whichever of PostgreSQL 12 to 18 it is of, and what it can tell.

The columns that are there are looked up, not guessed from the server's version: an extension may be
older than its server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tenantmetrics.errors import ServerLoadError
from tenantmetrics.serverside.sql import Database, QueryFailedError

__all__ = ["View", "find_view", "refused"]

_PROBE = """
SELECT current_setting('server_version_num')::int8,
    extract(epoch FROM clock_timestamp())::float8,
    extract(epoch FROM pg_postmaster_start_time())::float8,
    pg_is_in_recovery(),
    current_user::text,
    current_database()::text,
    pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
    current_setting('pg_stat_statements.track', true),
    current_setting('pg_stat_statements.max', true),
    (SELECT quote_ident(n.nspname)::text FROM pg_catalog.pg_extension e
        JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'pg_stat_statements'),
    coalesce((SELECT string_agg(a.attname, ' ') FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass
            AND d.objid = a.attrelid AND d.deptype = 'e'
        JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
        WHERE e.extname = 'pg_stat_statements' AND c.relname = 'pg_stat_statements'
            AND a.attnum > 0 AND NOT a.attisdropped), '')::text,
    to_regproc('pg_catalog.aurora_db_instance_identifier') IS NOT NULL
"""
_NEEDED = frozenset(
    {"userid", "dbid", "queryid", "calls", "rows", "shared_blks_read", "shared_blks_hit"}
)
_INFO_SINCE = 140_000
"""PostgreSQL 14 brought `pg_stat_statements_info` and the column `toplevel`, in version 1.9."""


class _Probe(NamedTuple):
    """The answer to `_PROBE`."""

    version: int
    now_s: float
    started_s: float
    is_replica: bool
    role: str
    database: str
    may_read: bool
    track: str | None
    most: str | None
    schema: str | None
    columns: str
    on_aurora: bool


@dataclass(frozen=True, slots=True)
class View:
    """A database's view, ready to be read.

    Attributes:
        schema: The schema it lies in, quoted.
        taken_s: The database's time as this was found out, seconds since the epoch.
        started_s: When the server started.
        time: SQL of a row's milliseconds, planning and executing.
        since: SQL of when an entry was made, seconds since the epoch.
        where: SQL condition of the rows that count.
        has_info: Whether `pg_stat_statements_info` is there.
        on_aurora: Whether Aurora's name of the instance can be asked for.
        most: How many statements the view holds.
        notes: What the user should know, one line each.
    """

    schema: str
    taken_s: float
    started_s: float
    time: str
    since: str
    where: str
    has_info: bool
    on_aurora: bool
    most: str
    notes: tuple[str, ...]


def find_view(database: Database) -> View:
    """Find the view and what it can tell.

    Raises:
        ServerLoadError: The extension is missing, not loaded, too old, or tracks nothing; the role
            may not read what others ran; the server is a replica, or cannot be reached.
    """
    try:
        probe = _Probe(*database.rows(_PROBE)[0])
    except QueryFailedError as error:
        raise refused(error) from None
    columns = frozenset(probe.columns.split())
    _refuse(probe, columns)
    notes = []
    has_info = "toplevel" in columns
    if not has_info:
        remedy = (
            f"PostgreSQL {probe.version // 10_000} has no pg_stat_statements_info, 14 has it"
            if probe.version < _INFO_SINCE
            else "run ALTER EXTENSION pg_stat_statements UPDATE"
        )
        notes.append(
            "the view does not say when its statistics were reset or that statements were pushed "
            f"out: {remedy}"
        )
    if "total_plan_time" in columns:
        time = "s.total_exec_time + s.total_plan_time"
    else:
        time = "s.total_time"
        notes.append("the view of this version has no planning time: execution alone is counted")
    since = "extract(epoch FROM s.stats_since)" if "stats_since" in columns else "0"
    return View(
        schema=str(probe.schema),
        taken_s=probe.now_s,
        started_s=probe.started_s,
        time=f"({time})::float8",
        since=f"({since})::float8",
        # A statement inside a function is in its caller's time already.
        where="s.queryid IS NOT NULL" + (" AND s.toplevel" if has_info else ""),
        has_info=has_info,
        on_aurora=probe.on_aurora,
        most=probe.most or "",
        notes=tuple(notes),
    )


def refused(error: QueryFailedError) -> ServerLoadError:
    """A refusal of the database as the one line that the user sees."""
    return ServerLoadError(f"the database refused to tell its statistics: {error}")


def _refuse(probe: _Probe, columns: frozenset[str]) -> None:
    """Refuse a database that cannot tell what is asked."""
    if probe.schema is None:
        raise ServerLoadError(
            f"database {probe.database!r} has no extension pg_stat_statements: connect as an "
            "administrator and run CREATE EXTENSION pg_stat_statements"
        )
    if probe.track is None:
        raise ServerLoadError(
            "pg_stat_statements is not loaded into the server: add it to shared_preload_libraries "
            "(the cluster parameter group on Aurora) and restart"
        )
    if probe.track == "none":
        raise ServerLoadError(
            "pg_stat_statements tracks nothing: set pg_stat_statements.track to top"
        )
    if not probe.may_read:
        raise ServerLoadError(
            f"role {probe.role!r} may not read what other roles ran (<insufficient privilege>): "
            f"run GRANT pg_read_all_stats TO {_quoted(probe.role)}"
        )
    if probe.is_replica:
        raise ServerLoadError(
            "this is a read replica, whose statistics are of itself alone: connect to the writer"
        )
    has_time = "total_time" in columns or {"total_exec_time", "total_plan_time"} <= columns
    if not has_time or not columns >= _NEEDED:
        missing = sorted(_NEEDED - columns) or ["total_exec_time"]
        raise ServerLoadError(
            f"this version of pg_stat_statements has no column {missing[0]}: run ALTER EXTENSION "
            "pg_stat_statements UPDATE"
        )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
