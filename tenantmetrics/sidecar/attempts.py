"""The SDK's attempts become one call: those of one `amz-sdk-invocation-id` with the same content.

An SDK tries again after an error that may pass, and says so beforehand only by the number of
attempts it is ready to make. So a call that ended in such an error waits for its next attempt, for
`WAIT_S` at most, before it is recorded. It waits no longer once its transaction goes on without it,
once the SDK's last attempt is over, once `MAX_WAITING` calls wait, and at the end of the process.

An attempt belongs to a call only if operation, body and tenant are the same: who uses an id a
second time for something else gets a call of its own, judged by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from time import monotonic_ns
from typing import Any, NamedTuple

from tenantmetrics.capture.recorder import Recorder
from tenantmetrics.capture.request import Request
from tenantmetrics.dataapi.capture import request_of
from tenantmetrics.records.call import THROTTLED
from tenantmetrics.sidecar.answers import Result
from tenantmetrics.tenant.identity.tenant_context import tenant as in_context

__all__ = ["MAX_WAITING", "WAIT_S", "Attempt", "Calls", "Open"]

WAIT_S = 30
"""The longest pause of an SDK between two attempts is 20 s (AWS SDKs, standard retry mode)."""
MAX_WAITING = 4_096
"""Calls that wait for their next attempt; 2 KB each."""

_COUNT = re.compile(rb"(attempt|max)=(\d{1,4})")
_MAY_PASS = THROTTLED | {"EC2ThrottledException", "RequestTimeout", "RequestTimeoutException"}
"""Codes that SDKs try again after, beside status 429 and 5xx (AWS SDKs, standard retry mode)."""
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


class Attempt(NamedTuple):
    """One HTTP request of a client.

    Attributes:
        operation: The API's operation.
        params: What its body says; empty where it is no JSON object.
        request_bytes: Length of the body.
        digest: SHA-256 of the body.
        tenant: What the tenant header says, or empty.
        invocation: `amz-sdk-invocation-id`, or empty.
        numbered: `amz-sdk-request` ("attempt=1; max=3"), or empty.
    """

    operation: str
    params: Mapping[str, Any]
    request_bytes: int
    digest: str
    tenant: str = ""
    invocation: bytes = b""
    numbered: bytes = b""

    @property
    def is_last(self) -> bool:
        """Whether the SDK has said that it will make no other."""
        said = {name: int(number) for name, number in _COUNT.findall(self.numbered)}
        return said.get(b"attempt", 0) >= said.get(b"max", 1 << 30)


class Open:
    """A call that is not recorded yet.

    Attributes:
        request: The door's state of it.
        key: What its attempts have in common; None for a call without an id.
        under_way: Attempts that have not ended.
        result: How the last one ended that did.
        until_ns: Monotonic clock until which it waits; 0 while an attempt is under way.
    """

    __slots__ = ("key", "request", "result", "under_way", "until_ns")

    def __init__(self, request: Request, key: tuple[Any, ...] | None) -> None:
        self.request = request
        self.key = key
        self.under_way = 1
        self.result: Result | None = None
        self.until_ns = 0


class Calls:
    """Takes attempts, records calls. For one thread.

    Args:
        recorder: The door.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._open: dict[tuple[Any, ...], Open] = {}
        self._waiting: dict[tuple[Any, ...], Open] = {}

    @property
    def waiting(self) -> int:
        """Calls that wait for their next attempt."""
        return len(self._waiting)

    def start(self, attempt: Attempt) -> Open | None:
        """An attempt is about to be sent.

        Args:
            attempt: The attempt.

        Returns:
            Its call, to be given to `end`; None where the door does not want it.

        Raises:
            TenantRefusedError: `strict` refuses it.
        """
        key = None
        if attempt.invocation:
            key = (attempt.invocation, attempt.operation, attempt.digest, attempt.tenant)
            known = self._open.get(key)
            if known is not None:
                self._waiting.pop(key, None)
                known.until_ns = 0
                known.under_way += 1
                known.request.attempts += 1
                known.request.started_ns = monotonic_ns()
                return known
        request = request_of(attempt.operation, attempt.params)
        if self._waiting and request.session:
            self._settle_session(request.session)
        if attempt.tenant:
            with in_context(attempt.tenant):
                wanted = self._recorder.start(request)
        else:
            wanted = self._recorder.start(request)
        if not wanted:
            return None
        request.attempts = 1
        request.request_bytes = attempt.request_bytes
        call = Open(request, key)
        if key is not None:
            self._open[key] = call
        return call

    def end(self, call: Open, result: Result, attempt: Attempt) -> None:
        """An attempt has ended.

        Args:
            call: What `start` gave.
            result: How it ended.
            attempt: What `start` was given.
        """
        call.under_way -= 1
        if call.result is None or result.answered or not call.result.answered:
            call.result = result
        if call.under_way:
            return
        if call.key is None or not _may_pass(call.result) or attempt.is_last:
            self._record(call)
            return
        call.until_ns = result.ended_ns + WAIT_S * 1_000_000_000
        self._waiting[call.key] = call
        if len(self._waiting) > MAX_WAITING:
            self._record(next(iter(self._waiting.values())))

    def expire(self) -> None:
        """Record what has waited long enough."""
        now_ns = monotonic_ns()
        while self._waiting:
            oldest = next(iter(self._waiting.values()))
            if oldest.until_ns > now_ns:
                return
            self._record(oldest)

    def settle(self) -> None:
        """Record all that waits; no other attempt will come."""
        for call in list(self._waiting.values()):
            self._record(call)

    def _settle_session(self, session: str) -> None:
        """A transaction goes on: what failed in it before is over, and its order is kept."""
        for call in [call for call in self._waiting.values() if call.request.session == session]:
            self._record(call)

    def _record(self, call: Open) -> None:
        if call.key is not None:
            self._open.pop(call.key, None)
            self._waiting.pop(call.key, None)
        result = call.result
        if result is None:
            return
        request = call.request
        if result.session and not request.session:
            request.session = result.session
        self._recorder.finish(
            request,
            result.ended_ns,
            result.status,
            result.outcome,
            result.response_bytes,
            result.rows_returned,
            result.rows_written,
            result.sqlstate,
            answered=result.answered,
        )


def _may_pass(result: Result) -> bool:
    """Whether SDKs try again after such an end."""
    return (
        not result.answered
        or result.status >= _SERVER_ERROR
        or result.status == _TOO_MANY_REQUESTS
        or result.outcome in _MAY_PASS
    )
