"""Exported logs on S3, where CloudWatch Logs puts them, brought to a folder like any other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tenantmetrics.cost.s3_prefix import S3Prefix

__all__ = ["S3Logs"]

_LOOKED_AT = 1_000
"""Objects of one listing, by which a ledger is told from logs."""


class S3Logs(S3Prefix):
    """Objects under `s3://bucket/prefix`. Use it in a `with` statement.

    Args:
        url: `s3://bucket/prefix`.

    Raises:
        LedgerError: S3 cannot be reached with these credentials.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, "usage")

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
        self.download_all(self._keys(), lambda key: self._target(key, folder))

    def _keys(self) -> Iterator[str]:
        for page in self.pages():
            keys = (str(entry["Key"]) for entry in page.get("Contents", ()))
            yield from (key for key in keys if not key.endswith("/"))

    def _target(self, key: str, folder: Path) -> Path:
        # The key is S3's word: nothing in it climbs out of the folder, or hides there.
        parts = (part.lstrip(".") for part in key.removeprefix(self.prefix).split("/"))
        return folder.joinpath(*filter(None, parts))
