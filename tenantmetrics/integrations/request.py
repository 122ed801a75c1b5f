"""What a way of finding the tenant may look at: one shape for every protocol and framework."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tenantmetrics.integrations.refusal import RefusedRequestError

__all__ = ["WebRequest", "is_plain", "lowered"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd\\%]")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRequest:
    """A request before the application has seen it.

    Attributes:
        method: GET, POST …; empty for a WebSocket.
        path: As the application routes it: decoded, without what it is mounted at.
        headers: Names in lower case and values, in the order and the number that they came in.
        session: Opens the framework's session; None where there is none.
        claims: What an authorizer in front of the application has verified.
        native: The protocol's own request: ASGI's scope, WSGI's environ, Lambda's event.
        folds_underscores: Whether the server may make one of `X-Tenant-Id` and `X_Tenant_Id`.
    """

    method: str = ""
    path: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    session: Callable[[], Mapping[str, Any]] | None = None
    claims: Mapping[str, Any] = field(default_factory=dict)
    native: Any = None
    folds_underscores: bool = False

    def header(self, name: str) -> str | None:
        """A header's value; None where it is not sent, or empty.

        Args:
            name: In any case.

        Raises:
            RefusedRequestError: It was sent twice, or holds what no header should.
        """
        wanted = name.lower()
        values = [value for found, value in self.headers if found == wanted]
        if not values:
            return None
        if len(values) > 1:
            raise RefusedRequestError(f"header {wanted} was sent {len(values)} times")
        value = values[0].strip(" \t")
        if not value.isascii() or not value.isprintable():
            raise RefusedRequestError(f"header {wanted} is not printable ASCII")
        return value or None


def lowered(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """ASGI's headers as `WebRequest.headers`.

    Args:
        headers: Pairs of name and value.
    """
    return tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers
    )


def is_plain(path: str) -> bool:
    """Whether everybody reads a path alike: nothing in it could be decoded or resolved once more.

    Args:
        path: Decoded.
    """
    if not path.startswith("/") or "//" in path or _CONTROL.search(path):
        return False
    return all(segment not in {".", ".."} for segment in path.split("/"))
