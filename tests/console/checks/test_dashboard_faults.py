"""Faults seeded in dashboards: each is found, and the message names file, widget and fault."""

import copy
import json

import pytest

from tenantmetrics.console.checks.dashboard import check
from tests.console.checks.dashboard_faults import DASHBOARD_FAULTS, KNOWN, ROOT

BODIES = {
    name: json.loads((ROOT / f"dashboards/cloudwatch/{name}.json").read_text("utf-8"))
    for name in ("fleet", "tenant", "pipeline")
}


@pytest.mark.parametrize("name", DASHBOARD_FAULTS)
def test_a_fault_in_a_dashboard_is_named(name):
    """The file, the widget and what is wrong, in one line."""
    board, damage, place, what = DASHBOARD_FAULTS[name]
    body = copy.deepcopy(BODIES[board])
    damage(body)
    found = list(map(str, check(f"{board}.json", json.dumps(body), KNOWN)))
    assert any(one.startswith(f"{board}.json: {place}: ") and what in one for one in found), found
    assert all("\n" not in one for one in found)


def test_a_body_that_is_no_json_is_named():
    """A truncated file, which cfn-lint and moto take."""
    (found,) = check("fleet.json", json.dumps(BODIES["fleet"])[:-5], KNOWN)
    assert "is not JSON" in str(found)
