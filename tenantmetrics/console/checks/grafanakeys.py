"""Misspelt members of a Grafana dashboard, which Grafana ignores without an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tenantmetrics.console.known import close_to

__all__ = ["member_faults"]

_NEAR = 0.8
_USED = frozenset([
    "allowCustomValue", "annotations", "calcs", "datasource", "defaults", "description",
    "displayMode", "editable", "expr", "fieldConfig", "fiscalYearStartMonth", "from",
    "graphTooltip", "gridPos", "id", "includeAll", "instant", "label", "legend", "legendFormat",
    "list", "min", "mode", "multi", "name", "options", "overrides", "panels", "placement", "query",
    "range", "refId", "refresh", "regex", "repeatDirection", "schemaVersion", "showLegend",
    "skipUrlSync", "sort", "tags", "targets", "templating", "time", "timezone", "title", "tooltip",
    "transparent", "type", "uid", "unit",
])  # fmt: skip
"""Members that our dashboards have."""
_ALIKE = frozenset([
    "Time", "annotation", "axisPlacement", "datasourceUid", "default", "defaultKeys",
    "displayName", "ids", "include", "instance", "labels", "links", "logDataSources", "max",
    "model", "namePlacement", "names", "sortBy", "target", "timeTo", "top", "valueDisplayMode",
])  # fmt: skip
"""Other members of Grafana's types whose names are close to those."""


def member_faults(node: Any) -> Iterator[str]:
    """What is misspelt in a part of a dashboard, at any depth but for the panels in it."""
    if isinstance(node, list):
        for item in node:
            yield from member_faults(item)
    elif isinstance(node, dict):
        for name, value in node.items():
            known = name in _USED or name in _ALIKE
            if not known and (hint := close_to(name, _USED, _NEAR)):
                yield f"there is no member {name!r}{hint}"
            if name != "panels":
                yield from member_faults(value)
