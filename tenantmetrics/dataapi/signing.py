"""Signature Version 4 of requests to the Data API: made by botocore's signer, checked by ours.

Checking is what AWS does: the signature is made again from the request as it arrived and the secret
key of the caller that it names.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tenantmetrics.dataapi.errors import ApiError

__all__ = ["SERVICE", "Verifier", "sign"]

SERVICE = "rds-data"
"""The name of the service in a signature's scope."""

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request,\s*"
    r"SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})",
)
_CLOCK_SKEW = timedelta(minutes=5)
"""How far a request's time may be off (AWS, Signature Version 4)."""


def sign(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    credentials: Any,
    region: str,
) -> dict[str, str]:
    """Sign a POST.

    Args:
        url: Where it goes, with its path.
        body: The whole body.
        headers: What is signed and sent with it. What a proxy on the way may change must not be
            here: the receiver would see another request than was signed.
        credentials: botocore's, or anything with access_key, secret_key and token.
        region: AWS region of the endpoint.

    Returns:
        The headers to send: those given, X-Amz-Date, X-Amz-Security-Token where there is a token,
        and Authorization.
    """
    request = AWSRequest(method="POST", url=url, headers=dict(headers), data=body)
    SigV4Auth(credentials, SERVICE, region).add_auth(request)
    return {str(name): str(value) for name, value in request.headers.items()}


class Verifier:
    """Checks requests against known credentials.

    Args:
        credentials: Access key → secret key.
    """

    def __init__(self, credentials: Mapping[str, str]) -> None:
        self._credentials = dict(credentials)

    def check(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        """Let a request with a good signature pass.

        Args:
            method: "POST".
            target: Path and query as they came, not decoded.
            headers: All headers, their names in lower case.
            body: The whole body.

        Raises:
            ApiError: There is no signature, or not that of a known key.
        """
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
        if service != SERVICE:
            raise _mismatch(f"Credential should be scoped to correct service: '{SERVICE}'.")
        timestamp = headers.get("x-amz-date", "")
        if not timestamp.startswith(date) or not _fresh(timestamp):
            raise _mismatch("Signature expired or not yet valid: check the clock.")
        signed = {name: headers.get(name, "") for name in names.split(";")}
        if "host" not in signed:
            raise _mismatch("The host header must be signed.")
        request = AWSRequest(
            method=method, url=f"http://{signed['host']}{target}", headers=signed, data=body
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
