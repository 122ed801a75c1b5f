"""Which cluster is which PostgreSQL, and which secret is which role.

A file for several of them is TOML:

    [[cluster]]
    arn = "arn:aws:rds:us-east-1:123456789012:cluster:main"
    postgres = "postgresql://localhost:5432/app"     # or "embedded"
    database = "app"                                 # used when a call names none

    [[secret]]
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app"
    user = "app_user"
    password = "..."                                 # or password_env = "APP_PASSWORD"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tenantmetrics.dataapi import guesses
from tenantmetrics.dataapi.errors import ApiError
from tenantmetrics.errors import LocalApiError, why_unreadable

__all__ = ["EMBEDDED", "Cluster", "Directory", "Secret", "cluster_arn", "load", "secret_arn"]

EMBEDDED = "embedded"
_ACCOUNT = "123456789012"
_REGION = "us-east-1"
_CONNECT_TIMEOUT_S = "10"
_TEXT_OPTIONS = "-c TimeZone=UTC -c DateStyle=ISO,MDY"
_TIMED_OPTION = " -c client_min_messages=log"
"""What makes PostgreSQL send its durations to the client; any role may set it."""
_APPLICATION = "rds-data-api"
"""The application_name of the Data API's sessions (AWS, "Monitoring RDS Data API queries with
Performance Insights")."""


def cluster_arn(name: str) -> str:
    """The ARN of a local cluster."""
    return f"arn:aws:rds:{_REGION}:{_ACCOUNT}:cluster:{name}"


def secret_arn(name: str) -> str:
    """The ARN of a local secret."""
    return f"arn:aws:secretsmanager:{_REGION}:{_ACCOUNT}:secret:{quote(name, safe='/_+=.@-')}"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A resourceArn.

    Attributes:
        arn: The ARN.
        postgres: URL or connection string, or `EMBEDDED`.
        database: Database of calls that name none; None for the URL's own.
    """

    arn: str
    postgres: str
    database: str | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """A secretArn.

    Attributes:
        arn: The ARN.
        user: Role to connect as; None for the URL's own.
        password: Its password; None for the URL's own or none at all.
    """

    arn: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


class Directory:
    """Looks up ARNs.

    Args:
        clusters: All clusters; the first is the default.
        secrets: All secrets; the first is the default.
        accept_any_arn: Use the defaults for unknown ARNs instead of refusing them.
        timed: Ask for what PostgreSQL reports of its statements' durations.
    """

    def __init__(
        self,
        clusters: list[Cluster],
        secrets: list[Secret],
        *,
        accept_any_arn: bool = False,
        timed: bool = False,
    ) -> None:
        self._timed = timed
        self.clusters = {cluster.arn: cluster for cluster in clusters}
        self.secrets = {secret.arn: secret for secret in secrets}
        self._any_cluster = clusters[0] if accept_any_arn else None
        self._any_secret = secrets[0] if accept_any_arn else None

    def conninfo(self, resource: str, secret: str, database: str | None) -> tuple[str, str]:
        """Libpq's connection string for a call, and the name of its database.

        Args:
            resource: resourceArn.
            secret: secretArn.
            database: The call's database, if it names one.

        Raises:
            ApiError: An ARN is unknown.
        """
        cluster = self.clusters.get(resource, self._any_cluster)
        if cluster is None:
            status, code = guesses.UNKNOWN_RESOURCE
            raise ApiError(code, f"DBCluster {resource} not found", status=status)
        credentials = self._secret(secret)
        if credentials is None:
            status, code = guesses.UNKNOWN_SECRET
            raise ApiError(
                code,
                f"Secrets Manager can't find the specified secret: {secret}",
                status=status,
            )
        return _conninfo(cluster, credentials, database, timed=self._timed)

    def role(self, secret: str) -> str:
        """The role of a secretArn; empty for that of the cluster's URL, or an unknown ARN."""
        credentials = self._secret(secret)
        return (credentials.user if credentials is not None else None) or ""

    def _secret(self, arn: str) -> Secret | None:
        return self.secrets.get(arn, self._any_secret)


@lru_cache(maxsize=1024)
def _conninfo(
    cluster: Cluster, secret: Secret, database: str | None, *, timed: bool
) -> tuple[str, str]:
    parts = conninfo_to_dict(cluster.postgres)
    name = database or cluster.database or str(parts.get("dbname") or "postgres")
    settings: dict[str, Any] = {
        "connect_timeout": _CONNECT_TIMEOUT_S,
        "application_name": _APPLICATION,
        **parts,
        "dbname": name,
        "client_encoding": "UTF8",
        # What the text of results depends on; `pgtypes` reads it.
        "options": f"{parts.get('options') or ''} {_TEXT_OPTIONS}"
        f"{_TIMED_OPTION if timed else ''}".strip(),
    }
    if secret.user is not None:
        settings["user"] = secret.user
    if secret.password is not None:
        settings["password"] = secret.password
    return make_conninfo("", **settings), name


def checked_url(url: str) -> str:
    """The URL, if libpq can read it.

    Raises:
        LocalApiError: It cannot.
    """
    try:
        conninfo_to_dict(url)
    except ProgrammingError as error:
        # libpq's text may quote the URL, which may hold a password.
        raise LocalApiError(
            "not a valid PostgreSQL URL: write postgresql://user:password@host:port/database"
            f" ({type(error).__name__})",
        ) from None
    return url


def load(
    path: str | Path,
    environ: Mapping[str, str] = os.environ,
) -> tuple[list[Cluster], list[Secret]]:
    """Read a file of clusters and secrets; its form stands at the top of this module.

    Args:
        path: The file.
        environ: Where `password_env` is looked up.

    Raises:
        LocalApiError: It is missing or wrong; names the entry.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise LocalApiError(f"cannot read {path}: {why_unreadable(error)}") from None
    except tomllib.TOMLDecodeError as error:
        raise LocalApiError(f"{path} is not TOML: {error}") from None
    known = {"cluster", "secret"}
    if unknown := set(content) - known:
        raise LocalApiError(f"{path}: unknown {min(unknown)!r}: known are cluster, secret")
    clusters = [
        Cluster(entry["arn"], checked_url_or_embedded(entry["postgres"]), entry.get("database"))
        for entry in _entries(content, "cluster", path, {"arn", "postgres"}, {"database"})
    ]
    secrets = []
    optional = {"user", "password", "password_env"}
    for entry in _entries(content, "secret", path, {"arn"}, optional):
        password = entry.get("password")
        if (variable := entry.get("password_env")) is not None:
            password = environ.get(variable)
            if password is None:
                raise LocalApiError(f"{path}: {variable} of secret {entry['arn']} is not set")
        secrets.append(Secret(entry["arn"], entry.get("user"), password))
    if not clusters or not secrets:
        raise LocalApiError(f"{path}: needs at least one [[cluster]] and one [[secret]]")
    return clusters, secrets


def checked_url_or_embedded(text: str) -> str:
    """`EMBEDDED`, or what `checked_url` returns."""
    return text if text == EMBEDDED else checked_url(text)


def _entries(
    content: dict[str, Any],
    kind: str,
    path: str | Path,
    required: set[str],
    optional: set[str],
) -> list[dict[str, str]]:
    """The entries of one kind, checked."""
    entries = content.get(kind, [])
    if not isinstance(entries, list):
        raise LocalApiError(f"{path}: write [[{kind}]] with two brackets")
    arns: set[str] = set()
    for number, entry in enumerate(entries, 1):
        where = f"{path}: [[{kind}]] number {number}"
        for name in sorted(required - set(entry)):
            raise LocalApiError(f"{where} has no {name!r}")
        for name, value in entry.items():
            if name not in required | optional:
                raise LocalApiError(f"{where}: unknown {name!r}")
            if not isinstance(value, str):
                raise LocalApiError(f"{where}: {name!r} must be a string")
        if entry["arn"] in arns:
            raise LocalApiError(f"{where}: {entry['arn']} is listed twice")
        arns.add(entry["arn"])
    return entries
