"""Signature Version 4, checked the way AWS does: by making it again."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tenantmetrics.localapi.apierrors import ApiError

__all__ = ["Verifier"]

_SERVICE = "rds-data"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request,\s*"
    r"SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})",
)
_CLOCK_SKEW = timedelta(minutes=5)
"""How far a request's time may be off (AWS, Signature Version 4)."""


class Verifier:
    """Checks requests against known credentials.

    Args:
        credentials: Access key → secret key.
    """

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._credentials = dict(credentials)

    def check(self, scope: MutableMapping[str, Any], body: bytes) -> None:
        """Let a request with a good signature pass.

        Args:
            scope: The ASGI scope.
            body: The whole body.

        Raises:
            ApiError: There is no signature, or not that of a known key.
        """
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        if "authorization" not in headers:
            raise ApiError("MissingAuthenticationTokenException", "Missing Authentication Token")
        found = _AUTHORIZATION.fullmatch(headers["authorization"].strip())
        if found is None:
            raise _mismatch("The Authorization header is not that of Signature Version 4.")
        key, date, region, service, names, signature = found.groups()
        secret = self._credentials.get(key)
        if secret is None:
            raise ApiError(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )
        if service != _SERVICE:
            raise _mismatch(f"Credential should be scoped to correct service: '{_SERVICE}'.")
        timestamp = headers.get("x-amz-date", "")
        if not timestamp.startswith(date) or not _fresh(timestamp):
            raise _mismatch("Signature expired or not yet valid: check the clock.")
        signed = {name: headers.get(name, "") for name in names.split(";")}
        if "host" not in signed:
            raise _mismatch("The host header must be signed.")
        request = AWSRequest(
            method=scope["method"],
            url=f"http://{signed['host']}{scope['raw_path'].decode('latin-1')}",
            headers=signed,
            data=body,
        )
        request.context["timestamp"] = timestamp
        signer = SigV4Auth(Credentials(key, secret), service, region)
        expected = signer.signature(
            signer.string_to_sign(request, signer.canonical_request(request)),
            request,
        )
        if not hmac.compare_digest(expected, signature):
            raise _mismatch(
                "The request signature we calculated does not match the signature you provided.",
            )


def _fresh(timestamp: str) -> bool:
    try:
        then = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(datetime.now(UTC) - then) <= _CLOCK_SKEW


def _mismatch(text: str) -> ApiError:
    return ApiError("InvalidSignatureException", text)
