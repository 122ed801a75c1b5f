"""CloudFormation templates: as templates by cfn-lint, and their alarms and dashboards by our rules.

Limits: CloudWatch API reference, PutMetricAlarm and PutCompositeAlarm; CloudFormation quotas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantmetrics.console.checks.cloudformation import resources
from tenantmetrics.console.checks.fault import Fault
from tenantmetrics.console.checks.lint import load, template_faults
from tenantmetrics.console.checks.monitoring import resource_faults
from tenantmetrics.console.known import Known

__all__ = ["check", "load", "resources"]

_MAX_BYTES = 51_200
"""Template that CreateChangeSet takes as its TemplateBody (CloudFormation quotas)."""


def check(
    file: str, text: str, known: Known, given: Mapping[str, Any] | None = None
) -> list[Fault]:
    """Everything that is wrong with a template's alarms, dashboards and Contributor Insights rules.

    Args:
        file: What faults call it.
        text: The template.
        known: The metrics there are.
        given: Values of parameters, instead of their defaults.

    Raises:
        MissingExtraError: cfn-lint is not installed.
    """
    try:
        template = load(text)
    except ValueError as error:
        return [Fault(file, "template", f"is not a template: {error}")]
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        what = (
            "is neither a CloudFormation template (it has no Resources) nor a file of Prometheus "
            "rules (it has no groups)"
        )
        return [Fault(file, "template", what)]
    found = list(template_faults(file, template, strict=known.strict))
    size = len(text.encode())
    if known.strict and size > _MAX_BYTES:
        what = f"has {size} bytes, {_MAX_BYTES} are allowed in a request"
        found.append(Fault(file, "template", what))
    return found + [
        Fault(file, place, what) for _, place, what in resource_faults(template, known, given)
    ]
