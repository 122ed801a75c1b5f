"""`--set NAME=VALUE`, which alarms and dashboards share."""

from __future__ import annotations

from collections.abc import Sequence

from tenantmetrics.errors import ConsoleError

__all__ = ["pairs"]


def pairs(given: Sequence[str] | None) -> dict[str, str]:
    """Values by name.

    Args:
        given: What stood after each `--set`.

    Raises:
        ConsoleError: One of them has no equals sign.
    """
    found = {}
    for entry in given or ():
        name, sign, value = entry.partition("=")
        if not sign:
            raise ConsoleError(f"--set {entry!r}: must be NAME=VALUE")
        found[name] = value
    return found
