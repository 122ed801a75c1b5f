"""How a statement ended, as PostgreSQL reports it."""

from __future__ import annotations

from typing import NamedTuple

from psycopg import pq
from psycopg.pq.abc import PGresult

__all__ = ["Failure", "Outcome", "read_failure"]


class Failure(NamedTuple):
    """PostgreSQL's report of an error.

    Attributes:
        severity: "ERROR", "FATAL" or "PANIC".
        message: The primary message.
        detail: More, or empty.
        hint: What to do, or empty.
        position: Character of the statement, from 1, or empty.
        sqlstate: Five characters.
    """

    severity: str
    message: str
    detail: str
    hint: str
    position: str
    sqlstate: str


class Outcome(NamedTuple):
    """How a statement ended.

    Attributes:
        failure: Why it failed, else None.
        command: The command tag ("INSERT 0 1").
        affected: Rows that the tag counts, 0 where it counts none.
        has_rows: Whether it returned a result set, however empty.
    """

    failure: Failure | None
    command: str
    affected: int
    has_rows: bool


def read_failure(result: PGresult) -> Failure:
    """What the fields of an error result say."""
    field = pq.DiagnosticField

    def text(name: pq.DiagnosticField) -> str:
        return (result.error_field(name) or b"").decode("utf-8", "replace")

    return Failure(
        text(field.SEVERITY_NONLOCALIZED) or "ERROR",
        text(field.MESSAGE_PRIMARY) or " ".join(result.get_error_message().split()),
        text(field.MESSAGE_DETAIL),
        text(field.MESSAGE_HINT),
        text(field.STATEMENT_POSITION),
        text(field.SQLSTATE),
    )
