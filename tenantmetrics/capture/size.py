"""How big a call was: rows, and the request units that AWS meters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tenantmetrics.limits import BILLED_REQUEST_BYTES

__all__ = ["billed_requests", "billing_rule", "formatted_rows", "rows"]

_METERED: dict[str, Callable[[int, int], int]] = {
    "request+response": lambda request, response: request + response,
    "response": lambda _, response: response,
    "request": lambda request, _: request,
    "max": max,
}


def billing_rule(billed_bytes: str) -> Callable[[int, int], int]:
    """Which bytes are metered, as a function of (request_bytes, response_bytes).

    Args:
        billed_bytes: One of `config.BILLED_BYTES`.
    """
    return _METERED[billed_bytes]


def billed_requests(metered_bytes: int) -> int:
    """Request units of one call: steps of 32 KB, at least one (35 KB is two).

    Args:
        metered_bytes: Bytes that `billing_rule` says are metered.
    """
    return max(1, -(-metered_bytes // BILLED_REQUEST_BYTES))


def rows(parsed: Mapping[str, Any]) -> tuple[int, int]:
    """Rows returned and rows written, from any operation's parsed response.

    A batch's response does not say how many rows each parameter set wrote, so a batch counts one a
    set that AWS acknowledged: exact for inserts of one row, a lower bound for the rest.

    Args:
        parsed: botocore's parsed response of a call that succeeded.

    Returns:
        (rows returned, rows written).
    """
    records = parsed.get("records")
    if records is not None:
        return len(records), parsed.get("numberOfRecordsUpdated", 0)
    formatted = parsed.get("formattedRecords")
    if formatted is not None:
        return formatted_rows(formatted), parsed.get("numberOfRecordsUpdated", 0)
    updates = parsed.get("updateResults")
    if updates is not None:
        return 0, len(updates)
    results = parsed.get("sqlStatementResults")  # ExecuteSql, one result a statement
    if results is not None:
        return (
            sum(len((result.get("resultFrame") or {}).get("records") or ()) for result in results),
            # -1 stands for "not an update" in this deprecated operation (botocore service model).
            sum(max(0, result.get("numberOfRecordsUpdated", 0)) for result in results),
        )
    return 0, parsed.get("numberOfRecordsUpdated", 0)


def formatted_rows(text: str) -> int:
    """Rows in `formattedRecords`: a JSON array of flat objects.

    Counts the opening braces outside strings with `str` methods alone: about a tenth of the time
    that parsing the text takes, and the caller parses it a second time anyway.

    Args:
        text: The JSON text, up to 10 MB.
    """
    if "\\" in text:
        text = text.replace("\\\\", "").replace('\\"', "")
    return sum(part.count("{") for part in text.split('"')[::2])
