"""Is everything there that delivery needs? Dry checks that write no metric and no object.

What delivery would make at its start, the folders of a ledger and of the spool, is made here too.

Each check ends in a line: what was looked at, how it is, what to do. AWS checks authorisation
before it looks at a request's content, so a request that can never be carried out tells whether it
would have been allowed.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tenantmetrics.config import Config, misspelt
from tenantmetrics.errors import TenantMetricsError, redacted
from tenantmetrics.export.aws import CREDENTIAL_CODES, region

__all__ = ["Finding", "State", "examine"]

_TIMEOUT_S = 3.0
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


def examine(config: Config) -> Iterator[Finding]:
    """Check what the configured exporters need.

    Args:
        config: The settings.

    Yields:
        Findings in the order of the exporters.
    """
    for name, meant in misspelt().items():
        yield Finding(f"setting {name}", State.WARNING, f"unknown: did you mean {meant}?")
    if not config.exporters:
        yield Finding("exporters", State.WARNING, "none: numbers are only in stats()")
    aws = [one for one in config.exporters if one == "cloudwatch" or one.startswith("ledger:s3://")]
    if aws or any(_is_cloudwatch_otlp(one) for one in config.exporters):
        yield from _credentials()
    for spec in config.exporters:
        name, _, rest = spec.partition(":")
        check = _CHECKS.get(name)
        if check is None:
            yield Finding(redacted(spec), State.FAILED, "unknown exporter")
            continue
        try:
            yield from check(rest, config)
        except TenantMetricsError as error:
            yield Finding(redacted(spec), State.FAILED, str(error))


def _is_cloudwatch_otlp(spec: str) -> bool:
    from tenantmetrics.export.otlp import target  # noqa: PLC0415 - only where OTLP is used

    name, _, rest = spec.partition(":")
    try:
        return name == "otlp" and bool(target(rest).region)
    except TenantMetricsError:
        return False


def _client(service: str) -> Any:
    import boto3  # noqa: PLC0415 - slow to import
    from botocore.config import Config as BotoConfig  # noqa: PLC0415

    session: Any = boto3.session.Session()  # its overloads know no variable service names
    return session.client(
        service,
        region_name=region(session),
        config=BotoConfig(
            connect_timeout=_TIMEOUT_S,
            read_timeout=_TIMEOUT_S,
            retries={"total_max_attempts": 1, "mode": "standard"},
        ),
    )


def _credentials() -> Iterator[Finding]:
    import boto3  # noqa: PLC0415 - slow to import

    what = "aws: credentials"
    try:
        session = boto3.session.Session()
        credentials: Any = session.get_credentials()
    except Exception as error:  # noqa: BLE001 - a profile that does not exist, a broken file
        yield Finding(what, State.FAILED, _short(error))
        return
    if credentials is None:
        yield Finding(what, State.FAILED, "none found: set a role, a profile or AWS_ACCESS_KEY_ID")
        return
    where = region(session)
    if where is None:
        yield Finding("aws: region", State.FAILED, "none set: set AWS_DEFAULT_REGION")
        return
    yield Finding(what, State.OK, f"found by {credentials.method}, region {where}")
    known = {
        one
        for partition in session.get_available_partitions()
        for one in session.get_available_regions("cloudwatch", partition)
    }
    if where not in known:
        yield Finding("aws: region", State.WARNING, f"{where!r} is none that boto3 knows: a typo?")
    yield from _call(
        "aws: identity", lambda: _client("sts").get_caller_identity(), "sts:GetCallerIdentity"
    )


def _cloudwatch(_rest: str, config: Config) -> Iterator[Finding]:
    yield from _call(
        "cloudwatch: permission",
        # No data at all: refused for what it lacks by whoever would be allowed to send it.
        lambda: _client("cloudwatch").put_metric_data(Namespace=config.namespace, MetricData=[]),
        "cloudwatch:PutMetricData",
        refused_is_fine=True,
    )


def _emf(_rest: str, config: Config) -> Iterator[Finding]:
    from tenantmetrics.export.emf import agent_address  # noqa: PLC0415 - only where it is used

    address = agent_address()
    if address is None:
        yield Finding("emf: stdout", State.OK, f"namespace {config.namespace}")
        return
    scheme, (host, port) = address
    if scheme == "udp":
        yield Finding("emf: agent", State.WARNING, f"udp://{host}:{port}: nobody acknowledges")
        return
    yield _connect("emf: agent", host, port)


def _otlp(rest: str, _config: Config) -> Iterator[Finding]:
    from tenantmetrics.export.otlp import target  # noqa: PLC0415 - only where it is used

    to = target(rest)
    what = "otlp: endpoint"
    parts = urlsplit(to.url)
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    reach = _connect(what, parts.hostname or "", port)
    yield reach
    if reach.state is not State.OK:
        return
    from opentelemetry.sdk.metrics.export import MetricsData  # noqa: PLC0415

    from tenantmetrics.export.resume import Fate, Undelivered  # noqa: PLC0415

    deadline_s = time.monotonic() + _TIMEOUT_S
    sender: Any
    if to.grpc:
        from tenantmetrics.export.otlp_grpc import GrpcSender  # noqa: PLC0415

        sender = GrpcSender(to.url, deadline_s, time.monotonic)
    else:
        from tenantmetrics.export.otlp_http import HttpSender, Signer  # noqa: PLC0415

        signer = Signer(to.region) if to.region else None
        sender = HttpSender(to.url, deadline_s, time.monotonic, signer)
    try:
        sender.send(MetricsData(()))
        yield Finding("otlp: request", State.OK, "an empty request was taken")
    except Undelivered as undelivered:
        refused = bool(to.region) and undelivered.fate is Fate.REJECTED
        if refused:  # for what it lacks, by whoever would be allowed to send more
            yield Finding("otlp: request", State.OK, "cloudwatch:PutMetricData is allowed")
        else:
            yield Finding(
                "otlp: request",
                State.FAILED,
                f"{undelivered.fate.value}: {_short(undelivered.error)}",
            )
    finally:
        sender.close()


def _ledger(rest: str, config: Config) -> Iterator[Finding]:
    from tenantmetrics.export.registry import build  # noqa: PLC0415 - pyarrow behind it

    for exporter in build([f"ledger:{rest}"], config):
        exporter.close()
    if not rest.startswith("s3://"):
        free = os.statvfs(Path(rest))
        gb = free.f_bavail * free.f_frsize / 1e9
        state = State.OK if gb > 1 else State.WARNING
        yield Finding("ledger: folder", state, f"{rest} is writable, {gb:.1f} GB free")
        return
    bucket, _, prefix = rest.removeprefix("s3://").partition("/")
    key = "/".join(part for part in (prefix.strip("/"), "tenantmetrics-doctor") if part)
    yield from _call(
        "ledger: permission",
        # A digest that is wrong: S3 refuses to store it, but only from whoever may store at all.
        lambda: _client("s3").put_object(
            Bucket=bucket, Key=key, Body=b"x", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA=="
        ),
        f"s3:PutObject on s3://{bucket}/{key}",
        refused_is_fine=True,
    )


_CHECKS: dict[str, Callable[[str, Config], Iterator[Finding]]] = {
    "cloudwatch": _cloudwatch,
    "emf": _emf,
    "otlp": _otlp,
    "ledger": _ledger,
}


def _call(
    what: str, call: Callable[[], Any], needs: str, *, refused_is_fine: bool = False
) -> Iterator[Finding]:
    """One AWS call: whether it was allowed, and how far our clock is from theirs."""
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
        yield Finding(what, State.FAILED, f"{needs}: {_short(error)}")
        return
    else:
        yield Finding(what, State.OK, f"{needs} is allowed")
    yield from _skew(response)


def _skew(response: Any) -> Iterator[Finding]:
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


def _connect(what: str, host: str, port: int) -> Finding:
    started = time.perf_counter()
    try:
        socket.create_connection((host, port), timeout=_TIMEOUT_S).close()
    except OSError as error:
        return Finding(what, State.FAILED, f"{host}:{port}: {error.strerror or _short(error)}")
    took_ms = (time.perf_counter() - started) * 1e3
    return Finding(what, State.OK, f"{host}:{port} answers in {took_ms:.1f} ms")


def _short(error: BaseException) -> str:
    """An error on one line; its type where its text says nothing."""
    return redacted(" ".join(str(error).split()))[:200] or type(error).__name__
