"""What every alarm has, on metrics and composite: its names, its runbook line, its actions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tenantmetrics.console.checks.cloudformation import is_open, listed

__all__ = ["common_faults", "has_runbook"]

_MAX_NAME = 255
_MAX_ACTIONS = 5
_DESCRIPTION_CHARS = 1_024
_SAID = ("Means:", "Look:", "Do:")
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
_SUPPRESSED = ("ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod")


def has_runbook(alarm: Mapping[str, Any]) -> bool:
    """Whether an alarm's description says what it means, where to look and what to do."""
    return all(said in str(alarm.get("AlarmDescription", "")) for said in _SAID)


def common_faults(alarm: dict[str, Any], *, strict: bool, runbook: bool) -> Iterator[str]:
    """What is wrong with an alarm whatever it watches.

    Args:
        alarm: Its properties.
        strict: Whether it is on our metrics: then it must do something when it fires.
        runbook: Whether its description must say what to do, as those of the file's others do.
    """
    name = alarm.get("AlarmName", "")
    if not is_open(name) and len(str(name)) > _MAX_NAME:
        yield f"AlarmName has {len(str(name))} characters, {_MAX_NAME} are allowed"
    yield from _description_faults(alarm.get("AlarmDescription", ""), runbook=runbook)
    for action in _ACTIONS:
        yield from _action_faults(action, listed(alarm.get(action)))
    if strict and str(alarm.get("ActionsEnabled", True)).lower() == "false":
        yield "ActionsEnabled is false: no action runs when it fires"
    for needed in _SUPPRESSED if "ActionsSuppressor" in alarm else ():
        if needed not in alarm:
            yield f"ActionsSuppressor needs {needed}"


def _description_faults(description: Any, *, runbook: bool) -> Iterator[str]:
    count = len(str(description))
    if count > _DESCRIPTION_CHARS and not is_open(description):
        yield f"AlarmDescription has {count} characters, {_DESCRIPTION_CHARS} allowed"
    for said in _SAID if runbook else ():
        if said not in str(description):
            yield f"AlarmDescription lacks {said!r}: whoever is paged must read what to do"


def _action_faults(action: str, arns: list[Any]) -> Iterator[str]:
    if len(arns) > _MAX_ACTIONS:
        yield f"{action} has {len(arns)} entries, {_MAX_ACTIONS} are allowed"
    for arn in arns:
        if isinstance(arn, str) and not is_open(arn) and not arn.startswith("arn:"):
            yield f"{action}: {arn!r} is not an ARN"
