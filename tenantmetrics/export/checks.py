"""What checks of destinations have in common: a finding, a connection, an AWS call, its clock.

AWS checks authorisation before it looks at a request's content, so a request that can never be
carried out tells whether it would have been allowed.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from tenantmetrics.errors import redacted
from tenantmetrics.export.aws import CREDENTIAL_CODES, region

__all__ = ["TIMEOUT_S", "Finding", "State", "aws_call", "aws_client", "connect", "short"]

TIMEOUT_S = 3.0
"""Seconds that a check waits for an answer."""
_SKEW_WARN_S = 60
_SKEW_MAX_S = 300
"""SigV4 requests are refused when they are 5 minutes off (AWS General Reference)."""


class State(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Finding(NamedTuple):
    """One check's line.

    Attributes:
        what: What was looked at ("cloudwatch: permission").
        state: How it is.
        says: The detail, and what to do where it is not well. No secrets.
    """

    what: str
    state: State
    says: str


def aws_client(service: str) -> Any:
    """A boto3 client that tries once and gives up soon.

    Args:
        service: As for `boto3.client`.
    """
    import boto3  # noqa: PLC0415 - slow to import
    from botocore.config import Config as BotoConfig  # noqa: PLC0415

    session: Any = boto3.session.Session()  # its overloads know no variable service names
    return session.client(
        service,
        region_name=region(session),
        config=BotoConfig(
            connect_timeout=TIMEOUT_S,
            read_timeout=TIMEOUT_S,
            retries={"total_max_attempts": 1, "mode": "standard"},
        ),
    )


def aws_call(
    what: str, call: Callable[[], Any], needs: str, *, refused_is_fine: bool = False
) -> Iterator[Finding]:
    """One AWS call: whether it was allowed, and how far our clock is from theirs.

    Args:
        what: What is looked at.
        call: Makes the call.
        needs: The permission that it needs.
        refused_is_fine: A refusal for what the request lacks shows that it would be allowed.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - slow to import

    try:
        response = call()
    except ClientError as error:
        response = error.response
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = response.get("Error", {}).get("Code", "")
        if refused_is_fine and status == 400 and code not in CREDENTIAL_CODES:  # noqa: PLR2004
            yield Finding(what, State.OK, f"{needs} is allowed")
        else:
            yield Finding(what, State.FAILED, f"{needs}: {code or status}")
    except Exception as error:  # noqa: BLE001 - no connection, no name, no answer
        yield Finding(what, State.FAILED, f"{needs}: {short(error)}")
        return
    else:
        yield Finding(what, State.OK, f"{needs} is allowed")
    yield from _skew(response)


def _skew(response: Any) -> Iterator[Finding]:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - 10 ms: only for a check

    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    if "date" not in headers:
        return
    try:
        theirs = parsedate_to_datetime(headers["date"])
    except ValueError:
        return
    skew_s = (datetime.now(UTC) - theirs.astimezone(UTC)).total_seconds()
    if abs(skew_s) > _SKEW_WARN_S:
        state = State.FAILED if abs(skew_s) > _SKEW_MAX_S else State.WARNING
        yield Finding("aws: clock", state, f"{skew_s:+.0f} s from AWS's: set this machine's clock")


def connect(what: str, host: str, port: int) -> Finding:
    """Whether somebody listens there, and how long that took."""
    started = time.perf_counter()
    try:
        socket.create_connection((host, port), timeout=TIMEOUT_S).close()
    except OSError as error:
        return Finding(what, State.FAILED, f"{host}:{port}: {error.strerror or short(error)}")
    took_ms = (time.perf_counter() - started) * 1e3
    return Finding(what, State.OK, f"{host}:{port} answers in {took_ms:.1f} ms")


def short(error: BaseException) -> str:
    """An error on one line; its type where its text says nothing."""
    if type(error).__name__ == "NoRegionError":
        return "no region is set: set AWS_REGION"
    return redacted(" ".join(str(error).split()))[:200] or type(error).__name__
