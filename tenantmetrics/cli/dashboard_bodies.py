"""The dashboards that a command is about: their settings, their JSON, their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenantmetrics.cli.parameters import pairs
from tenantmetrics.errors import ConsoleError

if TYPE_CHECKING:
    from tenantmetrics.console.settings import Settings

__all__ = ["bodies", "committed_file", "settings_from", "summary", "titles"]

_PRICES = {
    "UsdPerMillionRequests": "usd_per_million_requests",
    "UsdPerAcuHour": "usd_per_acu_hour",
}
"""The alarms' names of what the dashboards' costs are computed with."""


def settings_from(set_: list[str] | None = None, **given: Any) -> Settings:
    """What dashboards are built with.

    Args:
        set_: NAME=VALUE, as `--set` has them.
        **given: Further fields of `Settings`.

    Raises:
        ConsoleError: One of `set_` is not NAME=VALUE, or its value is not a number.
    """
    from tenantmetrics.console.settings import Settings

    chosen = pairs(set_)
    for name, price in _PRICES.items():
        if name in chosen:
            try:
                given[price] = float(chosen[name])
            except ValueError:
                raise ConsoleError(f"--set {name}={chosen[name]}: must be a number") from None
    return Settings(**given, thresholds=chosen)


def bodies(names: list[str] | None, settings: Settings) -> dict[str, str]:
    """The JSON of CloudWatch dashboards, by title.

    Args:
        names: Which; none: all.
        settings: What they are built with.

    Raises:
        ConsoleError: There is none of that name.
    """
    from tenantmetrics.console.dashboards import build, to_json

    return {
        title: to_json(build(name, settings)) for title, name in titles(names, settings).items()
    }


def titles(names: list[str] | None, settings: Settings) -> dict[str, str]:
    """Titles of CloudWatch dashboards, and which each is of.

    Args:
        names: Which; none: all.
        settings: What they are built with.

    Raises:
        ConsoleError: There is none of that name.
    """
    from tenantmetrics.console.dashboards import NAMES, title

    for name in names or ():
        if name not in NAMES:
            raise ConsoleError(f"there is no dashboard {name!r}: there are {', '.join(NAMES)}")
    return {title(name, settings): name for name in names or NAMES}


def committed_file(name: str) -> Path:
    """The file of a dashboard as it comes with the package.

    Args:
        name: Such as `grafana/fleet`.

    Raises:
        ConsoleError: There is none of that name.
    """
    from tenantmetrics.console.data import folder

    root = folder("dashboards")
    path = root / f"{name}.json"
    if not path.is_file():
        known = ", ".join(
            str(path.relative_to(root).with_suffix("")) for path in sorted(root.rglob("*.json"))
        )
        raise ConsoleError(f"there is no dashboard {name!r}: there are {known}")
    return path


def summary(path: Path) -> str:
    """What a dashboard's file is, in a few words."""
    import json

    body = json.loads(path.read_text("utf-8"))
    if "widgets" in body:
        return f"CloudWatch, {len(body['widgets'])} widgets"
    panels = [panel for panel in body.get("panels", ()) if panel.get("type") != "row"]
    return f"Grafana, {len(panels)} panels, uid {body.get('uid')}"
