"""Patterns that take milliseconds to compile, and that few texts need."""

from __future__ import annotations

import re
from functools import cache

__all__ = ["compiled"]


@cache
def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """A pattern, compiled with the first text that needs it and kept.

    Args:
        pattern: One of the constants of a module: it is never forgotten.
        flags: As `re.compile` takes them.
    """
    return re.compile(pattern, flags)
