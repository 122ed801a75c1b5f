"""Alarms in AWS: change sets of one CloudFormation stack, and the live alarms beside the model."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from tenantmetrics.console import cloudformation, undo
from tenantmetrics.console.alarm import resolve
from tenantmetrics.console.alarms import ALARMS
from tenantmetrics.console.aws import asking, code
from tenantmetrics.console.checks.template import resources
from tenantmetrics.console.parameters import PARAMETERS
from tenantmetrics.errors import ConsoleError

__all__ = [
    "Change", "Stack", "deploy", "differences", "expected", "plan", "remove", "restore", "state",
]  # fmt: skip

_POLL_S = 2.0
_ATTEMPTS = 300
_GONE = frozenset({None, "DELETE_COMPLETE", "REVIEW_IN_PROGRESS"})
_COLUMN = 60
_ALARMS = frozenset({"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"})


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack's template and parameters; an empty template where there is no stack."""

    template: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What a change set would do to one resource: Add, Modify or Remove."""

    action: str
    resource: str


def state(client: Any, stack: str) -> Stack:
    """What is deployed.

    Args:
        client: A CloudFormation client.
        stack: Name of the stack.

    Raises:
        ConsoleError: AWS refuses.
    """
    with asking(f"read stack {stack!r}"):
        try:
            (found,) = client.describe_stacks(StackName=stack)["Stacks"]
        except ClientError as error:
            if code(error) == "ValidationError" and "does not exist" in str(error):
                return Stack()
            raise
        if found.get("StackStatus") in _GONE:
            return Stack()
        template = client.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    if not isinstance(template, str):
        raise ConsoleError(f"stack {stack!r} was not made by tenantmetrics: choose another").about(
            "stack"
        )
    return Stack(
        template,
        {
            parameter["ParameterKey"]: parameter["ParameterValue"]
            for parameter in found.get("Parameters", ())
        },
    )


def plan(client: Any, stack: str, values: Mapping[str, Any]) -> tuple[Stack, Stack]:
    """What is deployed, and what would be.

    Args:
        client: A CloudFormation client.
        stack: Name of the stack.
        values: Parameters that are not to have their defaults.

    Raises:
        ConsoleError: A parameter is unknown or missing, or AWS refuses.
    """
    known = resolve(PARAMETERS, values)
    missing = [name for name, value in known.items() if value is None]
    if missing:
        field = {"PageTopicArn": "page_topic", "NotifyTopicArn": "notify_topic"}
        raise ConsoleError(f"parameter {missing[0]} needs a value").about(
            field.get(missing[0], "set")
        )
    wanted = {name: _text(value) for name, value in known.items()}
    return state(client, stack), Stack(cloudformation.committed(), wanted)


def deploy(
    client: Any, stack: str, before: Stack, wanted: Stack, undo_file: Path | None
) -> list[Change]:
    """Make a change set, and execute it.

    Args:
        client: A CloudFormation client.
        stack: Name of the stack.
        before: What is deployed.
        wanted: What is to be deployed.
        undo_file: Where to keep what was there; None for a dry run, which deletes the change set.

    Returns:
        What the change set does; empty where nothing changes.

    Raises:
        ConsoleError: AWS refuses, or the stack rolled back.
    """
    if before == wanted:
        return []
    name = f"tenantmetrics-{time.time_ns()}"
    arguments = {
        "StackName": stack,
        "ChangeSetName": name,
        "ChangeSetType": "UPDATE" if before.template else "CREATE",
        "TemplateBody": wanted.template,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in wanted.parameters.items()
        ],
    }
    with asking(f"make a change set of stack {stack!r}"):
        client.create_change_set(**arguments)
        made = _wait_for_change_set(client, stack, name)
    if made is None:
        _forget(client, stack, name, created=not before.template)
        return []
    changes = [
        Change(change["ResourceChange"]["Action"], change["ResourceChange"]["LogicalResourceId"])
        for change in made
        if "ResourceChange" in change
    ]
    if undo_file is None:
        _forget(client, stack, name, created=not before.template)
        return changes
    _keep(stack, before, undo_file)
    with asking(f"deploy stack {stack!r}"):
        client.execute_change_set(StackName=stack, ChangeSetName=name)
        kind = "stack_update_complete" if before.template else "stack_create_complete"
        _wait(client, kind, stack, "deployed")
    return changes


def remove(client: Any, stack: str, undo_file: Path | None) -> list[str]:
    """Delete the stack, after keeping what it was.

    Args:
        client: A CloudFormation client.
        stack: Name of the stack.
        undo_file: Where to keep what was there; None for a dry run.

    Returns:
        Names of the alarms that go; empty where there is no such stack.

    Raises:
        ConsoleError: The stack holds more than alarms, or AWS refuses.
    """
    now = state(client, stack)
    if not now.template:
        return []
    with asking(f"list the resources of stack {stack!r}"):
        pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
        found = [one for page in pages for one in page["StackResourceSummaries"]]
    others = sorted({one["ResourceType"] for one in found} - _ALARMS)
    if others:
        raise ConsoleError(
            f"stack {stack!r} holds more than alarms ({', '.join(others)}): nothing was removed"
        ).about("stack")
    if undo_file is not None:
        _delete(client, stack, now, undo_file)
    return [one.get("PhysicalResourceId") or one["LogicalResourceId"] for one in found]


def restore(client: Any, undo_file: Path) -> list[str]:
    """Put back what was there before the last deployment or removal; doing it twice redoes.

    Returns:
        What was done, a line a resource.

    Raises:
        ConsoleError: There is nothing to undo, or AWS refuses.
    """
    kept = undo.read(undo_file, "alarms")
    stack, now = str(kept["stack"]), state(client, str(kept["stack"]))
    if not kept["template"]:
        _delete(client, stack, now, undo_file)
        return [f"deleted stack {stack}"]
    wanted = Stack(kept["template"], kept["parameters"])
    return [
        f"{change.action} {change.resource}"
        for change in deploy(client, stack, now, wanted, undo_file)
    ]


def expected(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The alarms that a deployment has: name → properties as PutMetricAlarm names them."""
    known = resolve(PARAMETERS, values)
    every = resources(cloudformation.template(), known)
    return {
        properties["AlarmName"]: properties
        for alarm in ALARMS
        if not alarm.needs or known[str(alarm.needs)] == "true"
        for properties in (every[alarm.logical_id]["Properties"],)
    }


def differences(client: Any, values: Mapping[str, Any]) -> list[str]:
    """Where the alarms in CloudWatch are not what the model says, a line each.

    Args:
        client: A CloudWatch client.
        values: Parameters of the deployment that are not to have their defaults.

    Raises:
        ConsoleError: AWS refuses.
    """
    wanted = expected(values)
    prefix = f"{resolve(PARAMETERS, values)['Prefix']}-"
    there = {alarm["AlarmName"]: alarm for alarm in _live(client, prefix)}
    lines = [f"{name}: is not in CloudWatch" for name in wanted if name not in there]
    lines += [f"{name}: is in CloudWatch only" for name in there if name not in wanted]
    for name in wanted:
        for key, value in wanted[name].items():
            if name in there and _plain(there[name].get(key)) != _plain(value):
                was, should = (
                    _short(_plain(before_or_after))
                    for before_or_after in (there[name].get(key), value)
                )
                lines.append(f"{name}: {key} is {was} in CloudWatch, {should} here")
    return lines


def _live(client: Any, prefix: str) -> Iterator[dict[str, Any]]:
    with asking(f"read the alarms {prefix}*"):
        pages = client.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        for page in pages:
            yield from page.get("MetricAlarms", ())
            yield from page.get("CompositeAlarms", ())


def _plain(value: Any) -> Any:
    """One form for what AWS may hand back in another: numbers, order, empty lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item not in (None, [], "")}
    if isinstance(value, list):
        return sorted((_plain(part) for part in value), key=str)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _COLUMN else f"{text[: _COLUMN - 1]}…"


def _text(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _wait_for_change_set(client: Any, stack: str, name: str) -> list[dict[str, Any]] | None:
    """The change set's changes; None where there are none."""
    try:
        client.get_waiter("change_set_create_complete").wait(
            StackName=stack,
            ChangeSetName=name,
            WaiterConfig={"Delay": _POLL_S, "MaxAttempts": _ATTEMPTS},
        )
    except WaiterError as error:
        reason = str(error.last_response.get("StatusReason", error))
        if "didn't contain changes" in reason or "No updates" in reason:
            return None
        raise ConsoleError(f"stack {stack!r} cannot be changed: {reason}") from None
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = client.describe_change_set(StackName=stack, ChangeSetName=name, **token)
        found += page.get("Changes", ())
        if not page.get("NextToken"):
            return found
        token = {"NextToken": page["NextToken"]}


def _forget(client: Any, stack: str, name: str, *, created: bool) -> None:
    """Leave nothing of a change set that was only looked at."""
    with asking(f"delete the change set of stack {stack!r}"):
        client.delete_change_set(StackName=stack, ChangeSetName=name)
        if created:
            client.delete_stack(StackName=stack)


def _keep(stack: str, now: Stack, undo_file: Path) -> None:
    kept = {"stack": stack, "template": now.template, "parameters": now.parameters}
    undo.write(undo_file, "alarms", kept)


def _delete(client: Any, stack: str, now: Stack, undo_file: Path) -> None:
    """Delete a stack, after keeping what it is."""
    _keep(stack, now, undo_file)
    with asking(f"delete stack {stack!r}"):
        client.delete_stack(StackName=stack)
        _wait(client, "stack_delete_complete", stack, "deleted")


def _wait(client: Any, kind: str, stack: str, done: str) -> None:
    try:
        client.get_waiter(kind).wait(
            StackName=stack, WaiterConfig={"Delay": _POLL_S, "MaxAttempts": _ATTEMPTS}
        )
    except WaiterError as error:
        answer: Any = error.last_response
        last = (answer.get("Stacks") or [{}])[0]
        reason = last.get("StackStatusReason") or last.get("StackStatus") or error
        raise ConsoleError(f"stack {stack!r} was not {done}: {reason}") from None
