"""A ledger on S3: the objects of a period, brought to a folder that is read like any other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from tenantmetrics import ledger
from tenantmetrics.cost.s3_prefix import S3Prefix
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import LedgerError
from tenantmetrics.serverside.columns import TABLES
from tenantmetrics.serverside.tables import FOLDER

__all__ = ["S3Ledger", "days_of"]


def days_of(period: Period) -> list[date]:
    """The UTC days that a period touches: the ledger's `date` partitions."""
    first, last = _borders(period)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _borders(period: Period) -> tuple[date, date]:
    """The first and the last of them."""
    first = datetime.fromtimestamp(period.start_s, UTC).date()
    return first, datetime.fromtimestamp(period.end_s - 1, UTC).date()


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
        """Bring the period's objects to a folder, under their own names.

        Raises:
            LedgerError: There is nothing in the period, or S3 cannot be read.
        """
        self.download_all(self.objects(period), lambda key: _target(key, folder))
        self.download_all(self._other_tables(period), lambda key: self._below(key, folder))

    def statements(self, period: Period) -> dict[str, int]:
        """Keys and sizes of the period's objects of the table of statements; there may be none."""
        first, last = _borders(period)
        return {
            key: size
            for key, size in self._keys(first, last, f"{ledger.STATEMENTS}/")
            if _within(key, period)
        }

    def _other_tables(self, period: Period) -> Iterator[str]:
        """The period's objects of the tables beside the main one."""
        yield from self.statements(period)
        first, last = _borders(period)
        for table in TABLES:
            # A stretch of the server's may begin on the day before.
            for key, _ in self._keys(first - timedelta(days=1), last, f"{FOLDER}/{table}/"):
                yield key

    def _below(self, key: str, folder: Path) -> Path:
        """Where an object goes that keeps its place below the ledger."""
        parts = key.removeprefix(self.prefix).split("/")
        return folder.joinpath(*(part for part in parts if part not in {"", ".", ".."}))

    def objects(self, period: Period) -> dict[str, int]:
        """Keys of the period's objects and their sizes in bytes; also those with strange names.

        Raises:
            LedgerError: There is nothing in the period, or S3 cannot be read.
        """
        first, last = _borders(period)
        found = {key: size for key, size in self._keys(first, last) if _within(key, period)}
        if not found:
            raise LedgerError(self.nothing(period))
        return found

    def nothing(self, period: Period) -> str:
        """What to say when the period turns out to be empty."""
        days = self._days()
        there = f"{days[0]} to {days[-1]} is there" if days else "it is empty"
        return f"ledger {self.url!r} holds nothing for {period.label} ({there})"

    def _days(self) -> list[str]:
        prefix = f"{self.prefix}date="
        return sorted(
            str(entry["Prefix"]).removeprefix(prefix).rstrip("/")
            for page in self.pages("date=", Delimiter="/")
            for entry in page.get("CommonPrefixes", ())
        )

    def _keys(self, first: date, last: date, table: str = "") -> Iterator[tuple[str, int]]:
        """Keys and sizes of the Parquet files of some days, by one listing for all of them."""
        before = f"{self.prefix}{table}date="
        pages = self.pages(f"{table}date=", StartAfter=f"{before}{first}")
        listing = (entry for page in pages for entry in page.get("Contents", ()))
        for entry in ledger.of_days(listing, before, first, last):
            if str(entry["Key"]).endswith(".parquet"):
                yield str(entry["Key"]), int(entry["Size"])

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
