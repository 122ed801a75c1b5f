"""A ledger on S3 that an engine reads where it lies: what it must not get wrong."""

from __future__ import annotations

from collections.abc import Mapping

from tenantmetrics import ledger
from tenantmetrics.errors import LedgerError
from tenantmetrics.ledger import FileName

__all__ = ["trusted"]


def trusted(objects: Mapping[str, int], url: str) -> dict[FileName, str]:
    """The objects by what their names say, if every one of them can be counted as it is.

    Spark and Athena sum whatever lies in the folders they are given, so what DuckDB would leave out
    or count once has to be gone before they start.

    Args:
        objects: Keys and their sizes in bytes.
        url: The ledger, for the error.

    Raises:
        LedgerError: An object is empty, has another name than the exporter gives, was written by a
            newer version, or there are two of the same window.
    """
    found: dict[FileName, str] = {}
    for key, size in objects.items():
        name = ledger.parse(key.rpartition("/")[2])
        if name is None:
            raise _refusal(url, key, "is not named as the ledger exporter names its files", "move")
        if name.version > ledger.VERSION:
            raise LedgerError(
                f"object {key!r} of ledger {url!r} was written by a newer tenantmetrics: "
                "upgrade this one"
            )
        if size == 0:
            raise _refusal(url, key, "is 0 bytes", "restore")
        if name in found:
            raise _refusal(url, key, f"is the same window as {found[name]!r}", "delete")
        found[name] = key
    return found


def _refusal(url: str, key: str, what: str, remedy: str) -> LedgerError:
    return LedgerError(
        f"object {key!r} of ledger {url!r} {what}: {remedy} it, or use the duckdb engine, "
        "which fetches the objects and compares them"
    ).about("engine")
