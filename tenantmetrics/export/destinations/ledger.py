"""The ledger, in a folder or on S3: see `export.ledger` and `export.ledger_s3`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from tenantmetrics.config import Config
from tenantmetrics.errors import ConfigError
from tenantmetrics.export.base import Exporter
from tenantmetrics.export.checks import Finding, State, aws_call, aws_client
from tenantmetrics.export.destination import Destination, Estimate, Sample

__all__ = ["DESTINATION"]

_S3_PUT_1K = Decimal("0.005")
"""S3 Standard, a thousand PUT requests (S3 pricing page, us-east-1)."""
_OBJECTS = 2
"""A window's main table and its statements."""


def _make(rest: str, config: Config) -> Exporter:
    if not rest:
        raise ConfigError("needs a folder: write ledger:/var/lib/tenantmetrics")
    if rest.startswith("s3://"):
        from tenantmetrics.export.ledger_s3 import S3LedgerExporter  # noqa: PLC0415 - when used

        return S3LedgerExporter(rest, spool_path=config.spool_path, spool_bytes=config.spool_bytes)
    if "://" in rest or rest.lower().startswith("s3:"):
        raise ConfigError("is no folder: write ledger:FOLDER or ledger:s3://BUCKET/PREFIX")
    from tenantmetrics.export.ledger import LedgerExporter  # noqa: PLC0415 - when used

    return LedgerExporter(rest)


def _check(rest: str, config: Config) -> Iterator[Finding]:
    _make(rest, config).close()
    if not _on_s3(rest):
        free = os.statvfs(Path(rest))
        gb = free.f_bavail * free.f_frsize / 1e9
        state = State.OK if gb > 1 else State.WARNING
        yield Finding("ledger: folder", state, f"{rest} is writable, {gb:.1f} GB free")
        return
    bucket, _, prefix = rest.removeprefix("s3://").partition("/")
    key = "/".join(part for part in (prefix.strip("/"), "tenantmetrics-doctor") if part)
    yield from aws_call(
        "ledger: permission",
        # A digest that is wrong: S3 refuses to store it, but only from whoever may store at all.
        lambda: aws_client("s3").put_object(
            Bucket=bucket, Key=key, Body=b"x", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA=="
        ),
        f"s3:PutObject on s3://{bucket}/{key}",
        refused_is_fine=True,
    )


def _estimate(sample: Sample) -> Iterator[Estimate]:
    cost = _S3_PUT_1K * _OBJECTS * sample.windows_a_month / 1_000
    yield Estimate("ledger on S3", f"{_OBJECTS} objects", 0, 0.0, cost)


def _on_s3(rest: str) -> bool:
    return rest.startswith("s3://")


DESTINATION = Destination(
    name="ledger",
    forms="ledger:FOLDER, ledger:s3://BUCKET/PREFIX",
    make=_make,
    check=_check,
    estimate=_estimate,
    uses_aws=_on_s3,
)
