"""Ways of finding the tenant of a request; `jwt` has one more.

| way | who vouches for the tenant |
|---|---|
| `FromJwt` | whoever holds the signing key |
| `FromSession` | the application, which wrote the session |
| `FromAuthorizer` | AWS, or the authorizer in front of the Lambda function |
| `FromHeader` | nobody, unless a proxy in front sets the header and drops what the client sent |
| `FromPath`, `FromHost` | nobody: the client writes them |
| `FromFunction` | the function |
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from uuid import UUID

from tenantmetrics.errors import ConfigError
from tenantmetrics.integrations.refusal import RefusedRequestError
from tenantmetrics.integrations.request import WebRequest, is_plain

__all__ = [
    "FromAuthorizer",
    "FromFunction",
    "FromHeader",
    "FromHost",
    "FromPath",
    "FromSession",
    "Way",
    "name_of",
]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
_SUFFIX = re.compile(rf"{_LABEL}(?:\.{_LABEL})+", re.ASCII)


class Way(Protocol):
    """One way of finding the tenant.

    Attributes:
        tenant: Takes a `WebRequest`; gives a str, an int, a UUID, or None where the request says
            nothing of this way. Raises `RefusedRequestError` where it says something wrong: no
            other way is asked then.
    """

    @property
    def tenant(self) -> Callable[[WebRequest], Any]: ...  # noqa: D102 - above

    def waits(self, request: WebRequest) -> bool:
        """Whether the answer may take time, so that an event loop asks on a thread."""
        ...


def name_of(value: Any) -> str | None:
    """A value as a tenant's name.

    Args:
        value: A str, an int, a UUID, or None.

    Raises:
        TypeError: It is of another type.
    """
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, int | UUID) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"a tenant is a str, an int or a UUID, not {type(value).__name__}")


class _AtOnce:
    """A way that answers from the request alone."""

    def waits(self, request: WebRequest) -> bool:  # noqa: ARG002 - of the protocol
        """Never."""
        return False


class FromHeader(_AtOnce):
    """The value of a header.

    Args:
        name: The header, such as "X-Tenant-Id".
        underscores_dropped: Whether a proxy in front drops headers with underscores in their names,
            as nginx does by default. Some WSGI servers (uWSGI, Granian, wsgiref) take `X_Tenant_Id`
            for `X-Tenant-Id`: a client could send the former past a proxy that sets the latter.

    Raises:
        ConfigError: That is no header's name.
    """

    def __init__(self, name: str, *, underscores_dropped: bool = False) -> None:
        if not _TOKEN.fullmatch(name) or "_" in name:
            raise ConfigError(f"{name!r} is not a header name (RFC 9110, 5.1; proxies drop '_')")
        self._name = name
        self._dropped = underscores_dropped or "-" not in name

    def tenant(self, request: WebRequest) -> str | None:
        """As `Way.tenant`.

        Raises:
            ConfigError: The server may have taken it from a header of another name.
        """
        found = request.header(self._name)
        if found is not None and request.folds_underscores and not self._dropped:
            raise ConfigError(
                f"FromHeader({self._name!r}): this server also takes "
                f"{self._name.replace('-', '_')!r} for it, which a client can send past a proxy "
                "that sets the former. Use a server that drops such names (gunicorn, waitress, any "
                "of ASGI), or say underscores_dropped=True if the proxy does"
            )
        return found


class FromPath(_AtOnce):
    """A segment of the path.

    Args:
        template: Such as "/t/{tenant}": what the path begins with, the tenant one whole segment.

    Raises:
        ConfigError: The template has no segment `{tenant}`, or is no plain path.
    """

    def __init__(self, template: str) -> None:
        segments = template.split("/")
        if not is_plain(template) or segments.count("{tenant}") != 1 or template.count("{") != 1:
            raise ConfigError(f"path template {template!r}: must be like '/t/{{tenant}}'")
        self._before = segments[: segments.index("{tenant}")]
        self._after = segments[segments.index("{tenant}") + 1 :]

    def tenant(self, request: WebRequest) -> str | None:
        """As `Way.tenant`."""
        at, segments = len(self._before), request.path.split("/")
        after = segments[at + 1 : at + 1 + len(self._after)]
        if not is_plain(request.path):
            raise RefusedRequestError("the path can be read in more than one way")
        if segments[:at] != self._before or after != self._after or len(segments) <= at:
            return None
        return segments[at] or None


class FromHost(_AtOnce):
    """The host name that the client asked for.

    Args:
        template: Such as "{tenant}.example.com": the tenant is one label, the first.
        apart: Labels that are no tenants.
        hosts: Further whole host names → their tenants, such as {"acme.com": "acme"}.
        header: Where the name is; "X-Forwarded-Host" only behind a proxy that sets it.

    Raises:
        ConfigError: The template is not like the example, or a host name is none.
    """

    def __init__(
        self,
        template: str | None = None,
        *,
        apart: tuple[str, ...] = ("www", "api", "admin"),
        hosts: Mapping[str, str] | None = None,
        header: str = "Host",
    ) -> None:
        first, _, suffix = (template or "").lower().partition(".")
        if template is not None and (first != "{tenant}" or not _SUFFIX.fullmatch(suffix)):
            raise ConfigError(f"host template {template!r}: must be like '{{tenant}}.example.com'")
        self._hosts = {host.lower(): tenant for host, tenant in (hosts or {}).items()}
        for host in self._hosts:
            if not re.fullmatch(rf"{_LABEL}(?:\.{_LABEL})*", host):
                raise ConfigError(f"host {host!r}: must be a host name without a port")
        if template is None and not self._hosts:
            raise ConfigError("FromHost needs a template or hosts")
        self._pattern = re.compile(rf"({_LABEL}){re.escape('.' + suffix)}") if template else None
        self._apart = frozenset(label.lower() for label in apart)
        self._header = header

    def tenant(self, request: WebRequest) -> str | None:
        """As `Way.tenant`."""
        sent = request.header(self._header)
        if sent is None:
            return None
        found = _HOST.fullmatch(sent.lower())
        if found is None:
            raise RefusedRequestError("the host name is not valid")
        host = found.group(1).removesuffix(".")
        if host in self._hosts:
            return self._hosts[host]
        label = self._pattern.fullmatch(host) if self._pattern is not None else None
        return label.group(1) if label is not None and label.group(1) not in self._apart else None


class FromSession(_AtOnce):
    """A value of the framework's session, which the application has written at login.

    Args:
        key: Its key.
    """

    def __init__(self, key: str = "tenant_id") -> None:
        self._key = key

    def tenant(self, request: WebRequest) -> str | None:
        """As `Way.tenant`.

        Raises:
            ConfigError: There is no session here.
        """
        if request.session is None:
            raise ConfigError(
                "FromSession: the request has no session here; the session's middleware must be "
                "outside of (added after, in Starlette and FastAPI) the tenant's"
            )
        try:
            return name_of(request.session().get(self._key))
        except TypeError:
            raise RefusedRequestError("the session's tenant is not a name", 401) from None

    def waits(self, request: WebRequest) -> bool:
        """A session may be in a database; Starlette's is in a cookie, and in the scope already."""
        return not isinstance(request.native, dict) or "session" not in request.native


class FromAuthorizer(_AtOnce):
    """A claim that an authorizer in front of the application has verified (AWS Lambda).

    Args:
        claim: Its name, such as "custom:tenant_id" of a Cognito user pool.
    """

    def __init__(self, claim: str = "tenant_id") -> None:
        self._claim = claim

    def tenant(self, request: WebRequest) -> str | None:
        """As `Way.tenant`."""
        try:
            return name_of(request.claims.get(self._claim))
        except TypeError:
            raise RefusedRequestError("the authorizer's tenant is not a name", 401) from None


class FromFunction:
    """What a function of yours says.

    Args:
        function: Takes a `WebRequest`, gives the tenant or None. In an ASGI application a coroutine
            function is awaited, and any other is called on a thread. It is called without a tenant.
    """

    def __init__(
        self, function: Callable[[WebRequest], str | Awaitable[str | None] | None]
    ) -> None:
        self.tenant: Callable[[WebRequest], Any] = function

    def waits(self, request: WebRequest) -> bool:  # noqa: ARG002 - of the protocol
        """It may ask a database."""
        return True
