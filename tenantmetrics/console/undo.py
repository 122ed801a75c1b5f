"""What was there before a change, in a file of the caller's, so that it can be put back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tenantmetrics.errors import ConsoleError, why_unreadable

__all__ = ["read", "write"]


def write(path: Path, kind: str, state: dict[str, Any]) -> None:
    """Keep a state; it appears whole or not at all.

    Args:
        path: The file; one that is there is replaced.
        kind: "dashboards" or "alarms".
        state: What to put back.

    Raises:
        ConsoleError: The file cannot be written; nothing may be changed then.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps({"kind": kind, **state}, indent=1) + "\n", "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise ConsoleError(
            f"undo file {str(path)!r} cannot be written ({error.strerror}): nothing was changed"
        ) from None


def read(path: Path, kind: str) -> dict[str, Any]:
    """The kept state.

    Raises:
        ConsoleError: There is none, or it is another kind's.
    """
    try:
        state = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConsoleError(f"there is nothing to undo: {str(path)!r} does not exist") from None
    except (OSError, ValueError) as error:
        raise ConsoleError(
            f"undo file {str(path)!r} cannot be read: {why_unreadable(error)}"
        ) from None
    if not isinstance(state, dict) or state.get("kind") != kind:
        raise ConsoleError(f"undo file {str(path)!r} is not one of {kind}")
    return state
