"""PostgreSQL's errors in the Data API's form."""

from __future__ import annotations

from tenantmetrics.dataapi import guesses
from tenantmetrics.dataapi.errors import ApiError, database_error
from tenantmetrics.errors import redacted
from tenantmetrics.localapi.outcome import Failure, Outcome

__all__ = ["refused", "succeed"]


def succeed(outcome: Outcome, version: int = 2) -> None:
    """Raise what PostgreSQL reported, in the form of a version of the Data API."""
    if outcome.failure is not None:
        raise reported(outcome.failure, version)


def reported(failure: Failure, version: int = 2) -> ApiError:
    parts = [f"{failure.severity}: {failure.message}"]
    parts += [
        f"{name}: {text}"
        for name, text in (
            ("Detail", failure.detail),
            ("Hint", failure.hint),
            ("Position", failure.position),
        )
        if text
    ]
    state = f"; SQLState: {failure.sqlstate}" if failure.sqlstate else ""
    if version == 1:
        # The lines of JDBC's driver, and BadRequestException: sqlalchemy-aurora-data-api, issue 46;
        # typeorm, issue 7328.
        message = "\n  ".join(parts) + state
        return ApiError("BadRequestException", message, sqlstate=failure.sqlstate)
    return database_error("; ".join(parts) + state, failure.sqlstate)


_REFUSALS = {
    "does not exist": "3D000",
    "password authentication failed": "28P01",
    "no password supplied": "28P01",
    "too many": "53300",
    "permission denied for database": "42501",
    "is not permitted to log in": "28000",
}


def refused(text: str, resource: str) -> ApiError:
    """PostgreSQL's refusal to connect; libpq gives its text alone, so the SQLSTATE is read off.

    Args:
        text: Libpq's, on one line.
        resource: The call's resourceArn. What PostgreSQL itself says is passed on as it stands.
    """
    _, fatal, message = text.partition("FATAL: ")
    if not fatal:
        status, code = guesses.CONNECTION_LOST
        why = redacted(text)
        return ApiError(code, f"The database of {resource} cannot be reached: {why}", status=status)
    message = message.strip()
    sqlstate = next((state for part, state in _REFUSALS.items() if part in message), "08001")
    if sqlstate == "3D000" and message.startswith("role "):
        sqlstate = "28000"
    return database_error(f"FATAL: {message}; SQLState: {sqlstate}", sqlstate)
