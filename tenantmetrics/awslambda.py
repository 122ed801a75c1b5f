"""AWS Lambda: everything an invocation recorded is exported before its handler returns.

Between invocations the sandbox is frozen, background thread and all, and it may never wake again:
nothing may be left for later. No extension is needed. The time taken is bounded: by `timeout_s`,
and by what the invocation has left.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any, TypeVar, overload

from tenantmetrics.process import existing

__all__ = ["lambda_handler"]

_Handler = TypeVar("_Handler", bound=Callable[..., Any])

_RESERVE_S = 0.1
"""Left to the handler's own way back: a flush must not be what times the invocation out."""


@overload
def lambda_handler(handler: _Handler, /) -> _Handler: ...
@overload
def lambda_handler(*, timeout_s: float = 1.0) -> Callable[[_Handler], _Handler]: ...


def lambda_handler(
    handler: Callable[..., Any] | None = None, /, *, timeout_s: float = 1.0
) -> Callable[..., Any]:
    """Flush before a Lambda handler returns or raises.

    What cannot be exported in time stays for the next invocation's flush, if there is one.

    Args:
        handler: Takes (event, context), as Lambda calls it.
        timeout_s: Seconds that the flush may add to an invocation at most.

    Returns:
        The handler, or without one a decorator for it.
    """

    def decorate(wrapped: Callable[..., Any]) -> Callable[..., Any]:
        # While Lambda loads the function, and not while its first request waits.
        with contextlib.suppress(Exception):
            import boto3  # noqa: F401, PLC0415 - 250 ms

            import tenantmetrics.tenant.sql.planner  # noqa: F401, PLC0415 - sqlglot's 80 ms

        @functools.wraps(wrapped)
        def with_flush(event: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return wrapped(event, context, *args, **kwargs)
            finally:
                budget_s = min(timeout_s, _left_s(context) - _RESERVE_S)
                # Not made here if it is missing: a wrong setting must not fail an invocation.
                pipeline = existing()
                if pipeline is not None and budget_s > 0:
                    pipeline.flush(budget_s)

        return with_flush

    return decorate if handler is None else decorate(handler)


def _left_s(context: Any) -> float:
    """Seconds until Lambda ends the invocation; without end where the context does not say."""
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return remaining() / 1e3 if callable(remaining) else float("inf")
