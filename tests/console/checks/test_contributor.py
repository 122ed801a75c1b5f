"""Contributor Insights' rules."""

import json

import pytest

from tenantmetrics.console.checks import contributor

RULE = {
    "Schema": {"Name": "CloudWatchLogRule", "Version": 1},
    "LogGroupNames": ["tenantmetrics"],
    "LogFormat": "JSON",
    "Contribution": {
        "Keys": ["$.TenantId"],
        "ValueOf": "$.RequestBytes",
        "Filters": [{"Match": "$.RequestBytes", "IsPresent": True}],
    },
    "AggregateOn": "Sum",
}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"AggregateOn": "Average"}, "AggregateOn 'Average' is not Count or Sum"),
        ({"LogFormat": "XML"}, "LogFormat 'XML'"),
        ({"LogGroupNames": []}, "at least one log group"),
        ({"Schema": {"Name": "CloudWatchLogRule"}}, "Schema must be"),
        ({"Contribution": {"Keys": []}}, "1 to 4 Keys"),
        ({"Contribution": {"Keys": ["TenantId"], "ValueOf": "$.x"}}, "must begin with $."),
        ({"Contribution": {"Keys": ["$.TenantId"]}}, "AggregateOn Sum needs ValueOf"),
        ({"Contribute": {}}, "no entry 'Contribute'"),
    ],
)
def test_a_fault_in_a_contributor_insights_rule_is_named(change, what):
    """The whole rule is fine, and each change of it is not."""
    assert contributor.rule_faults(json.dumps(RULE)) == []
    assert any(what in one for one in contributor.rule_faults(json.dumps({**RULE, **change})))
