"""The three CloudWatch dashboards: `fleet`, `tenant` and `pipeline`.

Committed under `dashboards/cloudwatch/` as built with the default settings; `dashboards put` builds
them anew for the caller's namespace, region, cluster, log group and thresholds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tenantmetrics.console.boards import fleet, pipeline, tenant
from tenantmetrics.console.boards.parts import TENANT, title
from tenantmetrics.console.settings import Settings

__all__ = ["NAMES", "TENANT", "build", "render", "title"]

_BUILDERS: dict[str, Callable[[Settings], dict[str, Any]]] = {
    "fleet": fleet.build,
    "tenant": tenant.build,
    "pipeline": pipeline.build,
}

NAMES = tuple(_BUILDERS)
"""Names of the dashboards, as their files have them."""


def build(name: str, settings: Settings) -> dict[str, Any]:
    """A dashboard's body.

    Args:
        name: One of `NAMES`.
        settings: What it is built for.
    """
    return _BUILDERS[name](settings)


def render(body: dict[str, Any]) -> str:
    """A body as it is committed and put: JSON, one way to write it."""
    return json.dumps(body, indent=1, ensure_ascii=False) + "\n"
