"""Which calls may be repeated, and what their errors mean.

A call is repeated only where its statement cannot have run: the connection was never made, or the
database was asleep (`DatabaseResumingException`, which is raised before anything is run). The SDK's
own retries are the client's business: give it `retries={"total_max_attempts": 1}` where a statement
outside of a transaction must not run twice.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from tenantmetrics.errors import RlsError, TransactionTimedOutError
from tenantmetrics.rls import counts

__all__ = ["called", "delays", "may_repeat", "pause_s", "translated"]

_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 2.0
_GONE = "TransactionNotFoundException"


def may_repeat(error: Exception) -> bool:
    """Whether the statement cannot have run.

    Args:
        error: What the client raised.
    """
    from botocore.exceptions import (  # noqa: PLC0415 - whoever has a client has it
        ClientError,
        ConnectTimeoutError,
        EndpointConnectionError,
    )

    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code") == "DatabaseResumingException"
    return isinstance(error, ConnectTimeoutError | EndpointConnectionError)


def delays(attempts: int) -> Iterator[float]:
    """Seconds to wait before each further attempt: doubling, with jitter."""
    longest = _FIRST_DELAY_S
    for _ in range(attempts - 1):
        yield random.uniform(0, longest)  # noqa: S311 - spreads load, guards nothing
        longest = min(2 * longest, _LONGEST_DELAY_S)


def called(method: Callable[..., Any], attempts: int, arguments: dict[str, Any]) -> Any:
    """Call; repeat where nothing ran.

    Args:
        method: A method of the client.
        attempts: At most.
        arguments: Its keyword arguments.

    Raises:
        TransactionTimedOutError: The transaction is no longer there.
        botocore.exceptions.ClientError: The API or the database refused.
    """
    waits = delays(attempts)
    while True:
        try:
            return method(**arguments)
        except Exception as error:  # noqa: BLE001 - `pause_s` raises what is not repeated
            wait_s = pause_s(error, waits)
        time.sleep(wait_s)  # the back-off before the next attempt


def pause_s(error: Exception, waits: Iterator[float]) -> float:
    """Seconds to wait before the next attempt.

    Args:
        error: What the client raised; it is raised again, or what it means, where the call may not
            be repeated or attempts are over.
        waits: As `delays` gives them.
    """
    wait_s = next(waits, None) if may_repeat(error) else None
    if wait_s is None:
        counts.add("errors")
        if (meaning := translated(error)) is not None:
            raise meaning from error
        raise error
    counts.add("retries")
    return wait_s


def translated(error: Exception) -> RlsError | None:
    """A clearer error for a transaction that AWS has ended; None for any other error."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    if code != _GONE:
        return None
    return TransactionTimedOutError(
        "the transaction is no longer there: the Data API rolls it back after 3 minutes without a "
        "call, and after 24 hours in all. Keep slow work out of the block, and run it again"
    )
