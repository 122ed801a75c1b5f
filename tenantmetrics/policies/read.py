"""Reading the catalogue, a page at a time: the Data API hands over 1 MiB a statement at most."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tenantmetrics.errors import RlsError
from tenantmetrics.policies import queries
from tenantmetrics.policies.catalogue import (
    Catalogue,
    CheckConstraint,
    Column,
    ForeignKey,
    Function,
    Grant,
    Index,
    Policy,
    Role,
    Sequence,
    Table,
    View,
)
from tenantmetrics.policies.expressions import calls_of
from tenantmetrics.policies.source import Connection, RefusedError

__all__ = ["read"]

_PAGE = 200
_PAGE_BYTES = 350_000
"""JSON within JSON: each quote becomes two bytes. A page that were too large would end the
transaction, so that it cannot be asked for again."""
_PAGED = """
SELECT key, document FROM (
    SELECT key, document, sum(octet_length(document)) OVER (ORDER BY key) AS bytes,
        row_number() OVER (ORDER BY key) AS number
    FROM (SELECT * FROM ({}) every WHERE key > CAST(:after AS bigint)
          ORDER BY key LIMIT CAST(:page AS bigint)) page) measured
WHERE bytes <= CAST(:bytes AS bigint) OR bytes IS NULL OR number = 1 ORDER BY key"""


def read(connection: Connection) -> Catalogue:
    """The catalogue of the database, in the transaction that is open.

    Args:
        connection: In a transaction.

    Raises:
        RlsError: The database cannot be reached, or does not let its catalogue be read.
    """
    try:
        ((path,),) = connection.rows("SELECT current_setting('search_path')")
        # Expressions and types are then written with their schema, whoever connects.
        connection.rows("SELECT set_config('search_path', 'pg_catalog', true)")
        ((version, me),) = connection.rows(
            "SELECT current_setting('server_version_num')::int, CAST(current_user AS text)"
        )
        tables = {key: _table(key, found) for key, found in _pages(connection, queries.TABLES)}
        views = {key: _view(key, found) for key, found in _pages(connection, queries.VIEWS)}
        grants = [
            Grant(relation, role, privilege, column)
            for relation, given in _pages(connection, queries.GRANTS)
            for role, privilege, column in given or ()
        ]
        catalogue = Catalogue(
            version=version // 10_000,
            me=me,
            tables=tables,
            views=views,
            functions=[_function(*row) for row in _pages(connection, queries.FUNCTIONS)],
            sequences=[
                Sequence(key, found["schema"], found["name"], found["owner"], found["table"] or 0)
                for key, found in _pages(connection, queries.SEQUENCES)
            ],
            roles={
                found["name"]: Role(**{**found, "member_of": frozenset(found["member_of"] or ())})
                for _, found in _pages(connection, queries.ROLES)
            },
            grants=grants,
            schema_users={
                found["name"]: frozenset(found["users"] or ())
                for _, found in _pages(connection, queries.SCHEMAS)
            },
            volatile=_volatile(connection, tables.values()),
        )
        connection.rows(
            "SELECT set_config('search_path', CAST(:path AS text), true)", {"path": path}
        )
    except RefusedError as error:
        raise RlsError(f"the catalogue cannot be read: {error}") from None
    return catalogue


def _pages(connection: Connection, query: str) -> Iterator[tuple[int, Any]]:
    after = 0
    while True:
        rows = connection.rows(
            _PAGED.format(query), {"after": after, "page": _PAGE, "bytes": _PAGE_BYTES}
        )
        for key, document in rows:
            yield key, json.loads(document) if document is not None else None
        if not rows:
            return
        after = rows[-1][0]


def _table(oid: int, found: dict[str, Any]) -> Table:
    return Table(
        oid=oid,
        **{name: found[name] for name in ("schema", "name", "kind", "owner", "rls", "forced")},
        is_partition=found["is_partition"],
        parents=tuple(found["parents"] or ()),
        columns={
            column["name"]: Column(
                **column
                | {"checks": tuple(column["checks"] or ()), "default": column["default"] or ""}
            )
            for column in found["columns"] or ()
        },
        policies=[
            Policy(
                name=policy["name"],
                command=policy["command"],
                permissive=policy["permissive"],
                roles=tuple(policy["roles"]),
                using=policy["using"] or "",
                with_check=policy["with_check"] or "",
            )
            for policy in found["policies"] or ()
        ],
        indexes=[
            Index(
                name=index["name"],
                columns=tuple(index["columns"] or ()),
                expressions=index["expressions"] or "",
                unique=index["unique"],
                primary=index["primary"],
                valid=index["valid"],
                partial=index["partial"],
                constraint=index["constraint"] or "",
                nulls_not_distinct=index["distinct"],
            )
            for index in found["indexes"] or ()
        ],
        foreign_keys=[
            ForeignKey(
                **key | {name: tuple(key[name] or ()) for name in ("columns", "parent_columns")}
            )
            for key in found["foreign_keys"] or ()
        ],
        checks=[
            CheckConstraint(**check | {"columns": tuple(check["columns"] or ())})
            for check in found["checks"] or ()
        ],
    )


def _view(oid: int, found: dict[str, Any]) -> View:
    return View(oid=oid, **found | {"reads": frozenset(found["reads"] or ())})


def _function(oid: int, found: dict[str, Any]) -> Function:
    return Function(
        oid=oid,
        **found
        | {
            "types": tuple(found["types"] or ()),
            "grantees": frozenset(found["grantees"] or ()),
            "source": found["source"] or "",
        },
    )


def _volatile(connection: Connection, tables: Any) -> frozenset[str]:
    names = {
        call.name
        for table in tables
        for policy in table.policies
        for text in (policy.using, policy.with_check)
        for call in calls_of(text)
    }
    if not names:
        return frozenset()
    found = connection.rows(queries.VOLATILE, {"names": ",".join(sorted(names))})
    return frozenset(name for (name,) in found)
