"""What is below `s3://bucket/prefix`: listed page by page, brought to a folder many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tenantmetrics.buckets import unlisted
from tenantmetrics.errors import LedgerError, TenantMetricsError

__all__ = ["S3Prefix"]

_AT_ONCE = 16
"""Downloads at once: small objects wait on the network, not on a core."""


class S3Prefix:
    """Objects below an address. Close it, or use it in a `with` statement.

    Region, credentials and endpoint are boto3's own. It needs `s3:ListBucket` and `s3:GetObject`.

    Args:
        url: `s3://bucket/prefix`.
        what: What lies there, for error messages: "ledger", "usage".
        folder: The prefix names a folder; else a key may go on right after it, or be it.
        error: What is raised where S3 cannot be read.

    Raises:
        LedgerError: S3 cannot be reached with these credentials; or `error`, here and below, also
            where it does not list the bucket in order.
    """

    def __init__(
        self,
        url: str,
        what: str,
        *,
        folder: bool = True,
        error: type[TenantMetricsError] = LedgerError,
    ) -> None:
        import boto3  # noqa: PLC0415 - 100 ms that a folder need not wait for
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        if words := unlisted(url):
            raise error(f"{what} {url!r} {words}")
        parts = urlsplit(url)
        self.url = url
        self.bucket = parts.netloc
        prefix = parts.path.strip("/") if folder else parts.path.lstrip("/")
        self.prefix = f"{prefix}/" if prefix and folder else prefix
        self._error = error
        self._what = what
        self._errors: tuple[type[Exception], ...] = (BotoCoreError, ClientError)
        try:
            self._client: Any = boto3.client("s3", config=Config(max_pool_connections=_AT_ONCE))
        except (*self._errors, ValueError) as cause:
            raise self._unreadable(cause) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def pages(self, below: str = "", **more: str) -> Iterator[dict[str, Any]]:
        """Pages of a listing.

        Args:
            below: What keys begin with after the prefix.
            **more: As for boto3's ListObjectsV2.

        Raises:
            LedgerError: S3 cannot be read.
        """
        paginator = self._client.get_paginator("list_objects_v2")
        try:
            yield from paginator.paginate(Bucket=self.bucket, Prefix=self.prefix + below, **more)
        except self._errors as error:
            raise self._unreadable(error) from None

    def download(self, key: str, target: Path) -> Path:
        """Bring one object to a file, whose folders are made.

        Raises:
            LedgerError: S3 cannot be read.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._client.download_file(self.bucket, key, str(target))
        except self._errors as error:
            raise self._unreadable(error) from None
        return target

    def download_all(self, keys: Iterable[str], target_of: Callable[[str], Path]) -> None:
        """Bring many objects, each to the file that its key is given.

        Raises:
            LedgerError: S3 cannot be read.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(lambda key: self.download(key, target_of(key)), keys):
                pass

    def _unreadable(self, error: Exception) -> TenantMetricsError:
        code = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
        return self._error(f"{self._what} {self.url!r} cannot be read: {code}")
