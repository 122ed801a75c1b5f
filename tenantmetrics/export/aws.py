"""What exporters to AWS share: clients with the deadline's timeouts, and what an error means."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from tenantmetrics.export.resume import Fate
from tenantmetrics.life import unforked
from tenantmetrics.records.call import THROTTLED

__all__ = ["CREDENTIAL_CODES", "Clients", "fate", "region"]

_CONNECT_TIMEOUT_S = 2.0
_READ_TIMEOUT_S = 5.0
_STEPS_S = (5.0, 2.0, 1.0, 0.5, 0.25, 0.1)
"""A botocore client's timeouts are fixed; a short deadline gets a client of its own."""


_THROTTLES = THROTTLED | {
    "EC2ThrottledException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
}
CREDENTIAL_CODES = frozenset(
    {
        # AWS's common errors of authentication and authorisation, with the suffix that JSON
        # protocols add and without. Those answer 400 where the others answer 401 or 403.
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
"""Refusals that say nothing about the request: whoever is asked again with better credentials, or
with its clock set, may take it."""


def fate(error: BaseException, operation: str) -> Fate:
    """Read botocore's exception.

    Args:
        error: What a client's method raised.
        operation: The API operation; another's error is one of finding credentials (AssumeRole).

    Returns:
        THROTTLED for a refusal because of load (503 among them: the service did not take the work
        on); FAILED where no request was sent or credentials were refused, both of which may be
        repaired; REJECTED for any other 4xx; UNCERTAIN for all else: 500, a connection that broke
        after the request went out, an answer that nobody could read.
    """
    from botocore import exceptions as botocore  # noqa: PLC0415 - exporters import lazily

    if isinstance(error, botocore.ClientError):
        return _refused(error.response) if error.operation_name == operation else Fate.FAILED
    if isinstance(error, botocore.ParamValidationError):
        return Fate.REJECTED  # our own mistake, and the same tomorrow
    not_connected = (
        botocore.EndpointConnectionError,
        botocore.ConnectTimeoutError,
        botocore.ProxyConnectionError,
        botocore.SSLError,
    )
    if isinstance(error, not_connected):
        return Fate.FAILED
    sent = (botocore.HTTPClientError, botocore.IncompleteReadError)
    # Whatever else botocore raises comes before a request: no region, no credentials, an SSO
    # session that has ended, a profile that does not parse.
    if isinstance(error, botocore.BotoCoreError) and not isinstance(error, sent):
        return Fate.FAILED
    return Fate.UNCERTAIN


def _refused(response: Any) -> Fate:
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = response.get("Error", {}).get("Code", "")
    if code in _THROTTLES or status in {429, 503}:
        return Fate.THROTTLED
    if status in {401, 403, 404} or code in CREDENTIAL_CODES:
        return Fate.FAILED
    return Fate.REJECTED if 400 <= status < 500 else Fate.UNCERTAIN  # noqa: PLR2004


def region(session: Any) -> str | None:
    """The region of a boto3 session: its own, else AWS_REGION, which boto3 itself does not read.

    ECS and App Runner set AWS_REGION alone.
    """
    return session.region_name or os.environ.get("AWS_REGION") or None


class Clients:
    """One service's clients, one for each length of timeout; used by one thread at a time.

    Retries are off: what may be repeated is for the exporter to say.

    Args:
        service: As for `boto3.client`.
        clock: Monotonic seconds; injected by tests.
        **config: Further arguments of `botocore.config.Config`.
    """

    def __init__(
        self, service: str, *, clock: Callable[[], float] = time.monotonic, **config: Any
    ) -> None:
        self._config = config
        self._service = service
        self._clock = clock
        self.default_region = ""
        """AWS region where neither boto3 nor AWS_REGION names one."""
        self._session: Any = None
        self._made: dict[float, Any] = {}

    def within(self, deadline_s: float) -> Any:
        """A client whose calls end before a deadline, name resolution apart.

        Args:
            deadline_s: On the clock.

        Raises:
            TimeoutError: No time is left.
            BotoCoreError: No region is set, or the profile does not exist.
        """
        left_s = deadline_s - self._clock()
        step_s = next((step for step in _STEPS_S if step <= left_s), 0.0)
        if not step_s:
            raise TimeoutError("out of time before the request was sent")
        client = self._made.get(step_s)
        if client is None:
            client = self._made[step_s] = self._make(step_s)
        return client

    def _make(self, timeout_s: float) -> Any:
        with unforked:
            import boto3  # noqa: PLC0415 - loaded already by whoever has a client to meter
            from botocore.config import Config  # noqa: PLC0415

            if self._service == "s3":
                import boto3.s3.transfer  # noqa: PLC0415 - its client loads it

        if self._session is None:
            self._session = boto3.session.Session()
        # Connecting and reading come one after the other: together they are the timeout.
        connect_s = min(_CONNECT_TIMEOUT_S, timeout_s / 2)
        return self._session.client(
            self._service,
            region_name=region(self._session) or self.default_region or None,
            config=Config(
                connect_timeout=connect_s,
                read_timeout=min(_READ_TIMEOUT_S, timeout_s - connect_s),
                retries={"total_max_attempts": 1, "mode": "standard"},
                max_pool_connections=1,
                # A third of an export's CPU; the exporters' own tests check what they build.
                parameter_validation=False,
                **self._config,
            ),
        )

    def forget(self) -> None:
        """Close the clients; the next one resolves credentials and region anew."""
        made, self._made, self._session = self._made, {}, None
        for client in made.values():
            client.close()
