"""Functions of CloudFormation templates, worked out as far as the template goes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = [
    "ALARM",
    "COMPOSITE",
    "STAND_IN",
    "is_open",
    "listed",
    "number",
    "resources",
    "used",
]

ALARM, COMPOSITE = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"

STAND_IN = "arn:aws:sns:us-east-1:123456789012:topic"
"""What a parameter without a default is, where an ARN is wanted."""

_PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "stack",
    "AWS::URLSuffix": "amazonaws.com",
}
_PLACE = re.compile(r"\$\{([^!{}][^{}]*)\}")


def resources(template: Any, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The resources, with every function worked out that needs nothing but the template.

    Args:
        template: As `load` returns it.
        given: Values of parameters, instead of their defaults.
    """
    every = template.get("Resources", {})
    values: dict[str, Any] = dict(_PSEUDO)
    for name, parameter in template.get("Parameters", {}).items():
        if "Default" in parameter and not str(parameter.get("Type")).startswith("AWS::SSM::"):
            values[name] = parameter["Default"]
        elif "arn" in name.lower():
            values[name] = STAND_IN
    values |= given or {}
    for name, resource in every.items():
        if isinstance(resource, dict) and resource.get("Type") in {ALARM, COMPOSITE}:
            called = _filled((resource.get("Properties") or {}).get("AlarmName", name), values)
            values[name] = name if is_open(called) else called
            values[f"{name}.Arn"] = f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{called}"
    return {name: _filled(resource, values) for name, resource in every.items()}


def is_open(value: Any) -> bool:
    """Whether a value is a function that only a deployment can work out."""
    if isinstance(value, str):
        return "${" in value
    return (
        isinstance(value, dict)
        and len(value) == 1
        and next(iter(value)).startswith(("Fn::", "Ref", "Condition"))
    )


def number(value: Any) -> Any:
    """A number that is written as a text, as CloudFormation reads it; else the value as it is."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            try:
                return float(value)
            except ValueError:
                return value
    return value


def listed(value: Any) -> list[Any]:
    """A list, one entry as a list of it, and nothing of what only a deployment knows."""
    if value is None or (isinstance(value, dict) and is_open(value)):
        return []
    return value if isinstance(value, list) else [value]


def used(node: Any) -> Iterator[str]:
    """Names that Ref, Sub and GetAtt use, without attributes."""
    if isinstance(node, list):
        for item in node:
            yield from used(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref" and isinstance(value, str):
                yield value
            elif key == "Fn::GetAtt":
                yield (value if isinstance(value, str) else str(value[0])).split(".")[0]
            elif key == "Fn::Sub":
                text, more = (value, {}) if isinstance(value, str) else (value[0], value[1])
                for name in _PLACE.findall(text):
                    if name not in more:
                        yield name.split(".")[0]
                yield from used(more)
            else:
                yield from used(value)


def _filled(node: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        items = [_filled(item, values) for item in node]
        return [item for item in items if item != {"Ref": "AWS::NoValue"}]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((key, value),) = node.items()
        done = _function(key, value, values)
        if done is not None:
            return done
    found = {key: _filled(value, values) for key, value in node.items()}
    return {key: value for key, value in found.items() if value != {"Ref": "AWS::NoValue"}}


def _function(key: str, value: Any, values: Mapping[str, Any]) -> Any:
    """What a function comes to; None where it is none, or needs more than the template."""
    if key == "Ref":
        return values.get(str(value))
    if key == "Fn::GetAtt":
        return values.get(value if isinstance(value, str) else ".".join(map(str, value)))
    if key == "Fn::Sub":
        text, more = (value, {}) if isinstance(value, str) else (value[0], value[1])
        known = {**values, **_filled(more, values)}

        def place(match: re.Match[str]) -> str:
            found = known.get(match.group(1))
            return match.group() if found is None or is_open(found) else str(found)

        return _PLACE.sub(place, text).replace("${!", "${")
    if key == "Fn::Join" and isinstance(value, list):
        parts = _filled(value[1], values)
        if isinstance(parts, list):
            texts = [f"${{{next(iter(part.values()))}}}" if is_open(part) and isinstance(part, dict)
                     else str(part) for part in parts]  # fmt: skip
            return str(value[0]).join(texts)
    if key == "Fn::If" and isinstance(value, list):
        yes, no = (_filled(branch, values) for branch in value[1:])
        return no if yes == {"Ref": "AWS::NoValue"} else yes
    return None
