"""An exporter that the application made: `exporters=[MyExporter()]`.

One object may serve several pipelines in turn, and for a moment two at once: `configure` starts the
new one before it stops the old. It is used by one of them at a time and closed by the last.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from tenantmetrics.export.base import Exporter
from tenantmetrics.records import Window

__all__ = ["Given"]


class _Use:
    """Who uses an object."""

    def __init__(self, exporter: Exporter) -> None:
        self.exporter = exporter  # held, so that its id is not another's
        self.lock = threading.Lock()
        self.users = 0


_uses: dict[int, _Use] = {}


class Given:
    """One pipeline's use of an exporter.

    Args:
        exporter: The application's object.
    """

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._use = _uses.setdefault(id(exporter), _Use(exporter))
        self._use.users += 1

    @property
    def name(self) -> str:
        """The object's name."""
        return self._exporter.name

    def export(self, windows: Sequence[Window], deadline_s: float) -> None:
        """As `Exporter.export`."""
        with self._use.lock:
            self._exporter.export(windows, deadline_s)

    def close(self) -> None:
        """Close the object, unless another pipeline has taken it over."""
        self._use.users -= 1
        if self._use.users <= 0:
            _uses.pop(id(self._exporter), None)
            self._exporter.close()

    def abandon(self) -> None:
        """In a forked child: the object goes on in it, with a lock of the child's own."""
        _uses.pop(id(self._exporter), None)
        release = getattr(self._exporter, "abandon", None)
        if release is not None:
            release()
