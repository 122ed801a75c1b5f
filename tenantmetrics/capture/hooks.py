"""Botocore's events in, one `Call` out: the only code that runs inside somebody's query.

Handlers return None and let nothing escape, `TenantRefusedError` of `strict` apart: whatever goes
wrong is counted as `hook_error` and the caller never notices. The try blocks stand in each handler
rather than in one wrapper: a wrapper would cost a second call and a second packing of botocore's
keyword arguments, three times a call, on the caller's thread.

State of a call lives in that call's own `context` dictionary, so threads and retries cannot mix.
A call with invalid parameters emits no `before-call`: it never reached AWS and is not metered.

Each handler costs about 1 µs before it does anything (botocore's dispatch), so there are three and
not one more: HTTP attempts come from the response's `RetryAttempts`, and for a call that got no
response from the retry state that botocore keeps in `context`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from time import monotonic_ns, time_ns
from typing import Any, NamedTuple

from tenantmetrics.capture.size import billed_requests, billing_rule, rows
from tenantmetrics.errors import TenantRefusedError
from tenantmetrics.health import Health, Loss
from tenantmetrics.limits import BILLED_REQUEST_BYTES
from tenantmetrics.records import OK, Call, Claims, Transition

__all__ = ["ClaimsOf", "Entries", "Hooks", "Record"]

_KEY = "tenantmetrics"
_NO_CLAIMS = Claims()
_SQLSTATE = re.compile(r"SQLState: ([0-9A-Z]{5})\b")
_OUTCOME_MAX_CHARS = 128

_TRANSITIONS = {
    "BeginTransaction": Transition.BEGIN,
    "CommitTransaction": Transition.COMMIT,
    "RollbackTransaction": Transition.ROLLBACK,
}

# What a call's context carries from its first handler to its last. A list, because it is made once
# a call: claims, parameters, request bytes, start on the monotonic clock, trace.
_REQUEST_BYTES, _STARTED_NS = 2, 3

_new_call = tuple.__new__
"""Builds a Call without the Python-level constructor of named tuples: a third of its time."""


ClaimsOf = Callable[[str, Mapping[str, Any]], Claims]
"""(operation, API parameters) → whose the call claims to be, on the caller's thread."""

Record = Callable[[Call], None]
"""Takes a finished call; must not block."""


class Entries(NamedTuple):
    """What the handlers call into.

    Attributes:
        claims: Raises `TenantRefusedError` under `strict`.
        record: Where finished calls go.
        health: Where failures of the handlers are counted.
        billed_bytes: What is metered: one of `config.BILLED_BYTES`.
        trace: Claims → ids of the current trace and span; None where traces are not linked.
    """

    claims: ClaimsOf
    record: Record
    health: Health
    billed_bytes: str
    trace: Callable[[Claims], tuple[int, int] | None] | None = None


class Hooks:
    """The handlers of one pipeline.

    Args:
        entries: What they call into.
    """

    def __init__(self, entries: Entries) -> None:
        self.rebind(entries)

    def rebind(self, entries: Entries) -> None:
        """Point the handlers, and so every instrumented client, at another pipeline."""
        # Attributes of their own: one look-up less a call than through the tuple.
        self._claims = entries.claims
        self._record = entries.record
        self._health = entries.health
        self._metered_bytes = billing_rule(entries.billed_bytes)
        self._trace = entries.trace

    def register(self, emitter: Any) -> None:
        """Hook into a client's or a session's events; a second time changes nothing.

        Args:
            emitter: `client.meta.events`, `boto3.Session().events`, or a botocore session's
                `event_emitter` component.
        """
        # Last, so that parameters which other handlers put in are seen.
        emitter.register_last(
            "before-parameter-build.rds-data", self._on_params, f"{_KEY}.before-parameter-build"
        )
        # First, because a handler that answers the call itself (a Stubber) ends the chain.
        emitter.register_first("before-call.rds-data", self._on_send, f"{_KEY}.before-call")
        emitter.register_first("after-call.rds-data", self._on_response, f"{_KEY}.after-call")
        emitter.register_first(
            "after-call-error.rds-data", self._on_error, f"{_KEY}.after-call-error"
        )

    def unregister(self, emitter: Any) -> None:
        """Undo `register`; harmless where nothing was registered."""
        for event in ("before-parameter-build", "before-call", "after-call", "after-call-error"):
            emitter.unregister(f"{event}.rds-data", unique_id=f"{_KEY}.{event}")

    def _on_params(self, params: Any, model: Any, context: dict[str, Any], **_: Any) -> None:
        """Have the parameters evaluated now: the caller may change them afterwards."""
        try:
            claims = self._claims(model.name, params)
        except TenantRefusedError:
            raise
        except Exception as error:  # noqa: BLE001 - a resolver's bug must not fail their query
            self._health.count(Loss.TENANT_ERROR, error=error, where="claims")
            claims = _NO_CLAIMS
        trace = None
        if self._trace is not None:
            try:
                trace = self._trace(claims)
            except Exception as error:  # noqa: BLE001 - a tracer's bug must not fail their query
                self._failed(error, "trace")
        # The dictionary of parameters is the call's own; only what is in its lists is the caller's.
        # The clock starts here as well: where a Stubber answers, `before-call` may not come to us.
        context[_KEY] = [claims, params, 0, monotonic_ns(), trace]

    def _on_send(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        """Start the clock anew, our own work left out; `params` is the serialised HTTP request."""
        try:
            pending = context[_KEY]
            pending[_REQUEST_BYTES] = len(params["body"])
            pending[_STARTED_NS] = monotonic_ns()
        except Exception as error:  # noqa: BLE001 - our bug must not fail their query
            self._failed(error, "before-call")

    def _on_response(
        self,
        http_response: Any,
        parsed: dict[str, Any],
        model: Any,
        context: dict[str, Any],
        **_: Any,
    ) -> None:
        """Close a call that got a response, an error response included."""
        ended_ns = monotonic_ns()
        try:
            claims, params, request_bytes, started_ns, trace = context[_KEY]
            status = http_response.status_code
            content = None
            try:
                content = http_response.content
                response_bytes = len(content)
                attempts = parsed["ResponseMetadata"].get("RetryAttempts", 0) + 1
            except (AttributeError, KeyError, TypeError):
                response_bytes = _body_length(http_response, content)
                attempts = parsed.get("ResponseMetadata", {}).get("RetryAttempts", 0) + 1
            get = params.get
            transaction_id = get("transactionId", "")
            if status < 300:  # noqa: PLR2004 - botocore's own border between result and error
                outcome, sqlstate = OK, ""
                records = parsed.get("records")
                if records is not None:  # the usual answer, without a call for it
                    rows_returned = len(records)
                    rows_written = parsed.get("numberOfRecordsUpdated", 0)
                else:
                    rows_returned, rows_written = rows(parsed)
                    transaction_id = transaction_id or parsed.get("transactionId", "")
            else:
                outcome, sqlstate = _error(parsed, context)
                rows_returned = rows_written = 0
            self._record(
                _new_call(
                    Call,
                    (
                        model.name,
                        time_ns(),
                        ended_ns - started_ns,
                        outcome,
                        sqlstate,
                        status,
                        attempts,
                        request_bytes,
                        response_bytes,
                        # Whatever is metered, within one step it is one unit.
                        1
                        if request_bytes + response_bytes <= BILLED_REQUEST_BYTES
                        else billed_requests(self._metered_bytes(request_bytes, response_bytes)),
                        rows_returned,
                        rows_written,
                        transaction_id,
                        get("resourceArn") or get("dbClusterOrInstanceArn", ""),
                        get("database", ""),
                        claims,
                        trace,
                        0,
                        _TRANSITIONS.get(model.name, Transition.NONE),
                        False,
                    ),
                )
            )
        except Exception as error:  # noqa: BLE001 - our bug must not fail their query
            self._failed(error, "after-call")

    def _on_error(
        self, exception: BaseException, context: dict[str, Any], event_name: str = "", **_: Any
    ) -> None:
        """Close a call that got no response: nobody can say whether AWS ran or billed it."""
        ended_ns = monotonic_ns()
        try:
            claims, params, request_bytes, started_ns, trace = context[_KEY]
            operation = event_name.rpartition(".")[2]
            self._record(
                Call(
                    operation=operation,
                    ended_at_ns=time_ns(),
                    duration_ns=ended_ns - started_ns,
                    outcome=type(exception).__name__,
                    sqlstate="",
                    http_status=0,
                    attempts=context.get("retries", {}).get("attempt", 1),
                    request_bytes=request_bytes,
                    response_bytes=0,
                    billed_requests=0,
                    rows_returned=0,
                    rows_written=0,
                    session=params.get("transactionId", ""),
                    resource_arn=params.get("resourceArn")
                    or params.get("dbClusterOrInstanceArn", ""),
                    database=params.get("database", ""),
                    claims=claims,
                    trace=trace,
                    waited_ns=ended_ns - started_ns,
                    transition=_TRANSITIONS.get(operation, Transition.NONE),
                )
            )
        except Exception as error:  # noqa: BLE001 - our bug must not fail their query
            self._failed(error, "after-call-error")

    def _failed(self, error: Exception, where: str) -> None:
        self._health.count(Loss.HOOK_ERROR, error=error, where=where)


def _body_length(http_response: Any, content: Any) -> int:
    """Length of a body that is not at hand: aiobotocore's is a coroutine, a Stubber's is not there.

    What the header says is what botocore would have read: neither asks for compressed responses.
    """
    close = getattr(content, "close", None)
    if close is not None:
        close()  # never awaited here; Python would warn
    headers = getattr(http_response, "headers", None) or {}
    return int(headers.get("content-length") or 0)


def _error(parsed: Mapping[str, Any], context: Mapping[str, Any]) -> tuple[str, str]:
    """An error's code as botocore will raise it, and PostgreSQL's SQLSTATE from its text."""
    error = parsed.get("Error") or {}
    code = context.get("error_code_override") or error.get("Code") or "Unknown"
    found = _SQLSTATE.search(str(error.get("Message") or ""))
    return str(code)[:_OUTCOME_MAX_CHARS], found.group(1) if found else ""
