"""Values that stand alone in a dashboard and are a letter away from what all others have.

No list can know a cluster's identifier or a log group. But where nine widgets read one cluster and
the tenth another of nearly the same name, the tenth is a slip, and its graph is empty.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

from tenantmetrics.console.alarms import ALARMS
from tenantmetrics.console.checks import metricwidget

__all__ = ["slips"]

_NEAR = 0.85
_SOURCE = re.compile(r"SOURCE\s+'([^']*)'")
_WORD = re.compile(r"\w{4,}")
_ONE_OF_A_KIND = "DBClusterIdentifier"
"""The only dimension whose values are compared: tenants may well have similar names."""


def slips(body: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """(number of the widget, fault) for each value that nearly is what the others have.

    Args:
        body: A dashboard that fits the schema.
    """
    found = [
        (number, kind, value)
        for number, widget in enumerate(body["widgets"])
        for kind, value in _values(widget)
    ]
    counts = Counter((kind, value) for _, kind, value in found)
    for number, kind, value in dict.fromkeys(found):
        for (other_kind, other), count in counts.items():
            if kind == other_kind and count > 2 * counts[kind, value] and _near(value, other):
                yield number, f"{kind} {value!r} is nearly {other!r}, which {count} others have"
                break
    patterns = [
        variable["pattern"] for variable in body.get("variables", ()) if "pattern" in variable
    ]
    for number, widget in enumerate(body["widgets"]):
        for text in _texts(widget):
            for word in dict.fromkeys(_WORD.findall(text)):
                for pattern in patterns:
                    if _near(word, pattern):
                        yield number, f"{word!r} is nearly the variable's pattern {pattern!r}"


def _values(widget: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    properties = widget["properties"]
    for line in metricwidget.expanded(properties.get("metrics", ())):
        rest = line.texts[metricwidget.NAMED :]
        for name, value in zip(rest[::2], rest[1::2], strict=False):
            if name == _ONE_OF_A_KIND:
                yield name, value
    for name in _SOURCE.findall(str(properties.get("query", ""))):
        yield "log group", name
    for arn in properties.get("alarms", ()):
        name = arn.rpartition(":")[2]
        ids = [alarm.id for alarm in ALARMS if name.endswith(f"-{alarm.id}")]
        if ids:
            yield "the alarms' prefix", name.removesuffix(f"-{max(ids, key=len)}")


def _texts(widget: Mapping[str, Any]) -> Iterator[str]:
    properties = widget["properties"]
    yield str(properties.get("markdown", ""))
    yield str(properties.get("query", ""))
    for line in metricwidget.expanded(properties.get("metrics", ())):
        yield str(line.options.get("expression", ""))
        yield from line.texts


def _near(value: str, other: str) -> bool:
    """Whether one is a slip of the other; `db-1` and `db-2` are two names."""
    if re.sub(r"\d", "", value) == re.sub(r"\d", "", other):
        return False
    return SequenceMatcher(None, value.lower(), other.lower()).ratio() >= _NEAR
