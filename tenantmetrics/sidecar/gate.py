"""Who may pass: what is refused before anything is read of a body, and what a body may name.

A web page must not reach the sidecar: a browser sends Origin or Sec-Fetch-Site with what it posts
elsewhere, and the name of its own site as Host where that name was made to point here. An SDK sends
the address that it was told. Refusals have the Data API's form, so that an SDK shows them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tenantmetrics.dataapi import guesses
from tenantmetrics.dataapi.errors import ApiError, malformed
from tenantmetrics.dataapi.operations import PATHS, Operation
from tenantmetrics.sidecar.settings import Settings

__all__ = ["REQUEST_MAX_BYTES", "Gate", "too_large"]

REQUEST_MAX_BYTES = 4 * 1024 * 1024
"""A request may have 4 MiB with its headers (AWS, Data API limitations)."""

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ONCE = frozenset({b"host", b"content-type", b"amz-sdk-invocation-id", b"x-amz-date"})


class Gate:
    """The rules of one sidecar.

    Args:
        settings: What it was told.
    """

    def __init__(self, settings: Settings) -> None:
        prefix = f"/{settings.token}" if settings.token else ""
        self._routes = {f"{prefix}{path}".encode(): wire for path, wire in PATHS.items()}
        own = settings.host if ":" not in settings.host else f"[{settings.host}]"
        self._hosts = {name.lower().encode() for name in (*_LOOPBACK, own, *settings.hosts)}
        # Nothing but a program of this machine can open a unix socket.
        self._checks_host = not settings.uds
        self._usual_host: bytes | None = None
        self._once = _ONCE | {settings.tenant_header.encode()}
        self._clusters = frozenset(settings.resource_arns)
        self._secrets = frozenset(settings.secret_arns)

    def host_is_ours(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a request was sent to a name of ours, and not by a browser for another site."""
        if b"origin" in headers or b"sec-fetch-site" in headers or b"sec-fetch-mode" in headers:
            return False
        host = headers.get(b"host", b"")
        if host == self._usual_host or not self._checks_host:
            return True
        if _without_port(host) not in self._hosts:
            return False
        self._usual_host = host
        return True

    def operation(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> Operation:
        """What is asked for.

        Args:
            scope: ASGI's.
            headers: By name in lower case; of several of a name the last.

        Raises:
            ApiError: Nobody may ask that, or not so.
        """
        if not self.host_is_ours(headers):
            raise ApiError(
                "AccessDeniedException",
                "The sidecar takes no requests from web pages, nor for other names than its own"
                " (Host, Origin)",
            )
        found = self._routes.get(scope["raw_path"])
        if (
            found is None
            or scope["method"] != "POST"
            or scope["query_string"]
            or scope.get("absolute")
        ):
            status, code = guesses.UNKNOWN_PATH
            raise ApiError(
                code, "The sidecar forwards the operations of the Data API only", status=status
            )
        if len(headers) != len(scope["headers"]):
            self._check_repeated(scope["headers"])
        return found

    def _check_repeated(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Headers that decide something must be there once: whom would each side believe?"""
        seen = set()
        for name, _ in headers:
            if name in seen and name in self._once:
                raise ApiError(
                    "ValidationException", f"The header {name.decode('latin-1')} was sent twice"
                )
            seen.add(name)

    def parameters(self, wire: Operation, body: bytes) -> dict[str, Any] | None:
        """What a body says; None where it is no JSON object, which the endpoint will tell.

        Raises:
            ApiError: It names a cluster or a secret that is not on the list.
        """
        listed = self._clusters or self._secrets
        try:
            # A name that is there twice is read by one side and not by the other.
            hook = _unique if listed else None
            content = json.loads(body.decode(), object_pairs_hook=hook)
        except _RepeatedError:
            raise ApiError("ValidationException", "The body has a duplicate key") from None
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            if listed:
                raise malformed("The request's body", "a JSON object")
            return None
        for member, allowed, word in (
            (wire.cluster_member, self._clusters, "cluster"),
            (wire.secret_member, self._secrets, "secret"),
        ):
            named = content.get(member)
            if allowed and not (isinstance(named, str) and named in allowed):
                raise ApiError(
                    "AccessDeniedException", f"The sidecar's list of allowed {word}s lacks {member}"
                )
        if wire.sql_member != "sql" and "sql" in content:
            # The endpoint passes over it; it must not say whose the call is.
            content = {name: value for name, value in content.items() if name != "sql"}
        return content


class _RepeatedError(Exception):
    """A JSON object has a name twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RepeatedError
    return found


def _without_port(host: bytes) -> bytes:
    host = host.lower()
    name, colon, port = host.rpartition(b":")
    return name if colon and port.isdigit() else host


def too_large(size: int) -> ApiError:
    """What the Data API answers to a request that is too long.

    Args:
        size: Its bytes, headers included.
    """
    status, code = guesses.BODY_TOO_LARGE
    return ApiError(
        code, f"The request has {size} bytes; {REQUEST_MAX_BYTES} are allowed", status=status
    )
