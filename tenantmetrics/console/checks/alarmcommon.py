"""What every alarm has, on metrics and composite: its names, its runbook line, its actions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from tenantmetrics.console.checks.cloudformation import ALARM, is_open, listed
from tenantmetrics.console.known import close_to

__all__ = ["faults"]

_MAX_NAME = 255
_MAX_ACTIONS = 5
_DESCRIPTION_CHARS = 1_024
_SAID = ("Means:", "Look:", "Do:")
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
_SUPPRESSED = ("ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")
_NEWER = frozenset({"EvaluationCriteria", "EvaluationInterval"})
"""Older releases of botocore do not know alarms on PromQL yet."""


def faults(kind: str, alarm: dict[str, Any], *, strict: bool) -> Iterator[str]:
    """What is wrong with an alarm whatever it watches.

    Args:
        kind: Its resource type.
        alarm: Its properties.
        strict: Whether it is one of ours, which must say what to do and do it.
    """
    yield from _property_faults(kind, alarm)
    name = alarm.get("AlarmName", "")
    if not is_open(name) and len(str(name)) > _MAX_NAME:
        yield f"AlarmName has {len(str(name))} characters, {_MAX_NAME} are allowed"
    yield from _description_faults(alarm.get("AlarmDescription", ""), strict=strict)
    for action in _ACTIONS:
        yield from _action_faults(action, listed(alarm.get(action)))
    if strict and str(alarm.get("ActionsEnabled", True)).lower() == "false":
        yield "ActionsEnabled is false: nobody hears of it"
    for needed in _SUPPRESSED if "ActionsSuppressor" in alarm else ():
        if needed not in alarm:
            yield f"ActionsSuppressor needs {needed}"


@cache
def _shape(operation: str) -> Any:
    """A request's structure, by botocore's own model of CloudWatch."""
    from botocore.loaders import Loader  # noqa: PLC0415 - reads a large file
    from botocore.model import ServiceModel  # noqa: PLC0415

    model = ServiceModel(Loader().load_service_model("cloudwatch", "service-2"))
    return model.operation_model(operation).input_shape


def _property_faults(kind: str, alarm: dict[str, Any]) -> Iterator[str]:
    shape = _shape("PutMetricAlarm" if kind == ALARM else "PutCompositeAlarm")
    yield from _member_faults("", alarm, shape)


def _member_faults(where: str, value: Any, shape: Any) -> Iterator[str]:
    """Names that the structure does not have, at any depth."""
    if shape.type_name == "list":
        for one in value if isinstance(value, list) else ():
            yield from _member_faults(where, one, shape.member)
    if shape.type_name != "structure" or not isinstance(value, dict) or is_open(value):
        return
    for name, one in value.items():
        if name in shape.members:
            yield from _member_faults(f"{name}: ", one, shape.members[name])
        elif where or name not in _NEWER:
            yield f"{where}there is no property {name!r}{close_to(name, shape.members)}"


def _description_faults(description: Any, *, strict: bool) -> Iterator[str]:
    count = len(str(description))
    if count > _DESCRIPTION_CHARS and not is_open(description):
        yield f"AlarmDescription has {count} characters, {_DESCRIPTION_CHARS} allowed"
    for said in _SAID if strict else ():
        if said not in str(description):
            yield f"AlarmDescription lacks {said!r}: who is woken must read what to do"


def _action_faults(action: str, arns: list[Any]) -> Iterator[str]:
    if len(arns) > _MAX_ACTIONS:
        yield f"{action} has {len(arns)} entries, {_MAX_ACTIONS} are allowed"
    for one in arns:
        if isinstance(one, str) and not is_open(one) and not one.startswith("arn:"):
            yield f"{action}: {one!r} is no ARN"
