"""The bar that `report` shows while it reads: rows read, and the time that is left.

On a terminal only, on standard error, and gone when the work is done: a pipe and a log get nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, RenderableType
    from rich.progress import ProgressColumn

    from tenantmetrics.cost.progress import Step

__all__ = ["progress_bar"]

_WIDE, _NARROW = 96, 50
"""Columns from which on a terminal has room for rows and time, and for a bar at all."""


@contextmanager
def progress_bar(console: Console | None = None) -> Iterator[None]:
    """Show the reading of what runs within.

    Args:
        console: Where to; standard error if None.
    """
    from rich.console import Console
    from rich.progress import Progress

    from tenantmetrics.cost.progress import shown_by

    console = console or Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield
        return

    class Bar(Progress):
        """Looks how far the step is whenever it is drawn."""

        step: Step | None = None

        def get_renderables(self) -> Iterable[RenderableType]:
            for task in self.tasks:
                if self.step is not None and self.step.rows:
                    done = max(task.completed, self.step.part() * self.step.rows)
                    # It remembers when: the time left is made of that.
                    self.update(task.id, completed=done)
            yield from super().get_renderables()

    bar = Bar(*_columns(console.width), console=console, transient=True)
    task = bar.add_task("reading the usage", total=None)

    def begin(what: str, rows: int | None) -> None:
        bar.reset(task, description=what)
        # Given None, `reset` keeps the total of the step before.
        bar.tasks[0].total = rows

    @contextmanager
    def show(step: Step) -> Iterator[None]:
        begin(step.what, step.rows or None)
        bar.step = step
        bar.refresh()
        try:
            yield
        finally:
            bar.step = None
            begin("working it out", None)

    with bar, shown_by(show):
        yield


def _columns(width: int) -> list[ProgressColumn | str]:
    """What fits beside each other."""
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

    what = TextColumn("{task.description}")
    if width < _NARROW:
        return [what, TaskProgressColumn()]
    if width < _WIDE:
        return [what, BarColumn(bar_width=12), TaskProgressColumn(), TimeRemainingColumn()]
    return [what, BarColumn(bar_width=24), _rows_column(), TimeRemainingColumn(), "left"]


def _rows_column() -> ProgressColumn:
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Rows(ProgressColumn):
        """Rows read of about so many; nothing where they are not known."""

        def render(self, task: Task) -> Text:
            if not task.total:
                return Text("")
            return Text(f"{int(task.completed):,} of about {int(task.total):,} rows")

    return Rows()
