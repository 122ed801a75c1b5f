"""Every generated file under `dashboards/` and `alarms/`, and whether it is up to date."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tenantmetrics.console import cloudformation, dashboards, grafana, terraform
from tenantmetrics.console.settings import Settings
from tenantmetrics.errors import MissingExtraError

__all__ = ["drift", "files", "write"]


def files() -> dict[str, str]:
    """Path under the source tree → text.

    Grafana's only where grafana-foundation-sdk is installed, which nothing but building them needs.
    """
    found = {
        f"dashboards/cloudwatch/{name}.json": dashboards.to_json(dashboards.build(name, Settings()))
        for name in dashboards.NAMES
    }
    found["alarms/cloudformation.yaml"] = cloudformation.to_yaml()
    found |= {f"alarms/terraform/{name}": text for name, text in terraform.module_files().items()}
    with suppress(MissingExtraError):
        found |= grafana.files()
    return found


def drift(root: Path) -> list[str]:
    """Paths that are missing or differ from what would be generated."""
    return [
        name
        for name, text in files().items()
        if not (root / name).is_file() or (root / name).read_text("utf-8") != text
    ]


def write(root: Path) -> list[str]:
    """Bring the files up to date.

    Returns:
        The paths that changed.
    """
    changed = drift(root)
    texts = files()
    for name in changed:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(texts[name], "utf-8")
        temporary.replace(path)
    return changed
