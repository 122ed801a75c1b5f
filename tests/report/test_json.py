"""The JSON document and its schema."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import jsonschema
import pytest

from tenantmetrics.report.json import as_json as render
from tenantmetrics.report.json import schema


def test_the_schema_is_a_schema():
    """It is valid JSON Schema itself."""
    jsonschema.Draft202012Validator.check_schema(schema())


def test_a_statement_with_everything_in_it_is_valid_and_exact(make_statement):
    """Groups, revenue, credits, drafts; money comes back to the cent."""
    statement = make_statement({"acme": (100, 250), '"\n\u2028': (-5, 1)}, draft=("x",))
    statement = replace(
        statement,
        group_names=("plan",),
        lines=tuple(
            replace(line, groups=("pro",), revenue=Decimal("9.99")) for line in statement.lines
        ),
    )
    document = json.loads(render(statement))
    jsonschema.validate(document, schema())
    assert sum(Decimal(line["total"]) for line in document["lines"]) == statement.total
    assert Decimal(document["total"]) == statement.total
    assert document["status"] == ["DRAFT", "ESTIMATE"]
    assert {line["tenant"] for line in document["lines"]} >= {"acme", '"\n\u2028'}
    assert document["lines"][0]["groups"] == {"plan": "pro"}
    assert document["lines"][0]["margin"] == "6.49"


def test_what_changed_since_another_month_is_in_it(make_statement):
    """By pool and for whom; without another month it is null."""
    now = make_statement({"acme": (300, 250), "bee": (1, 1)})
    before = make_statement({"acme": (100, 250), "bee": (1, 1)})
    assert json.loads(render(now))["comparison"] is None
    document = json.loads(render(replace(now, previous=before)))
    jsonschema.validate(document, schema())
    assert document["comparison"]["change"] == "2.00"
    assert document["comparison"]["pools"][0]["change"] == "2.00"
    assert document["comparison"]["anomalies"] == [
        {
            "tenant": "acme",
            "before": "3.50",
            "after": "5.50",
            "pool": "Data API",
            "driver": "billed requests",
        }
    ]
    assert Decimal(document["unit_costs"]["per_thousand_calls"]) > 0


@pytest.mark.parametrize("change", [{"total": 1.5}, {"currency": "usd"}, {"surprise": 1}])
def test_the_schema_refuses_what_render_never_makes(make_statement, change):
    """Money as a number, a currency that is none, a field that nobody published."""
    document = {**json.loads(render(make_statement({"a": (1, 1)}))), **change}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema())
