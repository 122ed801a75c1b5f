"""Where the committed dashboards and alarms are: in the wheel, or in the source tree."""

from __future__ import annotations

from pathlib import Path

from tenantmetrics.errors import ConsoleError

__all__ = ["folder"]

_HERE = Path(__file__).parent


def folder(name: str) -> Path:
    """The folder `dashboards` or `alarms`.

    A wheel carries both inside the package; an editable install finds them beside the package.

    Raises:
        ConsoleError: The installation lacks it.
    """
    for root in (_HERE / "_data", _HERE.parent.parent):
        if (root / name).is_dir():
            return root / name
    raise ConsoleError(f"the installed package has no {name}: reinstall it")
