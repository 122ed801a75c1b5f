"""Where the tables lie: a folder, or a prefix on S3. Files appear whole or not at all.

In a folder a file is written aside, synced and moved into place, as the ledger exporter does it; on
S3 an object is. Names are relative to the ledger and made of `/`. Region, credentials and endpoint
are boto3's own; S3 is asked for `s3:PutObject`, `s3:GetObject` and `s3:ListBucket`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import urlsplit

from tenantmetrics.buckets import unlisted
from tenantmetrics.errors import LedgerError
from tenantmetrics.export.aws import region
from tenantmetrics.export.ledger import write
from tenantmetrics.ledger import of_days

__all__ = ["Store", "store_of"]

_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 20
_ATTEMPTS = 4


class Store(Protocol):
    """A ledger's place."""

    def put(self, name: PurePosixPath, content: bytes) -> str:
        """Write a file, in the place of one of that name; its whole address.

        Raises:
            LedgerError: It cannot be written; what was there before is there still.
        """

    def get(self, name: PurePosixPath) -> bytes | None:
        """A file's content; None where there is none.

        Raises:
            LedgerError: It cannot be read.
        """

    def names(self, folder: PurePosixPath, first: date, last: date) -> Iterator[PurePosixPath]:
        """The files of some days, in order; none where there is no such folder.

        A folder may hold several ledgers, one a service: theirs too, each source and stretch once.

        Args:
            folder: What has a folder `date=YYYY-MM-DD` for each day.
            first: The first day.
            last: The last day.

        Raises:
            LedgerError: It cannot be listed.
        """


def store_of(ledger: str | os.PathLike[str]) -> Store:
    """The place of a ledger.

    Args:
        ledger: A folder, which need not be there yet, or `s3://bucket/prefix` (`s3a://` too).

    Raises:
        LedgerError: The address names no bucket, or one that can hold no ledger, or is another
            kind of URL.
    """
    text = os.fspath(ledger)
    if "://" not in text:
        return _Folder(Path(text))
    parts = urlsplit(text)
    if parts.scheme not in {"s3", "s3a"} or not parts.netloc or parts.query or parts.fragment:
        raise LedgerError(f"ledger {text!r}: give a folder or s3://bucket/prefix")
    if words := unlisted(text):
        raise LedgerError(f"ledger {text!r} {words}")
    return _S3(text, parts.netloc, PurePosixPath(parts.path.strip("/")))


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, name: PurePosixPath, content: bytes) -> str:
        target = self._root / name
        try:
            write(target, content)
        except OSError as error:
            raise LedgerError(f"{str(target)!r} cannot be written: {error.strerror}") from None
        return str(target)

    def get(self, name: PurePosixPath) -> bytes | None:
        target = self._root / name
        try:
            return target.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise LedgerError(f"{str(target)!r} cannot be read: {error.strerror}") from None

    def names(self, folder: PurePosixPath, first: date, last: date) -> Iterator[PurePosixPath]:
        # Absent is empty; anything else that keeps the folder from being read is told.
        ledgers = list(self._ledgers(folder.parts[0]))
        for number in range((last - first).days + 1):
            day = f"date={first + timedelta(days=number)}"
            files = [
                Path(path, name)
                for ledger in ledgers
                for path, _, names in os.walk(ledger / folder / day, onerror=_refuse)
                for name in names
            ]
            if len(ledgers) > 1:
                files = _each_once(files)
            yield from sorted(
                PurePosixPath(file.relative_to(self._root).as_posix()) for file in files
            )

    def _ledgers(self, tables: str) -> Iterator[Path]:
        """The ledgers of the folder that have the server's tables: itself, and those below it."""
        for path, below, _ in os.walk(self._root, onerror=_refuse):
            if tables in below:
                yield Path(path)
            below[:] = [name for name in below if not name.startswith(("_", "date="))]


def _each_once(files: list[Path]) -> list[Path]:
    """Of files of one name, which are of one source and stretch, the largest: it is told most."""
    found: dict[str, Path] = {}
    for file in sorted(files):
        other = found.setdefault(file.name, file)
        if other is not file and file.stat().st_size > other.stat().st_size:
            found[file.name] = file
    return list(found.values())


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise LedgerError(f"folder {str(error.filename)!r} cannot be read: {error.strerror}")


class _S3:
    def __init__(self, url: str, bucket: str, prefix: PurePosixPath) -> None:
        import boto3  # noqa: PLC0415 - 100 ms that a folder need not wait for
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        self._url = url.rstrip("/")
        self._bucket = bucket
        self._prefix = prefix
        self._errors: tuple[type[Exception], ...] = (BotoCoreError, ClientError)
        # A key's content is always the same, so botocore may repeat what it likes.
        config = Config(
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=_READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        )
        session = boto3.session.Session()
        try:
            self._client: Any = session.client("s3", region_name=region(session), config=config)
        except self._errors as error:
            raise self._failed("reached", error) from None

    def put(self, name: PurePosixPath, content: bytes) -> str:
        key = str(self._prefix / name)
        try:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content)
        except self._errors as error:
            raise self._failed("written", error) from None
        return f"{self._url}/{name}"

    def get(self, name: PurePosixPath) -> bytes | None:
        key = str(self._prefix / name)
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
            content: bytes = answer["Body"].read()
        except self._client.exceptions.NoSuchKey:
            return None
        except self._errors as error:
            raise self._failed("read", error) from None
        return content

    def names(self, folder: PurePosixPath, first: date, last: date) -> Iterator[PurePosixPath]:
        before = f"{self._prefix / folder}/date="
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=before, StartAfter=f"{before}{first}"
        )
        listing = (entry for page in pages for entry in page.get("Contents", ()))
        try:
            for entry in of_days(listing, before, first, last):
                key = PurePosixPath(entry["Key"])
                yield key.relative_to(self._prefix) if self._prefix.parts else key
        except self._errors as error:
            raise self._failed("listed", error) from None

    def _failed(self, done: str, error: Exception) -> LedgerError:
        code = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
        return LedgerError(f"ledger {self._url!r} cannot be {done}: {code}")
