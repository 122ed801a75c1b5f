"""Log events from files, in the forms in which CloudWatch Logs hands them out.

- The export to S3: gzip or plain text, a line `2026-11-20T21:45:00.000Z message` an event.
- Messages alone, a line each, and what `aws logs tail` prints.
- The JSON of `aws logs filter-log-events` and `get-log-events`, of Logs Insights'
  `get-query-results` with the field @message, and what a subscription sends through Firehose.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tenantmetrics.cost.as_named import GZIP
from tenantmetrics.errors import ReportError, why_unreadable

__all__ = ["DamagedError", "Events", "log_files"]

_PEEK_BYTES = 4_096
_ANSWER = re.compile(
    rb'\s*\{\s*"(events|searchedLogStreams|nextToken|nextForwardToken|nextBackwardToken|results'
    rb'|queryLanguage|messageType)"\s*:'
)
"""How an API's answer begins; a log's own line begins with a time or with other members."""
_INSIGHTS_MAX = 10_000
"""Results of a Logs Insights query at most (StartQuery, `limit`)."""


class DamagedError(Exception):
    """A file cannot be read on; `number` says up to which event it could."""

    def __init__(self, reason: str, number: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.number = number


def log_files(path: str | os.PathLike[str]) -> list[Path]:
    """The file, or all files below the folder but hidden ones, by name.

    Raises:
        ReportError: A folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise ReportError(f"usage folder {str(error.filename)!r} cannot be read: {error.strerror}")

    root = Path(path)
    if root.is_file():
        return [root]
    return sorted(
        Path(folder, name)
        for folder, _, names in os.walk(root, onerror=refuse)
        for name in names
        if not name.startswith(".")
    )


class Events:
    """The events of one file: (number from 1, message or line), once.

    Attributes:
        unit: What the numbers count: "line" or "event".
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.unit = "line"

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """The events.

        Raises:
            DamagedError: The file cannot be opened, is cut short, or is no answer after all.
        """
        number = 0
        try:
            with self._path.open("rb") as raw, _unpacked(raw) as file:
                head = file.peek(_PEEK_BYTES)[:_PEEK_BYTES]
                if not _ANSWER.match(head):
                    for number, line in enumerate(file, start=1):
                        yield number, line
                    return
                self.unit = "event"
                for number, message in enumerate(_messages(file.read()), start=1):
                    yield number, message
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise DamagedError("the gzip stream is cut short or corrupt after it", number) from None
        except (OSError, ValueError) as error:
            raise DamagedError(why_unreadable(error), number) from None


def _unpacked(raw: io.BufferedReader) -> io.BufferedReader | gzip.GzipFile:
    return gzip.GzipFile(fileobj=raw) if raw.peek(len(GZIP)).startswith(GZIP) else raw


def _messages(content: bytes) -> Iterator[bytes]:
    """The messages of an API's answers, of which several may follow each other."""
    text = content.decode("utf-8")
    decoder = json.JSONDecoder()
    at = 0
    while at < len(text):
        try:
            answer, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise ValueError(f"the JSON is cut short or wrong in line {error.lineno}") from None
        except RecursionError:
            raise ValueError("the JSON is nested too deep") from None
        for message in _of_answer(answer):
            if not isinstance(message, str):
                raise ValueError("an event has no message")  # noqa: TRY004 - of the file
            yield message.encode("utf-8", "surrogatepass")
        while at < len(text) and text[at].isspace():
            at += 1


def _of_answer(answer: Any) -> Iterator[Any]:
    if not isinstance(answer, dict):
        raise ValueError("it is no answer of CloudWatch Logs")  # noqa: TRY004 - of the file
    for name in ("events", "logEvents"):
        for event in answer.get(name) or ():
            yield event.get("message") if isinstance(event, dict) else None
    results = answer.get("results")
    if results is None:
        return
    if answer.get("status", "Complete") != "Complete":
        raise ValueError(f"the query is {answer['status']!r}, not complete")
    for fields in results:
        yield next((pair.get("value") for pair in fields if pair.get("field") == "@message"), None)
    if len(results) >= _INSIGHTS_MAX:
        raise ValueError(
            f"{_INSIGHTS_MAX:,} results are all that a query gives, and more may exist"
        )
