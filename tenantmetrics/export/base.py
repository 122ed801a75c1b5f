"""What every exporter is, and how it says what it could not deliver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tenantmetrics.records import Window

__all__ = ["ExportError", "Exporter"]


class ExportError(Exception):
    """Some windows were not delivered, or nobody knows; never leaves the export stage.

    Any other exception from an exporter counts as if none of its windows had been delivered.

    Args:
        message: What went wrong; not logged, so it may name paths.
        failed: Windows that surely did not arrive: they are tried again.
        uncertain: Windows that may have arrived: they are counted and not sent a second time.
        rejected: Windows that the destination will never take: they are counted and given up.
        kept: Windows that did not arrive and that the exporter itself keeps: they are counted as
            failed and not offered again.
        behind: Something is kept: `export` is to be called again, also without windows.
        dropped_calls: Calls of windows that the exporter kept and has given up.
    """

    def __init__(
        self,
        message: str,
        *,
        failed: Sequence[Window] = (),
        uncertain: Sequence[Window] = (),
        rejected: Sequence[Window] = (),
        kept: Sequence[Window] = (),
        behind: bool = False,
        dropped_calls: int = 0,
    ) -> None:
        super().__init__(message)
        self.failed = tuple(failed)
        self.uncertain = tuple(uncertain)
        self.rejected = tuple(rejected)
        self.kept = tuple(kept)
        self.behind = behind
        self.dropped_calls = dropped_calls


class Exporter(Protocol):
    """A destination. Its methods are called by one thread at a time, never the caller's.

    An object of the application's own with these three is taken in `exporters` too.

    One that holds something which a fork copies (a lock's file) has a method `abandon()` too: it is
    called in the child, on the copy. Exporters made from a name are made anew there; an object of
    the application's own goes on in the child.
    """

    @property
    def name(self) -> str:
        """A short fixed word for logs and counters ("ledger")."""

    def export(self, windows: Sequence[Window], deadline_s: float) -> None:
        """Deliver windows.

        Args:
            windows: Closed windows, oldest first; not to be changed. Empty only where the exporter
                keeps windows itself.
            deadline_s: On `time.monotonic()`; what is not delivered by then is reported as failed.

        Raises:
            ExportError: Some were not delivered.
        """

    def close(self) -> None:
        """Let go of connections and files; `export` is not called again."""
