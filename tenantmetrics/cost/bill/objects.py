"""A bill's files on S3, where AWS exports them: those of the month, brought to a folder."""

from __future__ import annotations

import re
from pathlib import Path

from tenantmetrics.cost.s3_prefix import S3Prefix
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import ReportError

__all__ = ["SUFFIXES", "fetch"]

SUFFIXES = (".csv", ".csv.gz", ".parquet")

# How the exports name a month's folder: data exports, legacy CUR, legacy CUR for Athena.
_MONTH = re.compile(
    r"(?:^|/)(?:billing_period=(\d{4})-(\d\d)|(\d{4})(\d\d)01-\d{8}|year=(\d{4})/month=(\d\d?))(?=/)",
    re.IGNORECASE,
)


def fetch(url: str, period: Period, folder: Path) -> Path:
    """Download a month's files. Needs `s3:ListBucket` and `s3:GetObject`.

    Args:
        url: `s3://bucket/prefix`, or one object.
        period: Files in a folder of another month stay where they are.
        folder: Where to; each file under its bucket and key.

    Returns:
        The folder that holds them all.

    Raises:
        ReportError: There is none, or S3 cannot be read.
    """
    with S3Prefix(url, "bill", folder=False, error=ReportError) as remote:
        root = folder / remote.bucket
        keys = [
            key
            for page in remote.pages()
            for key in (str(entry["Key"]) for entry in page.get("Contents", ()))
            if key.lower().endswith(SUFFIXES) and _is_of(key, period)
        ]
        # A key is S3's word: none of its parts may climb out of the folder.
        remote.download_all(
            keys,
            lambda key: root.joinpath(*(p for p in key.split("/") if p not in {"", ".", ".."})),
        )
    if not keys:
        raise ReportError(
            f"bill {url!r}: no CSV or Parquet file of {period.label} below that prefix"
        )
    return root


def _is_of(key: str, period: Period) -> bool:
    """Whether a key's folder names the month, or none."""
    found = _MONTH.search(key)
    if found is None:
        return True
    year, month = (text for text in found.groups() if text)
    return f"{year}-{int(month):02}" == period.label
