"""What a sidecar is told, checked before anything starts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as ParserError
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tenantmetrics.errors import ConfigError, why_unreadable
from tenantmetrics.loopback import is_loopback

__all__ = ["Settings", "read_keys", "read_token"]

_TOKEN = re.compile(r"[A-Za-z0-9._~-]{16,200}")
"""What stands in a URL's path without being escaped, so that every SDK sends it as it is."""
_HEADER = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_OWN_HEADERS = frozenset({"host", "content-length", "content-type", "authorization", "x-amz-date"})
_MAX_PORT = 65_535
_MIN_S, _MAX_S = 0.1, 86_400.0
_ARN = re.compile(r"arn:[^\s*?]+")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
"""A name or an address, as it stands in a Host header before the port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of a sidecar.

    Attributes:
        host: Address to listen on. Anything but loopback needs a token or keys to verify with.
        port: Port; 0 takes a free one.
        uds: Path of a unix socket to listen on instead; empty for none.
        upstream: URL that all calls go to; empty for AWS, by the region of each call's cluster.
        region: Region of calls whose cluster names none, and one more that calls may go to.
        tenant_header: Name of a request header that names the tenant; empty for none.
        resource_arns: Clusters that may be called; empty for any.
        secret_arns: Secrets that may be named; empty for any.
        hosts: Names in the Host header that are taken beside loopback's and `host`.
        token: First part of the path that every call must have; empty for none.
        keys: Access key → secret key: the SDK's own signature is checked; None accepts any.
        count_marked: Record also what an instrumented client says it records itself.
        tenant_labels: Whether /metrics has tenants.
        max_tenants: Tenants on /metrics with numbers of their own.
        max_connections: Connections that clients may have open.
        max_calls: Calls under way at a time.
        read_timeout_s: Seconds in which a request must have come in whole.
        upstream_timeout_s: Seconds that an answer may take.
        grace_s: Seconds that clients have left after SIGTERM.
        flush_timeout_s: Seconds that all exporters together have at the end.
        log_calls: Whether each call is logged.
    """

    host: str = "127.0.0.1"
    port: int = 8787
    uds: str = ""
    upstream: str = ""
    region: str = ""
    tenant_header: str = ""
    resource_arns: tuple[str, ...] = ()
    secret_arns: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    token: str = ""
    keys: Mapping[str, str] | None = None
    count_marked: bool = False
    tenant_labels: bool = False
    max_tenants: int = 500
    max_connections: int = 1_024
    max_calls: int = 256
    read_timeout_s: float = 30.0
    upstream_timeout_s: float = 120.0
    grace_s: float = 20.0
    flush_timeout_s: float = 5.0
    log_calls: bool = False

    def check(self) -> None:
        """Look at what could not work, or not safely.

        Raises:
            ConfigError: One line says what is wrong.
        """
        _check_access(self)
        _check_names(self)
        _check_bounds(self)
        if self.upstream:
            _check_upstream(self.upstream)


def _check_access(settings: Settings) -> None:
    guarded = bool(settings.token) or settings.keys is not None
    if not settings.uds and not is_loopback(settings.host) and not guarded:
        raise ConfigError(
            f"host {settings.host}: others than this machine could run SQL with the sidecar's"
            " credentials; it needs a token, or keys to verify signatures with"
        )
    if settings.token and not _TOKEN.fullmatch(settings.token):
        raise ConfigError("the token must be 16 to 200 letters, digits and ._~- (not shown)")
    if settings.keys is not None and not settings.keys:
        raise ConfigError("the keys file has no keys: every call would be refused")


def _check_names(settings: Settings) -> None:
    name = settings.tenant_header
    if name and (not _HEADER.fullmatch(name) or name in _OWN_HEADERS):
        raise ConfigError(
            f"tenant header {name!r}: must be a header's name in lower case that the Data API does"
            " not use itself"
        )
    for arn in (*settings.resource_arns, *settings.secret_arns):
        if not _ARN.fullmatch(arn):
            raise ConfigError(
                f"allowed cluster or secret {arn!r}: must be a whole ARN, which begins with arn:"
                " and has no wildcards"
            )
    for host in settings.hosts:
        if not _HOST.fullmatch(host):
            raise ConfigError(
                f"host name {host!r}: must be a name alone, without scheme, port or path"
            )


def _check_bounds(settings: Settings) -> None:
    if not 0 <= settings.port <= _MAX_PORT:
        raise ConfigError(f"port {settings.port}: must be 0 (any free one) to {_MAX_PORT}")
    for name in ("max_connections", "max_calls"):
        if getattr(settings, name) < 1:
            raise ConfigError(f"{name} = {getattr(settings, name)}: must be at least 1")
    for name, least in (
        ("read_timeout_s", _MIN_S),
        ("upstream_timeout_s", _MIN_S),
        ("grace_s", 0),
        ("flush_timeout_s", 0),
    ):
        if not least <= getattr(settings, name) <= _MAX_S:  # NaN is in no range
            value = getattr(settings, name)
            raise ConfigError(f"{name} = {value:g}: must be {least:g} to {_MAX_S:g} seconds")


def _check_upstream(url: str) -> None:
    wrong = "must be http:// or https:// and a host, with or without a port, and nothing else"
    try:
        parts = urlsplit(url)
        good = parts.hostname and parts.port != 0 and parts.username is None
    except ValueError:
        raise ConfigError(f"upstream {url!r}: {wrong}") from None
    if not good or parts.scheme not in {"http", "https"} or parts.path not in {"", "/"}:
        raise ConfigError(f"upstream {url!r}: {wrong}")
    if parts.query or parts.fragment:
        raise ConfigError(f"upstream {url!r}: {wrong}")


def read_token(path: Path) -> str:
    """The token in a file, white space around it left out.

    Raises:
        ConfigError: It cannot be read, or holds no token.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"token file {path} cannot be read: {why_unreadable(error)}") from None
    if not text:
        raise ConfigError(f"token file {path} is empty")
    return text


def read_keys(path: Path) -> dict[str, str]:
    """Access keys and their secret keys, from a file in the form of AWS's `credentials`.

    Args:
        path: An INI file; each section has `aws_access_key_id` and `aws_secret_access_key`.

    Raises:
        ConfigError: It cannot be read, or a section lacks one of the two.
    """
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"keys file {path} cannot be read: {why_unreadable(error)}") from None
    except ParserError:
        raise ConfigError(f"keys file {path} is not INI, as AWS's credentials file is") from None
    keys = {}
    for section in parser.sections():
        values = parser[section]
        try:
            keys[values["aws_access_key_id"]] = values["aws_secret_access_key"]
        except KeyError as missing:
            raise ConfigError(f"keys file {path}, [{section}]: lacks {missing.args[0]}") from None
    return keys
