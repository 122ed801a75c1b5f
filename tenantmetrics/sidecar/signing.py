"""Signature Version 4 for one service and few headers, its derived key kept for the day.

Signed are `content-type`, `host`, `x-amz-date`, `x-amz-security-token` and the body's hash, and no
more: whatever else a call carries may be changed on the way. botocore's signer takes 120 µs a call,
a third of all that the sidecar does; this one takes 3, and a test holds the two together.
Source: AWS, Signature Version 4, "Create a signed AWS API request".
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import NamedTuple

from tenantmetrics.dataapi.signing import SERVICE

__all__ = ["Key", "Signer"]

_MAX_KEYS = 64
"""Derived keys that are kept: a few regions, and what was used before credentials changed."""


class Key(NamedTuple):
    """Credentials at one moment.

    Attributes:
        access_key: AWS access key id.
        secret_key: AWS secret access key.
        token: Session token, or empty.
    """

    access_key: str
    secret_key: str
    token: str


class _Prepared(NamedTuple):
    """What signatures of one second have in common, up to the hash of the body."""

    canonical: str
    text: str
    derived: bytes
    headers: tuple[tuple[str, str], ...]
    authorization: str


class Signer:
    """Makes the headers that prove who calls.

    Args:
        clock: Seconds since the epoch; injected by tests.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._derived: dict[tuple[str, str, str], bytes] = {}
        self._second = 0
        self._prepared: dict[tuple[Key, str, str, str, str], _Prepared] = {}

    def sign(
        self, key: Key, *, region: str, host: str, path: str, content_type: str, digest: str
    ) -> list[tuple[str, str]]:
        """Sign a POST without a query.

        Args:
            key: Whose signature.
            region: AWS region in its scope.
            host: The Host header.
            path: The path, of characters that need no escaping.
            content_type: The Content-Type header; empty where there is none.
            digest: SHA-256 of the body, in hexadecimal.

        Returns:
            X-Amz-Date, X-Amz-Security-Token where there is a token, and Authorization.
        """
        second = int(self._clock())
        if second != self._second or len(self._prepared) >= _MAX_KEYS:
            self._second = second
            self._prepared = {}
        kind = (key, region, host, path, content_type)
        prepared = self._prepared.get(kind)
        if prepared is None:
            prepared = self._prepared[kind] = self._prepare(*kind)
        hashed = hashlib.sha256(f"{prepared.canonical}{digest}".encode()).hexdigest()
        signature = hmac.digest(prepared.derived, f"{prepared.text}{hashed}".encode(), "sha256")
        return [*prepared.headers, ("Authorization", f"{prepared.authorization}{signature.hex()}")]

    def _prepare(self, key: Key, region: str, host: str, path: str, content_type: str) -> _Prepared:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._second))
        lines, names = [], []
        if content_type:
            lines.append(f"content-type:{' '.join(content_type.split())}\n")
            names.append("content-type")
        lines.append(f"host:{host}\nx-amz-date:{stamp}\n")
        names.append("host;x-amz-date")
        headers = [("X-Amz-Date", stamp)]
        if key.token:
            lines.append(f"x-amz-security-token:{key.token}\n")
            names.append("x-amz-security-token")
            headers.append(("X-Amz-Security-Token", key.token))
        signed = ";".join(names)
        date = stamp[:8]
        scope = f"{date}/{region}/{SERVICE}/aws4_request"
        derived = self._derived.get((key.secret_key, date, region))
        return _Prepared(
            f"POST\n{path}\n\n{''.join(lines)}\n{signed}\n",
            f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n",
            derived or self._derive(key.secret_key, date, region),
            tuple(headers),
            f"AWS4-HMAC-SHA256 Credential={key.access_key}/{scope},"
            f" SignedHeaders={signed}, Signature=",
        )

    def _derive(self, secret: str, date: str, region: str) -> bytes:
        derived = f"AWS4{secret}".encode()
        for part in (date, region, SERVICE, "aws4_request"):
            derived = hmac.digest(derived, part.encode(), "sha256")
        if len(self._derived) >= _MAX_KEYS:
            self._derived = {}
        self._derived[secret, date, region] = derived
        return derived
