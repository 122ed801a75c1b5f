"""cfn-lint: reads templates, and says what is wrong with them as templates of CloudFormation.

References, parameters, conditions, functions and the properties of every resource are its field.
What is wrong with an alarm or a dashboard as such is ours, and `lintrules` gives it to cfn-lint.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from tenantmetrics.console.checks.fault import Fault, load_json
from tenantmetrics.console.known import close_to
from tenantmetrics.errors import MissingExtraError

if TYPE_CHECKING:
    from cfnlint.rules import Match, Rules

__all__ = ["load", "template_faults"]

_REGION = "us-east-1"
_CLOUDWATCH = "AWS::CloudWatch::"
_ONE_OF = re.compile(r"(?s)(.+?) is not one of (\[.+\])")
_REFERENCES = frozenset({"E1010", "E1019", "E1020", "E3005", "E3015"})
"""Rules on names of nothing, which hold for every resource: Fn::GetAtt, Fn::Sub, Ref, DependsOn,
Condition."""

_UNUSED = "W2001"
_SAID_BY_OURS = frozenset({"E3006", "E3030", "E3615"})
"""Resource types and values of enumerations, where ours name the neighbour that was meant; periods,
of which cfn-lint does not know those of 1, 5 and 20 seconds."""


def load(text: str) -> Any:
    """A template as data; short tags become their long form.

    Raises:
        ValueError: It is not YAML or JSON, or has a key twice; one line.
        MissingExtraError: cfn-lint is not installed.
    """
    if text.lstrip().startswith("{"):
        load_json(text)  # names what is wrong with JSON more exactly
    try:
        from cfnlint.decode.decode import decode_str  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("checking CloudFormation templates", "console") from None
    template, broken = decode_str(text)
    for match in broken:
        raise ValueError(" ".join(str(match.message).split()))
    return template


def template_faults(file: str, template: Any, *, strict: bool) -> Iterator[Fault]:
    """What cfn-lint finds.

    Args:
        file: What faults call it.
        template: As `load` returns it.
        strict: Whether the whole of it is ours; of others' templates only parameters, names of
            nothing, and what belongs to CloudWatch count.
    """
    made_later = "Transform" in template or any("ForEach" in name for name in template["Resources"])
    if made_later:
        template = _without_transform(template)
    from cfnlint.config import ConfigMixIn  # noqa: PLC0415 - half a second, found above
    from cfnlint.template import Template  # noqa: PLC0415

    seen = set()
    config = ConfigMixIn(regions=[_REGION])
    for match in _rules().run(file, Template(file, template, [_REGION]), config):
        path = [str(part) for part in getattr(match, "path", None) or ()]
        if made_later and match.rule.id in _REFERENCES:
            continue  # what is named may be made by the transform
        if not _counts(match, path, template, strict=strict):
            continue
        place = path[1] if path[:1] == ["Resources"] and len(path) > 1 else "template"
        where = "" if place != "template" or len(path) < 2 else f"{path[0]}/{path[1]}: "  # noqa: PLR2004 - section and name
        fault = Fault(file, place, f"{where}{_shown(match.message)} ({match.rule.id})")
        if fault not in seen:
            seen.add(fault)
            yield fault


def _without_transform(template: dict[str, Any]) -> dict[str, Any]:
    """The parts that stand there as they are deployed: parameters, and what is CloudWatch's own."""
    kept = {name: part for name, part in template.items() if name in {"Parameters", "Conditions"}}
    kept["Resources"] = {
        name: resource
        for name, resource in template["Resources"].items()
        if isinstance(resource, dict) and str(resource.get("Type")).startswith(_CLOUDWATCH)
    }
    return kept


@cache
def _rules() -> Rules:
    """All of cfn-lint's own rules."""
    from pathlib import Path  # noqa: PLC0415

    import cfnlint  # noqa: PLC0415
    from cfnlint.rules import Rules  # noqa: PLC0415

    found: Rules = Rules.create_from_directory(str(Path(cfnlint.__file__).parent / "rules"))
    return found


def _counts(match: Match, path: list[str], template: Any, *, strict: bool) -> bool:
    """Whether a finding is one of ours to tell."""
    rule = match.rule.id
    if rule in _SAID_BY_OURS:
        return False
    if strict:
        return bool(rule.startswith("E") or rule == _UNUSED)
    if not rule.startswith("E"):
        return False
    if path[:1] == ["Resources"] and rule not in _REFERENCES:
        resource = template["Resources"].get(path[1] if len(path) > 1 else "")
        kind = resource.get("Type") if isinstance(resource, dict) else None
        return str(kind).startswith(_CLOUDWATCH)
    return rule in _REFERENCES or path[:1] in (["Parameters"], ["Conditions"])


def _shown(message: str) -> str:
    """A message in one line; of a long list of what there is, the one that was meant."""
    message = " ".join(message.split())
    match = _ONE_OF.fullmatch(message)
    if match is None:
        return message
    try:
        wrong, there = ast.literal_eval(match[1]), ast.literal_eval(match[2])
    except (ValueError, SyntaxError):
        return message
    if len(there) <= 5:  # noqa: PLR2004 - as many as are read at a glance
        return message + close_to(str(wrong), map(str, there))
    return f"{match[1]} is not one of the {len(there)} names" + close_to(
        str(wrong), map(str, there)
    )
