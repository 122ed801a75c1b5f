"""What an answer says of its call: outcome, rows, the transaction that it began."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from time import monotonic_ns
from typing import Any, NamedTuple

from tenantmetrics.capture.size import rows
from tenantmetrics.dataapi.errors import read_error
from tenantmetrics.records import OK

__all__ = ["CUT", "TIMED_OUT", "UNREACHED", "Answer", "Result", "result_of", "unanswered"]

# botocore's names, so that the same trouble has one name whoever metered it.
UNREACHED = "EndpointConnectionError"
"""The endpoint could not be connected to: nothing was sent."""
CUT = "ConnectionClosedError"
"""The connection ended before there was an answer."""
TIMED_OUT = "ReadTimeoutError"
"""There was no answer in time."""

_OUTCOME_MAX_CHARS = 128
_UNPACKED_MAX_BYTES = 16 * 1024 * 1024
"""More than ten times the largest answer: nobody's gzip fills the memory."""


class Answer(NamedTuple):
    """An answer as it came.

    Attributes:
        status: HTTP status.
        headers: Its headers, names and values as they came.
        body: Its body as it came, packed or not.
    """

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> str:
        """A header's value, empty where it is not there; the name in lower case."""
        for given, value in self.headers:
            if given.lower() == name:
                return value.decode("latin-1")
        return ""


class Result(NamedTuple):
    """How an attempt ended; as `Recorder.finish` wants it.

    Attributes:
        ended_ns: Monotonic clock.
        status: HTTP status, 0 without an answer.
        outcome: `OK`, or the error's code.
        response_bytes: Length of the body.
        rows_returned: Rows in it.
        rows_written: Rows that it says were written.
        sqlstate: PostgreSQL's, or empty.
        answered: Whether an answer came.
        session: The transaction that it began, or empty.
    """

    ended_ns: int
    status: int = 0
    outcome: str = OK
    response_bytes: int = 0
    rows_returned: int = 0
    rows_written: int = 0
    sqlstate: str = ""
    answered: bool = True
    session: str = ""


def result_of(answer: Answer, ended_ns: int) -> Result:
    """Read an answer.

    Args:
        answer: As it came.
        ended_ns: Monotonic clock when it was there.
    """
    status, size = answer.status, len(answer.body)
    body = _unpacked(answer)
    if status < 300:  # noqa: PLR2004 - botocore's own border between result and error
        try:
            content: Any = json.loads(body.decode())
            returned, written = rows(content)
            session = content.get("transactionId", "")
        except (ValueError, RecursionError, AttributeError, TypeError):
            return Result(ended_ns, status, OK, size)
        return Result(
            ended_ns,
            status,
            OK,
            size,
            returned,
            written,
            session=session if isinstance(session, str) else "",
        )
    named = {"x-amzn-errortype": answer.header(b"x-amzn-errortype")}
    error = read_error(named, body)
    return Result(ended_ns, status, error.code[:_OUTCOME_MAX_CHARS], size, sqlstate=error.sqlstate)


def unanswered(outcome: str) -> Result:
    """The end of an attempt that got no answer: nobody can say whether AWS ran or billed it.

    Args:
        outcome: Why.
    """
    return Result(monotonic_ns(), outcome=outcome, answered=False)


def _unpacked(answer: Answer) -> bytes:
    if answer.body[:1] in {b"{", b""}:
        return answer.body  # no need to look: neither form of packing begins so
    encoding = answer.header(b"content-encoding").strip().lower()
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        return answer.body
    try:
        unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # finds out which of the two it is
        return unpack.decompress(answer.body, _UNPACKED_MAX_BYTES)
    except zlib.error:
        return b""
