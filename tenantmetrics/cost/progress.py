"""How far the reading is, for whoever shows it: the steps that take long, and the rows of each.

Nobody has to: without `shown_by` nothing is counted and nothing is asked of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

__all__ = ["Step", "shown_by", "step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One pass over many rows.

    Attributes:
        what: What is done, such as "reading the bill".
        rows: About how many rows there are; 0 where that is not known.
        part: How much of it is done, 0 to 1; may be asked from any thread, at any time.
    """

    what: str
    rows: int
    part: Callable[[], float]


Shown = Callable[[Step], AbstractContextManager[None]]

_shown: ContextVar[Shown | None] = ContextVar("shown", default=None)


@contextmanager
def shown_by(show: Shown) -> Iterator[None]:
    """Have the steps of what runs within shown.

    Args:
        show: Enters when a step begins, and exits when it is over.
    """
    token = _shown.set(show)
    try:
        yield
    finally:
        _shown.reset(token)


@contextmanager
def step(what: str, rows: Callable[[], int], database: Any) -> Iterator[None]:
    """A query that takes long.

    Args:
        what: What is done.
        rows: About how many rows it reads; asked only where somebody shows it.
        database: The DuckDB connection that runs it.
    """
    show = _shown.get()
    if show is None:
        yield
        return
    # It counts only where it would draw a bar of its own, which must not be printed.
    database.execute("SET enable_progress_bar = true").fetchall()
    database.execute("SET enable_progress_bar_print = false").fetchall()
    database.execute("SET progress_bar_time = 0").fetchall()
    try:
        with show(Step(what, rows(), lambda: _part(database))):
            yield
    finally:
        database.execute("SET enable_progress_bar = false").fetchall()


def _part(database: Any) -> float:
    """A query that has not begun is at -1 %."""
    return min(max(float(database.query_progress()), 0.0), 100.0) / 100
