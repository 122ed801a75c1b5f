"""Which of S3's buckets can hold a ledger: general purpose ones.

A ledger is read by listing the days of a period, from the first on and in the order of their names.
S3 lists a directory bucket (S3 Express One Zone) in no order, takes no `StartAfter` there and only
prefixes that end in "/" ("Differences for directory buckets" in the S3 user guide; ListObjectsV2 in
the API reference). The names of such buckets end in `--x-s3`, those of their access points in
`--xa-s3` ("Directory bucket naming rules").
"""

from __future__ import annotations

from urllib.parse import urlsplit

__all__ = ["unlisted"]

_SUFFIXES = ("--x-s3", "--xa-s3")


def unlisted(url: str) -> str:
    """Why a ledger cannot lie at an address, for the end of an error message; "" where it can.

    Args:
        url: `s3://bucket/prefix`; of anything else nothing is said.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"s3", "s3a"} or not parts.netloc.endswith(_SUFFIXES):
        return ""
    return (
        "is in a directory bucket (S3 Express One Zone), which S3 does not list in order: use a "
        "general purpose bucket"
    )
