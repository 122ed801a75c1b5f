"""Is everything there that delivery needs? Dry checks that write no metric and no object.

What delivery would make at its start, the folders of a ledger and of the spool, is made here too.

Each check ends in a line: what was looked at, how it is, what to do. What a destination needs, it
checks itself: see `Destination.check`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tenantmetrics.config import Config, misspelt
from tenantmetrics.errors import TenantMetricsError, redacted
from tenantmetrics.export.aws import region
from tenantmetrics.export.checks import Finding, State, aws_call, aws_client, short
from tenantmetrics.export.registry import find

__all__ = ["Finding", "State", "examine"]


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
    specs = [spec for spec in config.exporters if isinstance(spec, str)]
    if any(_uses_aws(spec) for spec in specs):
        yield from _credentials()
    for spec in config.exporters:
        if not isinstance(spec, str):
            yield Finding(spec.name, State.OK, "an exporter of the application's own")
            continue
        name, _, rest = spec.partition(":")
        try:
            yield from find(name).check(rest, config)
        except TenantMetricsError as error:
            yield Finding(redacted(spec), State.FAILED, str(error))


def _uses_aws(spec: str) -> bool:
    name, _, rest = spec.partition(":")
    try:
        return find(name).uses_aws(rest)
    except TenantMetricsError:
        return False


def _credentials() -> Iterator[Finding]:
    import boto3  # noqa: PLC0415 - slow to import

    what = "aws: credentials"
    try:
        session = boto3.session.Session()
        credentials: Any = session.get_credentials()
    except Exception as error:  # noqa: BLE001 - a profile that does not exist, a broken file
        yield Finding(what, State.FAILED, short(error))
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
        name
        for partition in session.get_available_partitions()
        for name in session.get_available_regions("cloudwatch", partition)
    }
    if where not in known:
        yield Finding(
            "aws: region", State.WARNING, f"{where!r} is not a region that boto3 knows: a typo?"
        )
    yield from aws_call(
        "aws: identity", lambda: aws_client("sts").get_caller_identity(), "sts:GetCallerIdentity"
    )
