"""One look at `pg_stat_activity`: which sessions work right now, and for whom.

A session's tenant is named by the comment in its text, of the same form that calls carry, else by
its application_name, unless that is a driver's or a tool's. The view cuts texts
(`track_activity_query_size`, 1 kB by default), so a comment at the end of a long one may be lost.
Literals are in the texts: only their fingerprints leave this module.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from tenantmetrics.config import Config
from tenantmetrics.errors import ServerLoadError
from tenantmetrics.serverside.sql import Database, QueryFailedError
from tenantmetrics.sqltext.fingerprint import fingerprint
from tenantmetrics.tenant.sql.sql_comments import tenants_in_comments
from tenantmetrics.tenant.sql.template import skeleton

__all__ = ["Reader", "Work"]

_MOST_ROWS = 200
_TEXT_CHARS = 1_000
"""200 rows of so many characters are below the Data API's 1 MiB, whatever bytes they take."""

# Parallel workers and autovacuum work too; walsender and the like wait for others.
_SQL = f"""
SELECT CASE WHEN backend_type = 'autovacuum worker' THEN '' ELSE application_name END::text,
    CASE WHEN backend_type = 'autovacuum worker' THEN '' ELSE left(query, {_TEXT_CHARS}) END::text,
    count(*)::int8,
    (sum(count(*)) OVER ())::int8
FROM pg_stat_activity
WHERE state = 'active' AND pid <> pg_backend_pid()
    AND backend_type IN ('client backend', 'parallel worker', 'autovacuum worker')
GROUP BY 1, 2 ORDER BY 3 DESC LIMIT {_MOST_ROWS}
"""  # noqa: S608 - two numbers of ours
_RIGHTS = "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), current_user::text"
_NOBODYS = re.compile(
    r"|rds-data-api|rds-data|psql|pgadmin.*|postgresql jdbc driver|dbeaver.*|datagrip.*"
    r"|tenantmetrics.*|pg_dump|pg_restore|pg_basebackup|rdsadmin|pgbench",
    re.IGNORECASE | re.DOTALL,
)


class Work(NamedTuple):
    """What a session works on; sessions that share it are counted together.

    Attributes:
        tenant: Whose work; empty where nothing says.
        fingerprint: Of the running text; 0 for what is no statement.
    """

    tenant: str
    fingerprint: int


class Reader:
    """Looks at a database's sessions.

    Args:
        config: The settings: which keys of comments carry the tenant.
        applications: Names of applications that are tenants, the first group being the tenant; None
            takes every name but those of drivers and tools.
    """

    def __init__(self, config: Config, applications: re.Pattern[str] | None = None) -> None:
        self._keys = frozenset(key.lower() for key in config.tenant_comment_keys)
        self._applications = applications

    def check(self, database: Database) -> None:
        """Make sure that others' sessions can be seen.

        Raises:
            ServerLoadError: They cannot, or the database cannot be reached.
        """
        try:
            ((may_read, role),) = database.rows(_RIGHTS)
        except QueryFailedError as error:
            raise _refused(error) from None
        if not may_read:
            name = role.replace('"', '""')
            raise ServerLoadError(
                f"role {role!r} may not see what other roles run (<insufficient privilege>): run "
                f'GRANT pg_read_all_stats TO "{name}"'
            )

    def look(self, database: Database) -> Counter[Work]:
        """The sessions that work right now, ours left out.

        Raises:
            ServerLoadError: The database cannot be reached, or refuses.
        """
        try:
            rows = database.rows(_SQL)
        except QueryFailedError as error:
            raise _refused(error) from None
        seen: Counter[Work] = Counter()
        for application, text, sessions, _ in rows:
            seen[Work(self._tenant(application, text), fingerprint(text))] += sessions
        # Past so many different texts, the sum is right still.
        if rows and (more := rows[0][3] - seen.total()):
            seen[Work("", 0)] += more
        return seen

    def _tenant(self, application: str, text: str) -> str:
        if "/*" in text:
            named = tenants_in_comments(skeleton(text).comments, self._keys)
            if len(named) == 1:
                return named[0]
            if named:
                return ""  # two that disagree are nobody's
        if self._applications is not None:
            match = self._applications.fullmatch(application)
            return (match[1] or "") if match else ""
        return "" if _NOBODYS.fullmatch(application) else application


def _refused(error: QueryFailedError) -> ServerLoadError:
    return ServerLoadError(f"the database refused to show its sessions: {error}")
