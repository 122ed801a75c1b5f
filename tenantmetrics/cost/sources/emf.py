"""Usage from the EMF exporter's documents, as CloudWatch Logs hands them out.

CloudWatch Logs delivers at least once, and two exports may overlap: a document is known by writer,
window, sequence, dimensions and metrics, and counts once. A window is many documents, one a tenant;
the fleet's own says what they must add up to.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tenantmetrics.cost.period import day
from tenantmetrics.cost.sources.documents import Document, Staged, Whose
from tenantmetrics.cost.sources.logfiles import DamagedError, Events, log_files
from tenantmetrics.cost.sources.staging import DifferError, Staging
from tenantmetrics.cost.statement import Period
from tenantmetrics.dimension import original_name
from tenantmetrics.errors import ReportError

__all__ = ["LogUsage", "read_document"]

_NAMED = 5
_LINE_BITS = 40
"""A place is a file's number and a line's: more lines than a file of terabytes has."""
_WHOSE = {(): Whose.FLEET, ("TenantId",): Whose.TENANT, ("Reason",): Whose.REASON}
_NS_PER_MS = 1e6
_MOST = 2**53
"""Of bytes, calls or milliseconds in one window: what is more is a mistake, and no 64-bit number
when it is summed."""


def read_document(line: bytes) -> Document | None:
    """What a line says; None for one that is not ours or that adds nothing to the sums.

    Args:
        line: A log event's message, with or without a time in front.

    Raises:
        ValueError: It is ours and broken; says how.
    """
    if b'"WindowStart"' not in line and b'"WindowSequence"' not in line:
        return None
    # Most of a detailed log: the same calls by operation. Not worth the parsing.
    if b'"Name": "DatabaseOperations"' in line:
        return None
    try:
        data = json.loads(line[max(0, line.find(b"{")) :])
    except (ValueError, RecursionError):
        raise ValueError("truncated or not JSON") from None
    if not isinstance(data, dict) or "_aws" not in data:
        return None
    try:
        (directive,) = data["_aws"]["CloudWatchMetrics"]
        (dimensions,) = directive["Dimensions"]
        whose = _WHOSE.get(tuple(dimensions))
        if whose is None:
            return None
        units = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
        name = data[dimensions[0]] if dimensions else ""
        namespace, writer = directive["Namespace"], data["Writer"]
        numbers = {metric: _sums(data[metric]) for metric in units}
        window = (data["WindowStart"], data["WindowSequence"])
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"a member is missing or wrong: {error}") from None
    if not all(isinstance(text, str) and _is_text(text) for text in (name, namespace, writer)):
        raise ValueError("a name is not a string")
    if not all(type(number) is int and 0 <= number < 2**53 for number in window):
        raise ValueError("WindowStart or WindowSequence is not a whole number")
    if units.get("DatabaseDuration", "Milliseconds") != "Milliseconds":
        raise ValueError("DatabaseDuration is not in milliseconds")
    return _document(namespace, writer, window, (whose, name), numbers)


def _is_text(text: str) -> bool:
    """Whether it can be written down: JSON may escape half a character."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _document(
    namespace: str,
    writer: str,
    window: tuple[int, int],
    owner: tuple[Whose, str],
    numbers: Mapping[str, tuple[int, int, int]],
) -> Document:
    whose, name = owner

    def total(metric: str) -> int:
        return numbers.get(metric, (0, 0, 0))[0]

    detail = ("RequestBytes", "ResponseBytes", "RowsReturned", "RowsWritten")
    return Document(
        namespace=namespace,
        writer=writer,
        start_s=window[0],
        sequence=window[1],
        whose=whose,
        name=original_name(name),
        metrics=" ".join(sorted(numbers)),
        calls=numbers.get("DatabaseErrors", (0, 0, 0))[1],
        failed_calls=total("DatabaseErrors"),
        duration_ns=numbers.get("DatabaseDuration", (0, 0, 0))[2],
        # Earlier releases published BilledRequests instead of DatabaseLoad.
        billed_requests=numbers.get("DatabaseLoad", (0, 0, 0))[1] + total("BilledRequests"),
        request_bytes=total("RequestBytes"),
        response_bytes=total("ResponseBytes"),
        rows_returned=total("RowsReturned"),
        rows_written=total("RowsWritten"),
        lost=total("SeriesOverflow" if whose is Whose.FLEET else "CallsDropped"),
        detailed=any(metric in numbers for metric in detail),
    )


def _sums(target: Any) -> tuple[int, int, int]:
    """A metric's sum, its number of samples, and its sum in ns if it is in milliseconds."""
    if isinstance(target, dict):
        pairs = list(zip(target["Values"], target["Counts"], strict=True))
    elif isinstance(target, list):
        pairs = [(value, 1) for value in target]
    else:
        pairs = [(target, 1)]
    total = count = nanoseconds = 0
    for value, times in pairs:
        if type(value) not in {int, float} or not math.isfinite(value) or value < 0:
            raise ValueError(f"{value!r} is not a valid amount")
        if type(times) is not int or times < 1:
            raise ValueError(f"{times!r} is not a valid count")
        total += round(value) * times
        count += times
        nanoseconds += round(value * _NS_PER_MS) * times
    if max(total, count) > _MOST:
        raise ValueError(f"{max(total, count)} is too large")
    return total, count, nanoseconds


class LogUsage:
    """Exported logs that hold the EMF exporter's documents.

    Args:
        path: A file, or a folder of files.
        skip_corrupt: Go on without lines and files that cannot be read; `left_out` names them.
        shown: What errors call the path, where it was fetched from elsewhere.

    Attributes:
        left_out: What was left out, in words; empty if nothing was.
        notes: What a reader must know.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, skip_corrupt: bool = False, shown: str = ""
    ) -> None:
        self._path = path
        self._shown = shown or os.fspath(path)
        self._skip_corrupt = skip_corrupt
        self._files: list[tuple[Path, str]] = []
        self._broken: list[str] = []
        self._span: tuple[int, int] | None = None
        self.left_out = ""
        self.notes: tuple[str, ...] = ()

    def fetch(self, period: Period, folder: Path) -> None:
        """Bring the period's documents to a folder as a ledger's file.

        Raises:
            ReportError: A line or a file is broken, two documents contradict each other, or there
                is nothing in the period.
        """
        with Staging(folder) as staging:
            for number, path in enumerate(log_files(self._path)):
                self._read(number, path, period, staging)
            self._refuse()
            try:
                staged = staging.finish()
            except DifferError as error:
                first, second = (self._place(place) for place in error.places)
                raise ReportError(
                    f"usage {self._shown!r}: {first} and {second} claim to be the same window and "
                    "differ: remove the wrong one"
                ) from None
        if not staged.documents:
            raise ReportError(self._nothing(period))
        self.notes = _notes(staged)

    def last_s(self) -> int:
        """The start of the last window.

        Raises:
            ReportError: There is none.
        """
        for number, path in enumerate(log_files(self._path)):
            self._read(number, path, None, None)
        if self._span is None:
            raise ReportError(self._nothing(None))
        return self._span[1]

    def _read(
        self, number: int, path: Path, period: Period | None, staging: Staging | None
    ) -> None:
        events = Events(path)
        self._files.append((path, "line"))
        try:
            for at, line in events:
                try:
                    document = read_document(line)
                except ValueError as error:
                    self._broken.append(f"{self._named(path)} {events.unit} {at} ({error})")
                    continue
                if document is None:
                    continue
                start_s = document.start_s
                first, last = self._span or (start_s, start_s)
                self._span = min(first, start_s), max(last, start_s)
                if staging and period and period.start_s <= start_s < period.end_s:
                    staging.add(document._replace(place=number << _LINE_BITS | at))
        except DamagedError as error:
            self._broken.append(
                f"{self._named(path)} {events.unit} {error.number} ({error.reason})"
            )
        self._files[number] = (path, events.unit)

    def _named(self, path: Path) -> str:
        root = Path(self._path)
        return repr(str(path.relative_to(root) if path != root else path.name))

    def _place(self, place: int) -> str:
        path, unit = self._files[place >> _LINE_BITS]
        return f"{self._named(path)} {unit} {place % (1 << _LINE_BITS)}"

    def _refuse(self) -> None:
        if not self._broken:
            return
        count = len(self._broken)
        words = ", ".join(self._broken[:_NAMED])
        words += f" and {count - _NAMED} more" if count > _NAMED else ""
        if not self._skip_corrupt:
            raise ReportError(
                f"usage {self._shown!r} has {count} broken place{'s' * (count > 1)}: "
                f"{words}; a report can be made without what they hold"
            ).about("skip_corrupt")
        self.left_out = words

    def _nothing(self, period: Period | None) -> str:
        text = f"usage {self._shown!r} holds "
        if self._span is None:
            text += (
                "neither a ledger's Parquet files nor a document of the EMF exporter: export the "
                "log group that it writes to"
            )
        else:
            assert period is not None  # noqa: S101 - some were found, so a period was asked for
            text += f"nothing for {period.label}"
            text += f" ({day(self._span[0])} to {day(self._span[1])} is there)"
        return text + (f"; left out: {self.left_out}" if self.left_out else "")


def _notes(staged: Staged) -> tuple[str, ...]:
    notes = []
    if staged.short_windows:
        notes.append(
            f"Documents are missing: in {staged.short_windows:,} windows the fleet has "
            f"{staged.short_calls:,} calls that no tenant's document has. They are unattributed."
        )
    if staged.absent_windows:
        notes.append(
            f"{staged.absent_windows:,} windows are missing, by the numbers of those before and "
            "after them: the export may lack a part, and their usage is not in this statement."
        )
    notes += staged.notes()
    if staged.copies:
        notes.append(f"{staged.copies:,} documents were copies of others and counted once.")
    return tuple(notes)
