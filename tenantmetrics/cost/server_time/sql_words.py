"""What the queries over the table of statements have in common: groups, columns, literals."""

from __future__ import annotations

from tenantmetrics.records.call import NOT_REACHED
from tenantmetrics.sqltext.fingerprint import fingerprint

__all__ = [
    "BEGIN_GROUP",
    "BYTES",
    "COLD",
    "FAILED",
    "FAILED_GROUP",
    "KIND",
    "OPERATIONS",
    "REACHED",
    "REST_GROUP",
    "WARM_WORKLESS",
    "WORKLESS",
    "WORKLESS_GROUP",
    "double",
    "text",
    "workless_group",
]

WORKLESS_GROUP = -1
"""The group of the statements that do no work."""
BEGIN_GROUP = -3
"""The group of the operations that do no work: BEGIN and ROLLBACK."""

REST_GROUP = -2
"""The group of the statements that have no group of their own."""

FAILED_GROUP = -4
"""The group of the calls that failed, whatever their statement; and its fingerprint."""

# BEGIN and ROLLBACK are operations of the API, which may take a connection or give it back: what
# they take is told apart from statements without work, which are more like those with.
_OPERATIONS = (0, *(fingerprint(word) for word in ("BEGIN", "START TRANSACTION", "ROLLBACK")))
OPERATIONS = ", ".join(map(str, _OPERATIONS))
KIND = (
    f"CASE WHEN kind = 'workless' AND fingerprint IN ({OPERATIONS}) THEN 'begin' "
    f"WHEN kind = 'cold_workless' AND fingerprint IN ({OPERATIONS}) THEN 'cold_begin' "
    "ELSE kind END"
)
WARM_WORKLESS = "kind = 'workless'"
WORKLESS = "(kind = 'workless' OR kind = 'cold_workless')"
FAILED = "(kind = 'failed' OR kind = 'cold_failed')"
COLD = "(kind = 'cold_work' OR kind = 'cold_workless' OR kind = 'cold_failed')"
BYTES = "(request_bytes + response_bytes)"


def double(number: float) -> str:
    """The shortest text that reads back as the same IEEE double."""
    return f"CAST('{number!r}' AS DOUBLE)"


def text(value: str) -> str:
    """A string literal; a backslash would be an escape in Spark."""
    return "'" + value.replace("'", "''") + "'"


REACHED = f"NOT outcome IN ({', '.join(map(text, sorted(NOT_REACHED)))})"
"""Calls that the database saw."""


def workless_group(statement: int) -> int:
    """The group of a statement that does no work, by its fingerprint."""
    return BEGIN_GROUP if statement in _OPERATIONS else WORKLESS_GROUP
