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
more calls are under way than ever before, or when nothing was under way for `IDLE_NS`. That is
right for urllib3's pool, which hands out the connection used last, up to `max_pool_connections`;
the clients of one instrumented session count together.
"""

from __future__ import annotations

from time import monotonic_ns, time_ns
from typing import Any

from tenantmetrics.capture.recorder import Recorder
from tenantmetrics.capture.request import IDLE_NS
from tenantmetrics.capture.size import rows
from tenantmetrics.dataapi.capture import OrdinaryCall, request_of
from tenantmetrics.errors import TenantRefusedError
from tenantmetrics.instrumentation.answers import body_length, error_of
from tenantmetrics.life import unforked
from tenantmetrics.records import OK

__all__ = ["MARK", "BotocoreInstrumentation", "unregister"]

MARK = "x-tenantmetrics-metered"
"""A request header that tells a meter on the way that the call is recorded here. Not signed, and
sent to no endpoint of AWS."""

_KEY = "tenantmetrics"
_AWS = ".amazonaws.com"
_NEVER_NS = -IDLE_NS - 1
_FIRST_ERROR_STATUS = 300
"""botocore's own border between a result and an error."""
# `model.name` is a property, and costs more than this comparison.
_BUILDS_STATEMENT = "before-parameter-build.rds-data.ExecuteStatement"
_EVENTS = ("before-parameter-build", "request-created", "after-call", "after-call-error")


class BotocoreInstrumentation:
    """The handlers of one client, or of all clients that a session makes.

    Args:
        recorder: Where calls go.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._url_of_aws = ""
        # One entry a call, when it was sent. Calls take the last one away, whosever it is: how many
        # there are is what counts, and a list can be counted on by two threads at once.
        self._under_way: list[int] = []
        self._most = 1
        self._quiet_since_ns = _NEVER_NS
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
        event_name: str = "",
        **_: Any,
    ) -> None:
        """Have the parameters read now: the caller may change them afterwards."""
        recorder = self._recorder
        try:
            examine = recorder.examine
            if examine is not None and event_name == _BUILDS_STATEMENT:
                get = params.get
                session = get("transactionId", "")
                call: Any = OrdinaryCall()
                call.attempts = 0
                try:
                    call.target = params["resourceArn"]
                    usual = examine(call, params["sql"], get("parameters"), session)
                except Exception:  # noqa: BLE001 - the long way counts it, or botocore refuses it
                    usual = False
                if usual:
                    call.session = session
                    call.database = get("database", "")
                    call.schema = get("schema", "")
                    call.trace = call.failure = call.ended_ns = None
                    context[_KEY] = call
                    trace = recorder.trace
                    if trace is not None:
                        try:
                            call.trace = trace(call)
                        except Exception as error:  # noqa: BLE001 - nor must a tracer's bug
                            recorder.failed(error, "trace")
                    return
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
            try:
                ours = request.context[_KEY]
            except KeyError:
                return
            url = request.url
            if url != self._url_of_aws:
                if _AWS in url:
                    self._url_of_aws = url
                else:  # a sidecar may stand there, and is not to record it too
                    request.headers[MARK] = "1"
            if ours.attempts:
                ours.attempts += 1
                ours.started_ns = monotonic_ns()
                return
            ours.request_bytes = len(request.data)
            ours.under_way = under_way = self._under_way
            ours.attempts = 1
            ours.first_sent_ns = now_ns = monotonic_ns()
            under_way.append(now_ns)
            if under_way[0] is now_ns:  # alone, as most calls are
                ours.opened_connection = self._quiet_since_ns
            else:
                ours.opened_connection = self._is_one_more(under_way)
        except Exception as error:  # noqa: BLE001 - our bug must not fail their query
            self._recorder.failed(error, "request-created")

    def _is_one_more(self, under_way: list[int]) -> bool:
        """Whether there are more calls under way than connections that were opened before.

        Args:
            under_way: An entry for each call under way; the first one came when none was.
        """
        many = len(under_way)
        self._forget_closed(under_way[0])
        self._quiet_since_ns = under_way[-1]  # it is not quiet; none of these looks again
        if many <= self._most:
            return False
        self._most = many
        return True

    def _forget_closed(self, sent_ns: int) -> None:
        """Count connections anew where a call was the first after a long quiet."""
        if sent_ns - self._quiet_since_ns > IDLE_NS:
            self._most = 1

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
            try:
                request = context[_KEY]
            except KeyError:
                return
            try:
                under_way = request.under_way
                under_way.pop()
                if not under_way:
                    if self._most > 1:
                        self._forget_closed(request.first_sent_ns)
                    self._quiet_since_ns = ended_ns
            except AttributeError:
                pass  # it was answered without being sent
            status = http_response.status_code
            try:
                # What the property `content` keeps, at a tenth of the property's cost.
                response_bytes = len(http_response._content)  # noqa: SLF001
            except (AttributeError, TypeError):
                response_bytes = body_length(http_response)
            records = parsed.get("records")
            if records is None or status >= _FIRST_ERROR_STATUS:
                self._finish(request, parsed, context, ended_ns, status, response_bytes)
                return
            # The usual answer, without the calls for another.
            request.ended_at_ns = time_ns()
            request.http_status = status
            request.response_bytes = response_bytes
            request.rows_returned = len(records)
            try:
                request.rows_written = parsed["numberOfRecordsUpdated"]
            except KeyError:
                request.rows_written = 0
            request.ended_ns = ended_ns
            recorder = self._recorder
            into = recorder.queue
            queue = into.queue
            if len(queue) < into.open_until:
                queue.append(request)
            else:
                recorder.record(request)
        except Exception as error:  # noqa: BLE001 - our bug must not fail their query
            self._recorder.failed(error, "after-call")

    def _finish(  # noqa: PLR0917 - in the order of `Recorder.finish`
        self,
        request: Any,
        parsed: dict[str, Any],
        context: dict[str, Any],
        ended_ns: int,
        status: int,
        response_bytes: int,
    ) -> None:
        """Close a call whose answer is an error, or has no rows as ExecuteStatement's."""
        if status < _FIRST_ERROR_STATUS:
            returned, written = rows(parsed)
            if not request.session:
                request.session = parsed.get("transactionId", "")
            self._recorder.finish(request, ended_ns, status, OK, response_bytes, returned, written)
        else:
            outcome, sqlstate = error_of(parsed, context)
            self._recorder.finish(
                request, ended_ns, status, outcome, response_bytes, sqlstate=sqlstate
            )

    def _on_error(self, exception: BaseException, context: dict[str, Any], **_: Any) -> None:
        """Close a call that got no response: nobody can say whether AWS ran or billed it."""
        ended_ns = monotonic_ns()
        try:
            request = context.get(_KEY)
            if request is not None:
                if request.attempts:
                    request.under_way.pop()
                self._recorder.finish(
                    request, ended_ns, outcome=type(exception).__name__, answered=False
                )
        except Exception as error:  # noqa: BLE001 - our bug must not fail their query
            self._recorder.failed(error, "after-call-error")

    def close_abandoned(self) -> None:
        """Close the calls under way that no code waits for any more."""
        if not self._under_way:
            return
        with unforked:
            from tenantmetrics.instrumentation import abandoned  # noqa: PLC0415 - seldom needed

        for request in abandoned.find(self._under_way, _KEY):
            self._recorder.abandon(request)

    def start_anew(self) -> None:
        """Forget the calls under way: they are the parent's of this forked process."""
        self._under_way = []


def unregister(emitter: Any) -> None:
    """Undo `BotocoreInstrumentation.register`; harmless where nothing was registered."""
    for event in _EVENTS:
        emitter.unregister(f"{event}.rds-data", unique_id=f"{_KEY}.{event}")
