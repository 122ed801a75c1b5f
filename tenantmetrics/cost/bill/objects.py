"""A bill's files on S3, where AWS exports them: those of the month, brought to a folder."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from tenantmetrics.errors import ReportError
from tenantmetrics.statement import Period

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
    import boto3  # noqa: PLC0415 - 100 ms that a bill in a file need not wait for
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    parts = urlsplit(url)
    bucket, prefix = parts.netloc, parts.path.lstrip("/")
    root = folder / bucket
    found = 0
    try:
        client = boto3.client("s3")
        try:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            for key in (str(one["Key"]) for page in pages for one in page.get("Contents", ())):
                if not key.lower().endswith(SUFFIXES) or not _is_of(key, period):
                    continue
                # A key is S3's word: none of its parts may climb out of the folder.
                target = root.joinpath(*(p for p in key.split("/") if p not in {"", ".", ".."}))
                target.parent.mkdir(parents=True, exist_ok=True)
                client.download_file(bucket, key, str(target))
                found += 1
        finally:
            client.close()
    except (BotoCoreError, ClientError, ValueError) as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code", "") or str(error)
        raise ReportError(f"bill {url!r} cannot be read: {' '.join(code.split())}") from None
    if not found:
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
