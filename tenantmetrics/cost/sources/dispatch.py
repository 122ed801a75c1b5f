"""Which kind of usage an address names, and the folder that it becomes."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from tempfile import TemporaryDirectory

from tenantmetrics.cost.s3 import S3Ledger
from tenantmetrics.cost.sources.emf import LogUsage
from tenantmetrics.cost.sources.metrics import MetricUsage
from tenantmetrics.cost.sources.s3_logs import S3Logs
from tenantmetrics.cost.statement import Period
from tenantmetrics.cost.usage import first_and_last
from tenantmetrics.errors import ReportError

__all__ = ["Kind", "UsageFolder", "kind_of", "last_s", "opened"]

_METRICS = "cloudwatch:"
_S3 = ("s3://", "s3a://")

_PathLike = str | os.PathLike[str]


class Kind(Enum):
    """Where usage comes from."""

    LEDGER = auto()
    S3 = auto()
    LOGS = auto()
    METRICS = auto()


@dataclass(frozen=True, slots=True)
class UsageFolder:
    """A period's usage, ready to be summed.

    Attributes:
        folder: A ledger's folder.
        notes: What a reader must know of where it comes from.
        left_out: What could not be read and was left out, in words; of a ledger in a folder, what
            sums it up says so itself.
    """

    folder: _PathLike
    notes: tuple[str, ...] = ()
    left_out: str = ""


def kind_of(usage: _PathLike) -> Kind:
    """Which kind a value names.

    A folder with a Parquet file anywhere in it is a ledger; one with other files holds logs. So it
    is on S3, where only a look at the objects tells.

    Raises:
        ReportError: It names none.
    """
    text = os.fspath(usage)
    if text.startswith(_S3):
        return Kind.S3
    if text.startswith(_METRICS):
        return Kind.METRICS
    if "://" in text:
        raise ReportError(
            f"usage {text!r} is of no known kind: give a ledger's folder or s3://bucket/prefix, "
            "exported logs (a file or a folder), or cloudwatch:NAMESPACE"
        ).about("usage")
    path = Path(text)
    if path.suffix == ".parquet":
        return Kind.LEDGER
    if path.is_file():
        return Kind.LOGS
    others = False
    for _, _, names in os.walk(path):
        seen = [name for name in names if not name.startswith(".")]
        if any(name.endswith(".parquet") for name in seen):
            return Kind.LEDGER
        others = others or bool(seen)
    return Kind.LOGS if others else Kind.LEDGER


@contextmanager
def opened(
    usage: _PathLike,
    period: Period,
    *,
    tenants: Collection[str] = (),
    skip_corrupt: bool = False,
    reads_s3: bool = False,
    now_s: float,
) -> Iterator[UsageFolder]:
    """A period's usage as a ledger's folder, which is gone afterwards where it had to be made.

    Args:
        usage: A ledger's folder or `s3://bucket/prefix`, exported logs, or `cloudwatch:NAMESPACE`.
        period: Which part of it.
        tenants: Tenants that metrics are asked for though CloudWatch may not list them any more.
        skip_corrupt: Go on without what cannot be read.
        reads_s3: Leave an S3 ledger where it lies, for an engine that reads it there.
        now_s: Seconds since the epoch.

    Raises:
        LedgerError: S3 cannot be read, or a ledger there holds nothing in the period.
        ReportError: The value is of no known kind, logs are broken, CloudWatch cannot be read, or
            there is nothing in the period.
    """
    kind = kind_of(usage)
    if kind is Kind.LEDGER or (kind is Kind.S3 and reads_s3):
        yield UsageFolder(usage)
        return
    with TemporaryDirectory(prefix="tenantmetrics-") as temporary:
        folder = Path(temporary)
        if kind is Kind.S3:
            yield _from_s3(os.fspath(usage), period, folder, skip_corrupt=skip_corrupt)
        elif kind is Kind.LOGS:
            logs = LogUsage(usage, skip_corrupt=skip_corrupt)
            logs.fetch(period, folder)
            yield UsageFolder(folder, logs.notes, logs.left_out)
        else:
            metrics = MetricUsage(os.fspath(usage).removeprefix(_METRICS), tenants)
            metrics.fetch(period, folder, now_s)
            yield UsageFolder(folder, metrics.notes)


def _from_s3(url: str, period: Period, folder: Path, *, skip_corrupt: bool) -> UsageFolder:
    with S3Ledger(url) as remote, S3Logs(url) as objects:
        if not objects.there():
            remote.fetch(period, folder)
            return UsageFolder(folder)
        fetched = folder / ".fetched"
        objects.fetch(fetched)
    logs = LogUsage(fetched, skip_corrupt=skip_corrupt, shown=url)
    logs.fetch(period, folder)
    return UsageFolder(folder, logs.notes, logs.left_out)


def last_s(usage: _PathLike) -> int:
    """A moment in the last month of the usage, seconds since the epoch.

    Raises:
        LedgerError: A ledger is missing or empty, or S3 cannot be read.
        ReportError: Logs hold nothing; or the usage does not say when it ends, as metrics and logs
            on S3 do not.
    """
    kind = kind_of(usage)
    if kind is Kind.LEDGER:
        return first_and_last(usage)[1]
    if kind is Kind.LOGS:
        return LogUsage(usage).last_s()
    url = os.fspath(usage)
    if kind is Kind.S3:
        with S3Ledger(url) as remote, S3Logs(url) as objects:
            if not objects.there():
                return int(remote.last_day().timestamp())
    raise ReportError(f"usage {url!r} needs a month, such as 2026-11").about("month")
