"""From a finished `Request` to its `Call`, on the background thread: nobody waits for it."""

from __future__ import annotations

from collections.abc import Callable

from tenantmetrics.capture.request import IDLE_NS, Request, plain_string
from tenantmetrics.capture.size import billed_requests, billing_rule
from tenantmetrics.limits import BILLED_REQUEST_BYTES
from tenantmetrics.records import OK, Call

__all__ = ["CallOf", "call_maker"]

CallOf = Callable[[Request], Call]
"""Makes the call of a request that `Recorder.finish` or `Recorder.abandon` has closed."""

_SUCCESS = (OK, "", True)
_new = tuple.__new__
"""Builds a Call without the Python-level constructor of named tuples: a third of its time."""


def call_maker(billed_bytes: str) -> CallOf:
    """What makes calls under one rule of metering.

    Args:
        billed_bytes: What is metered: one of `config.BILLED_BYTES`.
    """
    metered_bytes = billing_rule(billed_bytes)

    def call_of(request: Request) -> Call:
        ended_ns = request.ended_ns
        if ended_ns is None:
            raise ValueError("a request without an end was recorded: give it to Recorder.finish")
        failure = request.failure
        outcome, sqlstate, answered = failure if failure is not None else _SUCCESS
        attempts = request.attempts
        if not attempts:
            request.settle_unsent()
        session, target, database = request.session, request.target, request.database
        if not session.__class__ is target.__class__ is database.__class__ is str:
            session, target, database = map(plain_string, (session, target, database))
        first_ns, request_bytes = request.first_sent_ns, request.request_bytes
        http_status, response_bytes = request.http_status, request.response_bytes
        opened = request.opened_connection
        duration_ns = ended_ns - first_ns
        if answered:
            waited_ns = request.started_ns - first_ns if attempts != 1 else 0
            # Whatever is metered, within one step it is one unit. What has no HTTP status is a
            # driver's call, which AWS does not meter.
            units = (
                (1 if http_status else 0)
                if request_bytes + response_bytes <= BILLED_REQUEST_BYTES
                else billed_requests(metered_bytes(request_bytes, response_bytes))
            )
        else:
            waited_ns, units = duration_ns, 0
        return _new(
            Call,
            (
                request.operation,
                request.ended_at_ns,
                duration_ns,
                outcome,
                sqlstate,
                http_status,
                attempts or 1,
                request_bytes,
                response_bytes,
                units,
                request.rows_returned,
                request.rows_written,
                session,
                target,
                database,
                request.claims,
                request.trace,
                waited_ns,
                request.transition,
                opened if opened is True or opened is False else first_ns - opened > IDLE_NS,
                request.session_kind,
            ),
        )

    return call_of
