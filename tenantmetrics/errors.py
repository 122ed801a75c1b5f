"""The errors tenantmetrics raises, all of them for set-up or input mistakes.

    TenantMetricsError
    ├── ConfigError            names the setting, its value, its origin, what is allowed
    ├── MissingExtraError      needs an extra that is not installed (an ImportError too)
    ├── TenantRefusedError     `strict` refused a call before it was sent (no tenant, or a conflict)
    ├── LedgerError            a ledger is missing, empty or unreadable: names the file
    ├── PriceError             a price file lacks a price or has an impossible one: names the entry
    ├── ReportError            a report cannot be made: no such month, nothing in it
    │   └── UnbalancedError    its lines do not add up to the bill: names the difference
    ├── ServerLoadError        the server's own account of its load cannot be read: names what to do
    ├── ConsoleError           a dashboard or an alarm cannot be built, checked or deployed
    ├── LocalApiError          the local Data API endpoint cannot start
    └── RlsError               row-level security: no tenant, a value or a table that is not allowed
        └── TransactionTimedOutError  the transaction is no longer there: AWS has ended it

The data path raises none of these, `TenantRefusedError` apart, which only `strict` switches on, and
`RlsError`, which is about transactions that you ask `tenantmetrics.rls` for.
"""

from __future__ import annotations

import re
from typing import Self

__all__ = [
    "ConfigError",
    "ConsoleError",
    "LedgerError",
    "LocalApiError",
    "MissingExtraError",
    "PriceError",
    "ReportError",
    "RlsError",
    "ServerLoadError",
    "TenantMetricsError",
    "TenantRefusedError",
    "TransactionTimedOutError",
    "UnbalancedError",
    "redacted",
]

_USER = re.compile(r"(://)[^/?#@\s'\"]+@")
_QUERY = re.compile(r"(://[^?\s'\"]*\?)[^\s'\"]+")


def redacted(text: str) -> str:
    """A text for people, without what URLs in it may carry of secrets: user, password, query."""
    return _QUERY.sub(r"\1***", _USER.sub(r"\1***@", text))


def why_unreachable(error: Exception, url: str) -> str:
    """Why psycopg made no connection, on one line, without what its URL may carry of secrets.

    Args:
        error: What `psycopg.connect` raised. A URL that it cannot read it quotes in part, and of a
            password with an @ it takes the end for the host, the port or the database.
        url: What it was to connect to.
    """
    text = redacted(" ".join(str(error).split()))
    if type(error).__name__ == "ProgrammingError" or url.partition("?")[0].count("@") > 1:
        return (
            "its URL cannot be read: it is postgresql://user@host:5432/database, with special "
            "characters of a password as %40 for @ and so on"
        )
    return text


def why_unreadable(error: OSError | ValueError | RecursionError) -> str:
    """Why a file cannot be read: the system's words without its path, or the parser's."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return getattr(error, "strerror", None) or str(error)


class TenantMetricsError(Exception):
    """Anything tenantmetrics raises on purpose; its text is one line that says what to do.

    Attributes:
        fields: The fields of a request or the arguments that it is about, by their names in
            Python. The command line and the scheduled report add what they are called there.
    """

    fields: tuple[str, ...] = ()

    def about(self, *fields: str) -> Self:
        """The same error, with the fields that it is about."""
        self.fields = fields
        return self


class ConfigError(TenantMetricsError, ValueError):
    """A setting has a value that is not allowed.

    Args:
        message: What is wrong; passwords in URLs are left out of it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(redacted(message))


class MissingExtraError(TenantMetricsError, ImportError):
    """An optional dependency is needed and absent.

    Args:
        what: What was asked for, as the subject of a sentence ("the ledger exporter").
        extra: The extra that brings it ("ledger").
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs the {extra!r} extra: pip install 'tenantmetrics[{extra}]'",
        )


class TenantRefusedError(TenantMetricsError):
    """`strict` is on, and the call names no tenant or names two that disagree."""


class LedgerError(TenantMetricsError):
    """A ledger cannot be read: missing, empty, or a file in it is corrupt."""


class PriceError(TenantMetricsError, ValueError):
    """A price is missing, negative or not a number."""


class ReportError(TenantMetricsError):
    """The report cannot be made: a month that does not parse, a period without data."""


class UnbalancedError(ReportError):
    """The lines of a report do not add up to the bill."""


class ServerLoadError(TenantMetricsError):
    """What the database or AWS says of its load cannot be read, or is not what it should be."""


class ConsoleError(TenantMetricsError, ValueError):
    """A dashboard or an alarm cannot be built, checked, deployed or rehearsed."""


class LocalApiError(TenantMetricsError):
    """The local Data API endpoint cannot start: a port in use, a database out of reach."""


class RlsError(TenantMetricsError):
    """Row-level security cannot be kept: no tenant, or a value or a table that is not allowed."""


class TransactionTimedOutError(RlsError):
    """The transaction is no longer there: idle for 3 minutes, 24 hours old, or already ended.

    Raised of a commit that the SDK repeated because its first answer was lost, it does not say that
    nothing was kept.
    """
