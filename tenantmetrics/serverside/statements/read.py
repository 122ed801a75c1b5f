"""Read a snapshot from the view, page by page.

Counters are read without texts, which PostgreSQL keeps in a file of its own; texts are read only of
statements that are not known yet. A page stays well below the Data API's 1 MiB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tenantmetrics.serverside.sql import Database, QueryFailedError
from tenantmetrics.serverside.statements.snapshot import Counters, Entry, Server, Snapshot, TextKey
from tenantmetrics.serverside.statements.view import View, refused
from tenantmetrics.serverside.texts import Known
from tenantmetrics.sqltext.fingerprint import MAX_TEXT

__all__ = ["read_snapshot"]

_PAGE_ROWS = 1_500
"""A row of counters is some 300 bytes of the Data API's JSON: less than half of its 1 MiB."""
_PAGE_TEXTS = 500
_PAGE_BYTES = 300_000
_PIECE_CHARS = 12_000
"""The Data API takes 64 KiB a row, and a character may be four bytes."""


def read_snapshot(
    database: Database,
    view: View,
    known: Mapping[TextKey, Known],
    read_text: Callable[[str], Known],
) -> Snapshot:
    """Read the counters of all statements, and the texts that are new.

    Args:
        database: Where to read.
        view: As `find_view` found it.
        known: Texts of earlier snapshots.
        read_text: What to keep of a text.

    Raises:
        ServerLoadError: The database cannot be reached, or refuses.
    """
    try:
        server = _server(database, view)
        entries = _entries(database, view)
        databases = dict(database.rows("SELECT oid::int8, datname::text FROM pg_database"))
        wanted = {entry.text for entry in entries}
        texts = {key: kept for key, kept in known.items() if key in wanted}
        for key, sql in _texts(database, view, sorted(wanted - texts.keys())).items():
            texts[key] = read_text(sql)
    except QueryFailedError as error:
        raise refused(error) from None
    return Snapshot(view.taken_s, server, entries, databases, texts)


def _server(database: Database, view: View) -> Server:
    try:
        sql = "SELECT system_identifier::text FROM pg_control_system()"
        ((system,),) = database.rows(sql)
    except QueryFailedError:
        system = ""  # a service may keep it to itself
    instance = ""
    if view.on_aurora:
        ((instance,),) = database.rows("SELECT aurora_db_instance_identifier()::text")
    reset_s = evictions = None
    if view.has_info:
        ((evictions, reset_s),) = database.rows(
            "SELECT dealloc::int8, extract(epoch FROM stats_reset)::float8 "  # noqa: S608 - quoted
            f"FROM {view.schema}.pg_stat_statements_info"
        )
    return Server(system, instance or "", view.started_s, reset_s, evictions)


def _entries(database: Database, view: View) -> dict[Entry, Counters]:
    sql = (
        "SELECT s.dbid::int8, s.userid::int8, s.queryid::int8, s.calls::int8, "  # noqa: S608
        f"{view.time}, s.rows::int8, s.shared_blks_read::int8, s.shared_blks_hit::int8, "
        f"{view.since} FROM {view.schema}.pg_stat_statements(false) s WHERE {view.where} AND "
        "(s.dbid::int8, s.userid::int8, s.queryid) > (:dbid, :userid, :queryid) "
        f"ORDER BY 1, 2, 3 LIMIT {_PAGE_ROWS}"
    )
    found: dict[Entry, Counters] = {}
    last = Entry(-1, -1, 0)
    while True:
        page = database.rows(sql, last._asdict())
        for dbid, userid, queryid, *counters in page:
            last = Entry(dbid, userid, queryid)
            found[last] = Counters(*counters)
        if len(page) < _PAGE_ROWS:
            return found


def _texts(database: Database, view: View, wanted: list[TextKey]) -> dict[TextKey, str]:
    """The texts that the view still has, cut at what a fingerprint reads."""
    # Each statement's text once, in pages that end at so many bytes.
    sql = (
        "SELECT dbid, queryid, piece, length FROM ("  # noqa: S608 - the schema is quoted
        "SELECT *, sum(octet_length(piece)) OVER (ORDER BY dbid, queryid) AS bytes FROM ("
        "SELECT DISTINCT ON (s.dbid, s.queryid) s.dbid::int8 AS dbid, s.queryid, "
        f"substr(s.query, 1, {_PIECE_CHARS}) AS piece, length(s.query)::int8 AS length "
        f"FROM {view.schema}.pg_stat_statements s "
        f"WHERE {view.where} AND s.query IS NOT NULL "
        "AND s.queryid = ANY (string_to_array(:ids, ' ')::int8[]) "
        "AND (s.dbid::int8, s.queryid) > (:dbid, :queryid) "
        "ORDER BY s.dbid, s.queryid) AS texts) AS summed "
        f"WHERE bytes <= {_PAGE_BYTES} ORDER BY 1, 2"
    )
    found: dict[TextKey, str] = {}
    for first in range(0, len(wanted), _PAGE_TEXTS):
        asked = wanted[first : first + _PAGE_TEXTS]
        ids = " ".join(str(key.queryid) for key in asked)
        last = TextKey(-1, 0)
        while page := database.rows(sql, {"ids": ids, **last._asdict()}):
            for dbid, queryid, piece, length in page:
                last = TextKey(dbid, queryid)
                more = _rest(database, view, last) if length > _PIECE_CHARS else ""
                found[last] = piece + more
    return {key: found[key] for key in wanted if key in found}


def _rest(database: Database, view: View, key: TextKey) -> str:
    """What a long text has behind its first piece."""
    sql = (
        "SELECT substr(s.query, :start::int4, :chars::int4) "  # noqa: S608 - the schema is quoted
        f"FROM {view.schema}.pg_stat_statements s WHERE {view.where} "
        "AND s.dbid::int8 = :dbid AND s.queryid = :queryid LIMIT 1"
    )
    pieces = []
    for start in range(_PIECE_CHARS + 1, MAX_TEXT + 1, _PIECE_CHARS):
        values: dict[str, Any] = {"start": start, "chars": _PIECE_CHARS, **key._asdict()}
        page = database.rows(sql, values)
        if not page or not page[0][0]:
            break
        pieces.append(str(page[0][0]))
    return "".join(pieces)
