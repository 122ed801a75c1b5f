"""Our rules for cfn-lint: `cfn-lint --append-rules tenantmetrics.console.checks.lintrules FILE`.

`tenantmetrics alarms check` applies the same ones. A namespace other than the default is set with
`--configure-rule E9701:namespace=Hospitality/AI`, one such option for each rule.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

from cfnlint.rules import CloudFormationLintRule, RuleMatch

from tenantmetrics.catalog import NAMESPACE
from tenantmetrics.console.checks.cloudformation import ALARM, COMPOSITE
from tenantmetrics.console.checks.monitoring import CONTRIBUTOR, DASHBOARD, resource_faults
from tenantmetrics.console.known import Known

__all__ = ["AlarmRule", "CompositeAlarmRule", "ContributorInsightsRule", "DashboardRule"]

_SOURCE = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/"


class _Rule(CloudFormationLintRule):  # type: ignore[misc]
    """Faults of the resources of one type."""

    resource_type: ClassVar[str] = ""
    tags: ClassVar[list[str]] = ["cloudwatch", "tenantmetrics"]

    def __init__(self) -> None:
        super().__init__()
        self.config_definition = {"namespace": {"default": NAMESPACE, "type": "string"}}
        self.configure()

    def match(self, cfn: Any) -> Iterator[RuleMatch]:
        """What is wrong with a template's resources of this type."""
        template = cfn.template
        namespace = self.config["namespace"]
        known = Known.of(namespace, strict=namespace in json.dumps(template, default=str))
        for finding in resource_faults(template, known):
            resource = template["Resources"].get(finding.resource)
            if isinstance(resource, dict) and resource.get("Type") == self.resource_type:
                widget = finding.place.removeprefix(finding.resource).removeprefix(": ")
                what = f"{widget}: {finding.what}" if widget else finding.what
                yield RuleMatch(["Resources", finding.resource], what)


class AlarmRule(_Rule):
    """Alarms on metrics, on metric math, on Metrics Insights and on PromQL."""

    id = "E9701"
    shortdesc = "CloudWatch alarms can fire"
    description = "Metrics, dimensions, statistics, periods and expressions of an alarm exist"
    source_url = f"{_SOURCE}API_PutMetricAlarm.html"
    resource_type = ALARM


class CompositeAlarmRule(_Rule):
    """Composite alarms."""

    id = "E9702"
    shortdesc = "Composite alarms name alarms that exist"
    description = "The rule parses, can change, and names alarms that are made before it"
    source_url = f"{_SOURCE}API_PutCompositeAlarm.html"
    resource_type = COMPOSITE


class ContributorInsightsRule(_Rule):
    """Contributor Insights rules."""

    id = "E9703"
    shortdesc = "Contributor Insights rules are complete"
    description = "Keys, filters and fields of a rule exist"
    source_url = f"{_SOURCE}API_PutInsightRule.html"
    resource_type = CONTRIBUTOR


class DashboardRule(_Rule):
    """Bodies of dashboards."""

    id = "E9704"
    shortdesc = "Dashboards draw metrics that exist"
    description = "Widgets, metrics, expressions and log queries of a dashboard's body exist"
    source_url = f"{_SOURCE}API_PutDashboard.html"
    resource_type = DASHBOARD
