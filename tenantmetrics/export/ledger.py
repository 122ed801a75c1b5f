"""The ledger: the exact record to bill from, as Parquet files in a folder.

Delivery contract: exactly once for a reader of the folder. A file appears whole or not at all: it
is written under a temporary name, synced to disk and moved into place. Its name is made from writer
and window, so a repeat replaces it with itself. A window's statements are written before its main
file: a crash in between leaves statements without a main file, never a main file without its
statements. A window is lost when its process dies before the window was exported, or when the
folder stays unwritable for so long that the export stage gives it up (`export_dropped` counts its
calls). A crash may leave a file that begins with a dot and ends in `.tmp`; readers pass over it and
it may be deleted.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from tenantmetrics import ledger
from tenantmetrics.errors import ConfigError, MissingExtraError
from tenantmetrics.export.base import ExportError
from tenantmetrics.export.ledger_parquet import parquet_writer
from tenantmetrics.export.ledger_statements import (
    LARGEST_TOTAL,
    ROWS_A_TOTAL,
    printable,
    write_statements,
)
from tenantmetrics.ledger_totals import OF_USAGE, Total, Totals, encode
from tenantmetrics.life import unforked
from tenantmetrics.measures import BY_STATEMENT, MEASURES
from tenantmetrics.records import UNATTRIBUTED, Series, SeriesKey, Source, Window
from tenantmetrics.refusals import REFUSED

__all__ = ["LedgerExporter", "files", "set_up_arrow", "write"]

_INT64_MAX = 2**63 - 1
"""Squares of calls that took an hour come to more; a window must not be lost for them."""

_ROWS_A_TOTAL = 1_000
"""Rows that stand for one sum in the footer, at the least. Smaller files are read as soon."""


class LedgerExporter:
    """Writes one Parquet file a window.

    Args:
        path: The ledger's folder; made if it is missing.
        clock: Monotonic seconds; injected by tests.

    Raises:
        MissingExtraError: pyarrow is not installed.
        ConfigError: The folder cannot be made or written to.
    """

    name = "ledger"

    def __init__(
        self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        # Loaded now rather than at the first export: that may come as the interpreter exits, too
        # late to import anything, and a missing extra must be told to whoever configures.
        try:
            import pyarrow.compute  # noqa: PLC0415
            import pyarrow.parquet  # noqa: F401, PLC0415
        except ImportError:
            raise MissingExtraError("the ledger exporter", "ledger") from None
        self._path = Path(path).absolute()
        self._clock = clock
        try:
            self._path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"ledger folder {str(path)!r} cannot be made: {error.strerror}"
            ) from None
        if not os.access(self._path, os.W_OK | os.X_OK):
            raise ConfigError(f"ledger folder {str(path)!r} is not writable: choose another")

    def export(self, windows: Sequence[Window], deadline_s: float) -> None:
        """Write each window's file, as `Exporter.export` says."""
        set_up_arrow()
        failed: list[Window] = []
        first: Exception | None = None
        for window in windows:
            try:
                self._write(window, deadline_s)
            except Exception as error:  # noqa: BLE001 - the other windows must still be written
                failed.append(window)
                first = first or error
        if first is not None:
            raise ExportError(f"{len(failed)} windows not written", failed=failed) from first

    def close(self) -> None:
        """Nothing stays open between two exports."""

    def _write(self, window: Window, deadline_s: float) -> None:
        if self._clock() >= deadline_s:
            raise TimeoutError("out of time before the window was written")
        for name, content in files(window):
            write(self._path / name, content)


def files(window: Window) -> Iterator[tuple[PurePosixPath, bytes]]:
    """The window's files in the order in which they are to be written; the same bytes every time.

    Args:
        window: A closed window.

    Yields:
        Path relative to the ledger, and content: the statements, if there are any, then the main
        file.
    """
    if len(window.statements):
        file = io.BytesIO()
        write_statements(window, file)
        yield ledger.statements_path(window), file.getvalue()
    yield ledger.file_path(window), _parquet(window, _table(window, ledger.arrow_schema()))


@lru_cache(maxsize=1)
def set_up_arrow() -> None:
    """Have Arrow do what it does once a process, by making the files of a small window.

    Nobody forks meanwhile: a child that is forked in the middle of it waits for the rest for ever.
    """
    window = Window(
        0, 60, "", 0, {SeriesKey("", "", "", Source.UNATTRIBUTED, "", ""): Series()}, {}
    )
    for tenant in range(ROWS_A_TOTAL):  # so many that they are added up too
        window.statements.add(str(tenant), ("", "", 0, "", ""), *[0] * len(BY_STATEMENT))
    with unforked:
        for _ in files(window):
            pass


def _parquet(window: Window, table: Any) -> bytes:
    file = io.BytesIO()
    with parquet_writer(file, table.schema) as writer:
        writer.write_table(table)
        totals = _totals(table)
        if totals and len(table) >= _ROWS_A_TOTAL * len(totals):
            # Where the data ends and the footer begins.
            said = Totals(
                len(table), file.tell(), window.start_s, window.length_s,
                table["writer"][0].as_py(), totals,
            )  # fmt: skip
            writer.add_key_value_metadata({OF_USAGE.key: encode(said)})
    return file.getvalue()


def _totals(table: Any) -> list[Total]:
    """The sums of the window's rows by cluster, lost ones apart; none where they are too large."""
    if len(table) < _ROWS_A_TOTAL:
        return []
    sums: dict[tuple[str, int], list[int]] = {}
    names = ("resource_arn", *OF_USAGE.sums)
    for arn, *numbers in zip(*(table[name].to_pylist() for name in names), strict=True):
        # `lost` is the last of them.
        key = arn, int(numbers[-1] > 0)
        known = sums.get(key)
        sums[key] = (
            numbers if known is None else [a + b for a, b in zip(known, numbers, strict=True)]
        )
    if any(number > LARGEST_TOTAL for numbers in sums.values() for number in numbers):
        return []
    return [Total(arn, (lost,), tuple(numbers)) for (arn, lost), numbers in sums.items()]


def write(target: Path, content: bytes) -> None:
    """Make a file appear whole or not at all, and survive a power cut.

    Args:
        target: Its path; folders are made.
        content: What is in it.

    Raises:
        OSError: It cannot be written; nothing is left behind.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the move itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _table(window: Window, schema: Any) -> Any:
    """The window as a `pyarrow.Table`, column by column: rows would take six times as long."""
    import pyarrow as pa  # noqa: PLC0415 - loaded by the constructor

    # Sorted, so that the same window is the same bytes, and tenants compress well.
    items = sorted(window.series.items())
    lost = [0] * len(items)
    for reason, amount in sorted(window.losses.items()):
        if amount:
            key = SeriesKey(UNATTRIBUTED, "", str(reason), Source.UNATTRIBUTED, "", "")
            items.append((key, Series()))
            lost.append(amount)
    for key, amount in sorted(window.refusals.items()):
        if key.outcome.startswith(REFUSED):  # what `strict` only warned of was sent, and is above
            items.append((key, Series()))
            lost.append(amount)
    keys = [key for key, _ in items]
    series = [one for _, one in items]
    buckets = [sorted(each.buckets.items()) for each in series]
    count = len(items)
    columns: dict[str, list[Any]] = {
        "window_start": [window.start_s * 1_000_000] * count,
        "window_s": [window.length_s] * count,
        "writer": [window.writer] * count,
        "sequence": [window.sequence] * count,
        "tenant": [key.tenant for key in keys],
        "operation": [key.operation for key in keys],
        "outcome": [key.outcome for key in keys],
        "source": [str(key.source) for key in keys],
        "resource_arn": [key.resource_arn for key in keys],
        "database": [key.database for key in keys],
        **{
            measure.name: [min(getattr(each, measure.name), _INT64_MAX) for each in series]
            for measure in MEASURES
        },
        "scale": [each.scale for each in series],
        "bucket_index": [[index for index, _ in pairs] for pairs in buckets],
        "bucket_count": [[number for _, number in pairs] for pairs in buckets],
        "lost": lost,
    }
    try:
        arrays = [pa.array(columns[field.name], type=field.type) for field in schema]
    except UnicodeEncodeError:
        # A tenant's name with half a surrogate pair must not keep the whole window out.
        arrays = [pa.array(printable(columns[field.name]), type=field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)
