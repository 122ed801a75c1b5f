"""A ledger on S3: the objects of a period, brought to a folder that is read like any other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from tenantmetrics import ledger
from tenantmetrics.cost.s3_prefix import S3Prefix
from tenantmetrics.errors import LedgerError
from tenantmetrics.statement import Period

__all__ = ["S3Ledger", "days_of"]


def days_of(period: Period) -> list[date]:
    """The UTC days that a period touches: the ledger's `date` partitions."""
    first = datetime.fromtimestamp(period.start_s, UTC).date()
    last = datetime.fromtimestamp(period.end_s - 1, UTC).date()
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


class S3Ledger(S3Prefix):
    """Objects under `s3://bucket/prefix`, as the S3 ledger exporter writes them.

    Region, credentials and endpoint are boto3's own. It needs `s3:ListBucket` and `s3:GetObject`.
    Close it, or use it in a `with` statement.

    Args:
        url: `s3://bucket/prefix`.

    Raises:
        LedgerError: The address names no bucket, or S3 cannot be reached with these credentials.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        # Hadoop's name of the same thing is what Spark reads outside EMR.
        if parts.scheme not in {"s3", "s3a"} or not parts.netloc:
            raise LedgerError(f"ledger {url!r}: write s3://bucket/prefix")
        super().__init__(url, "ledger")

    def last_day(self) -> datetime:
        """Midnight UTC of the last day in the ledger.

        Raises:
            LedgerError: There is none, or S3 cannot be read.
        """
        days = self._days()
        if not days:
            raise LedgerError(f"ledger {self.url!r} is empty: no date=... in it")
        return datetime.fromisoformat(days[-1]).replace(tzinfo=UTC)

    def fetch(self, period: Period, folder: Path) -> None:
        """Bring the period's objects to a folder, under their own names, statements among them.

        Raises:
            LedgerError: There is nothing in the period, or S3 cannot be read.
        """
        self.download_all(self.objects(period), lambda key: _target(key, folder))
        beside = folder / ledger.STATEMENTS
        self.download_all(self.statements(period), lambda key: _target(key, beside))

    def objects(self, period: Period) -> dict[str, int]:
        """Keys of the period's objects and their sizes in bytes; also those with strange names.

        Raises:
            LedgerError: There is nothing in the period, or S3 cannot be read.
        """
        found = {
            key: size
            for day in days_of(period)
            for key, size in self._keys(f"date={day}/")
            if _within(key, period)
        }
        if not found:
            raise LedgerError(self.nothing(period))
        return found

    def statements(self, period: Period) -> list[str]:
        """Keys of the period's objects of the table of statements; none in an old ledger.

        Raises:
            LedgerError: S3 cannot be read.
        """
        return [
            key
            for day in days_of(period)
            for key, _ in self._keys(f"{ledger.STATEMENTS}/date={day}/")
            if _within(key, period)
        ]

    def nothing(self, period: Period) -> str:
        """What to say when the period turns out to be empty."""
        days = self._days()
        there = f"{days[0]} to {days[-1]} is there" if days else "it is empty"
        return f"ledger {self.url!r} holds nothing for {period.label} ({there})"

    def _days(self) -> list[str]:
        prefix = f"{self.prefix}date="
        return sorted(
            str(one["Prefix"]).removeprefix(prefix).rstrip("/")
            for page in self.pages("date=", Delimiter="/")
            for one in page.get("CommonPrefixes", ())
        )

    def _keys(self, below: str) -> Iterator[tuple[str, int]]:
        for page in self.pages(below):
            for one in page.get("Contents", ()):
                if str(one["Key"]).endswith(".parquet"):
                    yield str(one["Key"]), int(one["Size"])

    def fetch_one(self, key: str, folder: Path) -> Path:
        """Bring one object to a folder; its file.

        Raises:
            LedgerError: S3 cannot be read.
        """
        return self.download(key, _target(key, folder))


def _target(key: str, folder: Path) -> Path:
    """Where an object goes in a folder."""
    # The key is S3's word: only its last two folders and its name are taken, none climbs out.
    return folder.joinpath(*(part for part in key.split("/")[-3:] if part not in {"", ".", ".."}))


def _within(key: str, period: Period) -> bool:
    """Whether an object's window is in the period; one with another name is left to the reader."""
    name = ledger.parse(key.rpartition("/")[2])
    return name is None or period.start_s <= name.start_s < period.end_s
