"""What a CloudFormation template names and does not have: parameters, resources, conditions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tenantmetrics.console.checks.cloudformation import listed, names, number, used
from tenantmetrics.console.known import close_to

__all__ = ["faults"]

_SECTIONS = frozenset([
    "AWSTemplateFormatVersion", "Conditions", "Description", "Mappings", "Metadata", "Outputs",
    "Parameters", "Resources", "Rules", "Transform", "Globals", "Hooks",
])  # fmt: skip
_OF_RESOURCES = frozenset([
    "Condition", "CreationPolicy", "DeletionPolicy", "DependsOn", "Metadata", "Properties", "Type",
    "UpdatePolicy", "UpdateReplacePolicy", "Version", "Connectors",
])  # fmt: skip
_OF_PARAMETERS = frozenset([
    "AllowedPattern", "AllowedValues", "ConstraintDescription", "Default", "Description",
    "MaxLength", "MaxValue", "MinLength", "MinValue", "NoEcho", "Type",
])  # fmt: skip
_TYPES = frozenset({"String", "Number", "CommaDelimitedList", "List<Number>", "List<String>"})


def faults(template: dict[str, Any], *, strict: bool) -> Iterator[str]:
    """Parameters whose defaults do not fit, and names of nothing.

    Args:
        template: As `cloudformation.load` returns it.
        strict: Whether a parameter that nothing uses is a fault too.
    """
    yield from _unknown("the template", template, _SECTIONS)
    parameters = template.get("Parameters", {})
    for name, one in parameters.items():
        yield from _unknown(f"parameter {name}", one, _OF_PARAMETERS)
        yield from _parameter_faults(name, one)
    if "Transform" in template or any("ForEach" in name for name in template["Resources"]):
        return  # what is named there may be made by the transform
    there = names(template)
    uses = set(used([template["Resources"], template.get("Outputs"), template.get("Conditions")]))
    for name in sorted(uses - there):
        if name.split("::")[0] not in {"AWS", "resolve"}:
            yield f"{name!r} is used and neither a parameter nor a resource{close_to(name, there)}"
    for name, one in template["Resources"].items():
        if isinstance(one, dict):
            yield from _resource_faults(name, one, template)
    for name in sorted(set(parameters) - uses) if strict else ():
        yield f"parameter {name} is used nowhere"


def _parameter_faults(name: str, parameter: dict[str, Any]) -> Iterator[str]:
    kind = str(parameter.get("Type"))
    if kind not in _TYPES and not kind.startswith(("AWS::", "List<AWS::")):
        yield f"parameter {name}: type {kind!r} does not exist{close_to(kind, _TYPES)}"
    allowed, default = parameter.get("AllowedValues"), parameter.get("Default")
    if allowed and default is not None and str(default) not in map(str, allowed):
        yield f"parameter {name}: its default {default!r} is none of {allowed}"
    if parameter.get("Type") == "Number" and not isinstance(number(default or 0), int | float):
        yield f"parameter {name}: its default {default!r} is not a number"


def _resource_faults(name: str, one: dict[str, Any], template: dict[str, Any]) -> Iterator[str]:
    yield from _unknown(name, one, _OF_RESOURCES)
    condition, conditions = one.get("Condition"), template.get("Conditions", {})
    if isinstance(condition, str) and condition not in conditions:
        yield f"{name}: there is no condition {condition!r}{close_to(condition, conditions)}"
    for other in listed(one.get("DependsOn")):
        if other not in template["Resources"]:
            hint = close_to(str(other), template["Resources"])
            yield f"{name} depends on {other!r}, and there is no such resource{hint}"


def _unknown(where: str, given: Any, known: frozenset[str]) -> Iterator[str]:
    for name in given if isinstance(given, dict) else ():
        if name not in known:
            yield f"{where} has no member {name!r}{close_to(str(name), known)}"
