"""The ledger, in a folder or on S3: see `export.ledger` and `export.ledger_s3`."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from tenantmetrics.buckets import unlisted
from tenantmetrics.config import Config
from tenantmetrics.errors import ConfigError, MissingExtraError
from tenantmetrics.export.base import Exporter
from tenantmetrics.export.checks import Finding, State, aws_call, aws_client
from tenantmetrics.export.destination import Destination, Estimate, Sample

__all__ = ["DESTINATION"]

_S3_PUT_1K = Decimal("0.005")
"""S3 Standard, a thousand PUT requests (S3 pricing page, us-east-1)."""
_NO_BUCKET = "names no bucket: write ledger:s3://BUCKET/PREFIX"
_OBJECTS = 2
"""A window's main table and its statements."""


def _refuse_malformed(rest: str) -> None:
    if not rest:
        raise ConfigError("needs a folder: write ledger:/var/lib/tenantmetrics")
    if not _on_s3(rest) and ("://" in rest or rest.lower().startswith("s3:")):
        raise ConfigError("is not a folder: write ledger:FOLDER or ledger:s3://BUCKET/PREFIX")
    if words := unlisted(rest):
        raise ConfigError(words)


def _make(rest: str, config: Config) -> Exporter:
    _refuse_malformed(rest)
    if _on_s3(rest):
        from tenantmetrics.export.ledger_s3 import S3LedgerExporter  # noqa: PLC0415 - when used

        return S3LedgerExporter(rest, spool_path=config.spool_path, spool_bytes=config.spool_bytes)
    from tenantmetrics.export.ledger import LedgerExporter  # noqa: PLC0415 - when used

    return LedgerExporter(rest)


def _check(rest: str, config: Config) -> Iterator[Finding]:  # noqa: ARG001 - as others need it
    """Look, and make nothing: an exporter makes its folder, and its spool's."""
    _refuse_malformed(rest)
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingExtraError("the ledger exporter", "ledger")
    if not _on_s3(rest):
        yield _folder_finding(Path(rest).absolute())
        return
    bucket, _, prefix = rest.removeprefix("s3://").partition("/")
    if not bucket:
        raise ConfigError(_NO_BUCKET)
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


def _folder_finding(folder: Path) -> Finding:
    """Whether a folder can be written to, or made."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise ConfigError(f"ledger folder {str(folder)!r} cannot be made: {there} is not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        what = "is not writable" if there == folder else f"cannot be made: {there} is not writable"
        raise ConfigError(f"ledger folder {str(folder)!r} {what}")
    free = os.statvfs(there)
    gb = free.f_bavail * free.f_frsize / 1e9
    state = State.OK if gb > 1 else State.WARNING
    found = "is writable" if there == folder else f"will be made in {there}"
    return Finding("ledger: folder", state, f"{folder} {found}, {gb:.1f} GB free")


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
