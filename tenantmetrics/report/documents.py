"""What the JSON documents share: their published schemas, and how a moment is written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import resources
from typing import Any

__all__ = ["moment", "published_schema"]


def published_schema(name: str) -> dict[str, Any]:
    """A JSON Schema of `report/schema`.

    Args:
        name: Of its file, without `.schema.json`.
    """
    folder = resources.files("tenantmetrics.report") / "schema"
    result: dict[str, Any] = json.loads((folder / f"{name}.schema.json").read_text("utf-8"))
    return result


def moment(seconds: int) -> str:
    """A moment in UTC, as RFC 3339 has it.

    Args:
        seconds: Since the epoch.
    """
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
