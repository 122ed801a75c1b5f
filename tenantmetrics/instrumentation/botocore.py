"""botocore's public events, for boto3's and aiobotocore's `rds-data` clients.

| event | what is taken from it |
|---|---|
| `before-parameter-build` | the API parameters: statement, session, target |
| `request-created`, once an attempt | the body's length, and when it was sent |
| `after-call` | an answer, an error answer included |
| `after-call-error` | that no answer came |

botocore tells of no call that ends in a BaseException: a cancelled task, a killed greenlet,
KeyboardInterrupt. The call's own state closes those when it is dropped (`Request.__del__`), and
`abandoned` finds those that somebody holds.

Each handler costs about 1 µs before it does anything (botocore's dispatch), so an ordinary call has
three and not one more. State lives in the call's own `context`. A call with invalid parameters is
never sent and not metered.

`opened_connection` cannot be asked of urllib3 in public. A call is taken to have opened one when
more calls are under way than ever before, or when nothing was under way for `_IDLE_NS`. That is
right for urllib3's pool, which hands out the connection used last, up to `max_pool_connections`;
the clients of one instrumented session count together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from time import monotonic_ns
from typing import Any

from tenantmetrics.capture.recorder import Recorder
from tenantmetrics.capture.size import rows
from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.errors import TenantRefusedError
from tenantmetrics.life import unforked
from tenantmetrics.records import OK

__all__ = ["MARK", "BotocoreInstrumentation", "unregister"]

MARK = "x-tenantmetrics-metered"
"""A request header that tells a meter on the way that the call is recorded here. Not signed, and
sent to no endpoint of AWS."""

_KEY = "tenantmetrics"
_AWS = ".amazonaws.com"
_SQLSTATE = re.compile(r"SQLState: ([0-9A-Z]{5})\b")
_OUTCOME_MAX_CHARS = 128
_IDLE_NS = 20_000_000_000
"""Servers close idle connections after 5 s (Node.js, uvicorn) to 75 s (nginx); AWS names no time
for the Data API. Too short only sets a few calls apart as cold that were not."""
_MAX_UNDER_WAY = 4_096
"""Calls that were cancelled stay among those under way; they are forgotten at this number."""
_EVENTS = ("before-parameter-build", "request-created", "after-call", "after-call-error")


class BotocoreInstrumentation:
    """The handlers of one client, or of all clients that a session makes.

    Args:
        recorder: Where calls go.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._under_way: set[int] = set()
        self._most = 0
        self._quiet_since_ns = 0
        recorder.watch(self)

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
        # Last, so that signing is over when the clock starts.
        emitter.register_last(
            "request-created.rds-data", self._on_attempt, f"{_KEY}.request-created"
        )
        # First, because a handler that answers the call itself (a Stubber) ends the chain.
        emitter.register_first("after-call.rds-data", self._on_response, f"{_KEY}.after-call")
        emitter.register_first(
            "after-call-error.rds-data", self._on_error, f"{_KEY}.after-call-error"
        )

    # The handlers name all that botocore gives: an argument that lands in `**_` costs as much as
    # ten lines of theirs.

    def _on_params(
        self,
        params: Any,
        model: Any,
        context: dict[str, Any],
        event_name: str = "",  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Have the parameters evaluated now: the caller may change them afterwards."""
        recorder = self._recorder
        try:
            request = request_of(model.name, params)
            if recorder.start(request):
                context[_KEY] = request
        except TenantRefusedError:
            raise
        except Exception as error:  # noqa: BLE001 - our bug must not fail their query
            recorder.failed(error, "before-parameter-build")

    def _on_attempt(
        self,
        request: Any,
        operation_name: str = "",  # noqa: ARG002
        event_name: str = "",  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Start the clock anew at each attempt, our own work and signing left out."""
        try:
            ours = request.context.get(_KEY)
            if ours is None:
                return
            if _AWS not in request.url:  # a sidecar may stand there, and is not to record it too
                request.headers[MARK] = "1"
            now_ns = monotonic_ns()
            ours.started_ns = now_ns
            if ours.attempts == 0:
                ours.first_sent_ns = now_ns
                ours.request_bytes = len(request.data)
                under_way = self._under_way
                under_way.add(id(ours))
                many = len(under_way)
                if many > self._most or (many == 1 and now_ns - self._quiet_since_ns > _IDLE_NS):
                    ours.opened_connection = True
                    self._most = many
                    if many > _MAX_UNDER_WAY:
                        under_way.clear()
            ours.attempts += 1
        except Exception as error:  # noqa: BLE001 - our bug must not fail their query
            self._recorder.failed(error, "request-created")

    def _on_response(
        self,
        http_response: Any,
        parsed: dict[str, Any],
        context: dict[str, Any],
        model: Any = None,  # noqa: ARG002
        event_name: str = "",  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Close a call that got a response, an error response included."""
        ended_ns = monotonic_ns()
        try:
            request = context.get(_KEY)
            if request is None:
                return
            under_way = self._under_way
            under_way.discard(id(request))
            if not under_way:
                self._quiet_since_ns = ended_ns
            status = http_response.status_code
            content = None
            try:
                content = http_response.content
                response_bytes = len(content)
            except (AttributeError, TypeError):
                response_bytes = _body_length(http_response, content)
            if status < 300:  # noqa: PLR2004 - botocore's own border between result and error
                records = parsed.get("records")
                if records is not None:  # the usual answer, without a call for it
                    returned, written = len(records), parsed.get("numberOfRecordsUpdated", 0)
                else:
                    returned, written = rows(parsed)
                    if not request.session:
                        request.session = parsed.get("transactionId", "")
                self._recorder.finish(
                    request, ended_ns, status, OK, response_bytes, returned, written
                )
            else:
                outcome, sqlstate = _error(parsed, context)
                self._recorder.finish(
                    request, ended_ns, status, outcome, response_bytes, sqlstate=sqlstate
                )
        except Exception as error:  # noqa: BLE001 - our bug must not fail their query
            self._recorder.failed(error, "after-call")

    def _on_error(self, exception: BaseException, context: dict[str, Any], **_: Any) -> None:
        """Close a call that got no response: nobody can say whether AWS ran or billed it."""
        ended_ns = monotonic_ns()
        try:
            request = context.get(_KEY)
            if request is not None:
                self._under_way.discard(id(request))
                self._recorder.finish(
                    request, ended_ns, outcome=type(exception).__name__, answered=False
                )
        except Exception as error:  # noqa: BLE001 - our bug must not fail their query
            self._recorder.failed(error, "after-call-error")

    def close_abandoned(self) -> None:
        """Close the calls under way that no code waits for any more."""
        ids = frozenset(self._under_way)
        if not ids:
            return
        with unforked:
            from tenantmetrics.instrumentation import abandoned  # noqa: PLC0415 - seldom needed

        found, alive = abandoned.find(ids, _KEY)
        for request in found:
            self._recorder.abandon(request)
        for number in ids - alive:
            self._under_way.discard(number)


def unregister(emitter: Any) -> None:
    """Undo `BotocoreInstrumentation.register`; harmless where nothing was registered."""
    for event in _EVENTS:
        emitter.unregister(f"{event}.rds-data", unique_id=f"{_KEY}.{event}")


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
