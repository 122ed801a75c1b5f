"""What an answer of botocore's or aiobotocore's says where it is not the usual one."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["body_length", "error_of"]

_SQLSTATE = re.compile(r"SQLState: ([0-9A-Z]{5})\b")
_OUTCOME_MAX_CHARS = 128


def body_length(http_response: Any) -> int:
    """Length of a body that is not at hand: aiobotocore's is a coroutine, a Stubber's is not there.

    What the header says is what botocore would have read: neither asks for compressed responses.
    """
    content = None
    with contextlib.suppress(AttributeError, TypeError):
        content = http_response.content
        return len(content)
    close = getattr(content, "close", None)
    if close is not None:
        close()  # never awaited here; Python would warn
    headers = getattr(http_response, "headers", None) or {}
    return int(headers.get("content-length") or 0)


def error_of(parsed: Mapping[str, Any], context: Mapping[str, Any]) -> tuple[str, str]:
    """An error's code as botocore will raise it, and PostgreSQL's SQLSTATE from its text."""
    error = parsed.get("Error") or {}
    code = context.get("error_code_override") or error.get("Code") or "Unknown"
    found = _SQLSTATE.search(str(error.get("Message") or ""))
    return str(code)[:_OUTCOME_MAX_CHARS], found.group(1) if found else ""
