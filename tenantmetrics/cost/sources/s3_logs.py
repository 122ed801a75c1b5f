"""Exported logs on S3, where CloudWatch Logs puts them, brought to a folder like any other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tenantmetrics.errors import LedgerError

__all__ = ["S3Logs"]

_AT_ONCE = 16
"""Downloads at once: they wait on the network, not on a core."""
_LOOKED_AT = 1_000
"""Objects of one listing, by which a ledger is told from logs."""


class S3Logs:
    """Objects under `s3://bucket/prefix`. Use it in a `with` statement.

    Region, credentials and endpoint are boto3's own. It needs `s3:ListBucket` and `s3:GetObject`.

    Args:
        url: `s3://bucket/prefix`.

    Raises:
        LedgerError: S3 cannot be reached with these credentials.
    """

    def __init__(self, url: str) -> None:
        import boto3  # noqa: PLC0415 - 100 ms that a folder need not wait for
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        parts = urlsplit(url)
        self._url = url
        self._bucket = parts.netloc
        self._prefix = f"{prefix}/" if (prefix := parts.path.strip("/")) else ""
        self._errors: tuple[type[Exception], ...] = (BotoCoreError, ClientError)
        try:
            self._client: Any = boto3.client("s3", config=Config(max_pool_connections=_AT_ONCE))
        except self._errors as error:
            raise self._unreadable(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def there(self) -> bool:
        """Whether there are objects and none of the first thousand is a ledger's.

        Raises:
            LedgerError: S3 cannot be read.
        """
        first = list(islice(self._keys(), _LOOKED_AT))
        return bool(first) and not any(key.endswith(".parquet") for key in first)

    def fetch(self, folder: Path) -> None:
        """Bring all objects to a folder, under their keys.

        Raises:
            LedgerError: S3 cannot be read.
        """
        try:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                for _ in pool.map(lambda key: self._download(key, folder), self._keys()):
                    pass
        except self._errors as error:
            raise self._unreadable(error) from None

    def _keys(self) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                keys = (str(one["Key"]) for one in page.get("Contents", ()))
                yield from (key for key in keys if not key.endswith("/"))
        except self._errors as error:
            raise self._unreadable(error) from None

    def _download(self, key: str, folder: Path) -> None:
        # The key is S3's word: nothing in it climbs out of the folder, or hides there.
        parts = (part.lstrip(".") for part in key.removeprefix(self._prefix).split("/"))
        target = folder.joinpath(*filter(None, parts))
        target.parent.mkdir(parents=True, exist_ok=True)
        self._client.download_file(self._bucket, key, str(target))

    def _unreadable(self, error: Exception) -> LedgerError:
        code = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
        return LedgerError(f"usage {self._url!r} cannot be read: {code}")
