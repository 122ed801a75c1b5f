"""Dashboards that were edited by hand: each slip is named with file, widget and fault."""

from pathlib import Path

import pytest

from tenantmetrics.catalog import NAMESPACE
from tenantmetrics.console.checks.file import check_file

ROOT = Path(__file__).parents[3]
ERRORS = "Errors by operation and code (detailed metrics)"
SLOWEST = "Slowest calls, minute by minute"
TROUBLE = "Throttled, timed out, resuming (detailed metrics)"
TOP = "Load by tenant"

# name: (dashboard, text, what it is edited to, the place named, the fault named)
EDITS = {
    "name twice in an object": (
        "fleet",
        '"title": "Calls",',
        '"title": "Calls", "title": "Call",',
        "body",
        "'title' is a duplicate key in one object",
    ),
    "a number that is none": ("fleet", '"min": 0', '"min": NaN', "body", "NaN is not a number"),
    "option of a line misspelt": (
        "fleet",
        '"label": "calls"',
        '"lable": "calls"',
        "widget 'Calls a minute'",
        "'lable' was unexpected); did you mean 'label'?",
    ),
    "colour that is none": (
        "fleet",
        '"label": "calls"',
        '"label": "calls", "color": "red"',
        "widget 'Calls a minute'",
        "'red' does not match",
    ),
    "region that does not exist": (
        "fleet",
        '"region": "us-east-1"',
        '"region": "us-esat-1"',
        "widget 'Calls a minute'",
        "'us-esat-1' does not match: a region such as eu-west-1 is expected",
    ),
    "view misspelt": (
        "fleet",
        '"view": "timeSeries"',
        '"view": "timeseries"',
        "widget 'Calls'",
        "did you mean 'timeSeries'?",
    ),
    "axis upside down": (
        "fleet",
        '"min": 0',
        '"min": 100, "max": 0',
        "widget 'Calls'",
        "left axis: min 100 is not below max 0",
    ),
    "gauge without an end": (
        "fleet",
        '"view": "timeSeries"',
        '"view": "gauge"',
        "widget 'Calls'",
        "a gauge needs min and max",
    ),
    "annotation misspelt": (
        "fleet",
        '"view": "timeSeries"',
        '"view": "timeSeries", "annotation": {"horizontal": []}',
        "widget 'Calls'",
        "did you mean 'annotations'?",
    ),
    "annotation without a value": (
        "fleet",
        '"horizontal": [\n      {\n       "value": 5,',
        '"horizontal": [\n      {',
        "widget 'Error rate'",
        "'value' is a required property",
    ),
    "annotation's shading misspelt": (
        "fleet",
        '"value": 5,',
        '"value": 5, "fill": "over",',
        "widget 'Error rate'",
        "'over' is not one of",
    ),
    "start in hours without T": (
        "fleet",
        '"start": "-PT3H"',
        '"start": "-P3H"',
        "body",
        "'-P3H' does not match",
    ),
    "end before the start": (
        "fleet",
        '"start": "-PT3H"',
        '"start": "2026-11-02T00:00:00Z", "end": "2026-11-01T00:00:00Z"',
        "body",
        "is not a moment before end",
    ),
    "shorthand with nothing above": (
        "fleet",
        '"TenantMetrics",\n      "DatabaseErrors",',
        '".",\n      "DatabaseErrors",',
        "widget 'Calls a minute'",
        "'.' repeats the value above, and there is none",
    ),
    "average of a sum": (
        "fleet",
        '"stat": "SampleCount",\n       "label": "billed requests"',
        '"stat": "Average",\n       "label": "billed requests"',
        "widget 'Billed requests a minute'",
        "Average of DatabaseLoad means nothing: its Sum is milliseconds of server time",
    ),
    "statistic forgotten, so an average": (
        "pipeline",
        '"stat": "Sum",\n       "label": "conflicts"',
        '"label": "conflicts"',
        "widget 'Calls with no tenant, two, an undecided one, in __overflow__, or refused'",
        "Average of it depends on the number of writers",
    ),
    "period of ten seconds": (
        "fleet",
        '"period": 60',
        '"period": 10',
        "widget 'Calls a minute'",
        "TenantMetrics has one datum a minute",
    ),
    "metric under another namespace": (
        "fleet",
        '"TenantMetrics",\n      "DatabaseErrors",',
        '"Acme/App",\n      "DatabaseErrors",',
        "widget 'Calls a minute'",
        "namespace 'Acme/App' is not known: DatabaseErrors is published in 'TenantMetrics'",
    ),
    "namespace of AWS misspelt": (
        "fleet",
        '"AWS/RDS"',
        '"AWS/Rds"',
        "widget 'Estimated cost a day, USD'",
        "namespace 'AWS/Rds' is not known; did you mean 'AWS/RDS'?",
    ),
    "metric of AWS misspelt": (
        "fleet",
        '"CPUUtilization"',
        '"CPUUtilisation"',
        "widget 'Utilisation'",
        "AWS/RDS has no metric 'CPUUtilisation'; did you mean 'CPUUtilization'?",
    ),
    "hidden line that nothing uses": (
        "fleet",
        '"expression": "100 * rate"',
        '"expression": "FILL(METRIC_COUNT(rat), 0)"',
        "widget 'Error rate, %'",
        "line rate is invisible and no expression uses it",
    ),
    "expressions in a circle": (
        "fleet",
        '"expression": "100 * rate"',
        '"expression": "100 * rate + percent"',
        "widget 'Error rate, %'",
        "expressions refer to each other in a circle: percent",
    ),
    "label with a property that is none": (
        "fleet",
        '"label": "calls"',
        '"label": "${PROP(\'Dim.Tenant\')} ${LATEST}"',
        "widget 'Calls a minute'",
        "there is no ${LATEST}; did you mean 'LAST'?",
    ),
    "label with a dimension that is none": (
        "tenant",
        '"label": "calls"',
        '"label": "${PROP(\'Dim.Tenant\')}"',
        "widget 'Calls a minute'",
        "'Tenant' is not a dimension of the line; did you mean 'TenantId'?",
    ),
    "alarm that nobody deploys": (
        "fleet",
        ":alarm:tenantmetrics-no-data",
        ":alarm:tenantmetrics-no-date",
        "widget 'Alarms'",
        "there is no alarm 'tenantmetrics-no-date'; did you mean 'no-data'?",
    ),
    "alarm twice": (
        "fleet",
        ":alarm:tenantmetrics-page",
        ":alarm:tenantmetrics-no-data",
        "widget 'Alarms'",
        "has non-unique elements",
    ),
    "cluster that nobody else reads": (
        "fleet",
        '"my-aurora-cluster"',
        '"my-auroa-cluster"',
        "widget 'Estimated cost a day, USD'",
        "DBClusterIdentifier 'my-auroa-cluster' is nearly 'my-aurora-cluster'",
    ),
    "alarm of another prefix": (
        "fleet",
        ":alarm:tenantmetrics-no-data",
        ":alarm:tenantmetric-no-data",
        "widget 'Alarms'",
        "the alarms' prefix 'tenantmetric' is nearly 'tenantmetrics'",
    ),
    "alarm in a region that does not exist": (
        "fleet",
        "cloudwatch:us-east-1:123456789012:alarm:tenantmetrics-page",
        "cloudwatch:us-esat-1:123456789012:alarm:tenantmetrics-page",
        "widget 'Alarms'",
        "does not match",
    ),
    "pattern of the variable misspelt in a widget": (
        "tenant",
        '"__TENANT__",\n      {\n       "stat": "p95"',
        '"__TENNANT__",\n      {\n       "stat": "p95"',
        "widget 'Latency'",
        "'__TENNANT__' is nearly the variable's pattern '__TENANT__'",
    ),
    "error code misspelt": (
        "fleet",
        "StatementTimeoutException",
        "StatementTimeOutExeption",
        f"widget {TROUBLE!r}",
        "no call ends with 'StatementTimeOutExeption'; did you mean 'StatementTimeoutException'?",
    ),
    "logs: field of CloudWatch misspelt": (
        "pipeline",
        "@ingestionTime",
        "@ingestTime",
        "widget 'Export lag (EMF)'",
        "there is no field '@ingestTime'; did you mean '@ingestionTime'?",
    ),
    "link to a dashboard that is not there": (
        "fleet",
        "#dashboards:name=tenantmetrics-pipeline",
        "#dashboards:name=tenantmetrics-pipelines",
        "text widget at 0, 0",
        "did you mean 'pipeline'?",
    ),
    "link of the wrong form": (
        "fleet",
        "#dashboards:name=tenantmetrics-pipeline",
        "#dashboard:name=tenantmetrics-pipeline",
        "text widget at 0, 0",
        "is not a dashboard's: those begin with",
    ),
    "variable's default that is not offered": (
        "tenant",
        (
            '"search": "{\\"TenantMetrics\\",TenantId} MetricName=\\"DatabaseLoad\\"",\n'
            '   "populateFrom": "TenantId"'
        ),
        '"values": [{"value": "acme"}]',
        "variable 'tenant'",
        "defaultValue '__FIRST' is not one of its values",
    ),
    "variable with a label that is too long": (
        "tenant",
        '"label": "Tenant"',
        f'"label": "{"Tenant " * 5}"',
        "body",
        "is too long",
    ),
    "SQL: dimension wanted to be two things": (
        "tenant",
        "WHERE TenantId = '__TENANT__'",
        "WHERE TenantId = '__TENANT__' AND TenantId = 'b'",
        "widget 'Calls by operation'",
        "WHERE wants TenantId to be '__TENANT__' and 'b' at once",
    ),
    "SQL: average of a sum": (
        "fleet",
        "SELECT COUNT(DatabaseLoad)",
        "SELECT AVG(DatabaseLoad)",
        "widget 'Billed requests by tenant'",
        "AVG of DatabaseLoad means nothing",
    ),
    "SQL: namespace in single quotes": (
        "fleet",
        'SELECT SUM(DatabaseLoad) FROM SCHEMA(\\"TenantMetrics\\"',
        "SELECT SUM(DatabaseLoad) FROM SCHEMA('TenantMetrics'",
        f"widget {TOP!r}",
        "a name, in double quotes expected after SCHEMA(",
    ),
    "SQL: the highest of any": (
        "fleet",
        (
            'SUM(DatabaseLoad) FROM SCHEMA(\\"TenantMetrics\\", TenantId) GROUP BY TenantId '
            "ORDER BY SUM() DESC LIMIT 10"
        ),
        ('SUM(DatabaseLoad) FROM SCHEMA(\\"TenantMetrics\\", TenantId) GROUP BY TenantId LIMIT 10'),
        f"widget {TOP!r}",
        "LIMIT 10 without ORDER BY keeps any series",
    ),
    "SQL: grouped twice by the same": (
        "fleet",
        'SUM(DatabaseLoad) FROM SCHEMA(\\"TenantMetrics\\", TenantId) GROUP BY TenantId',
        (
            'SUM(DatabaseLoad) FROM SCHEMA(\\"TenantMetrics\\", TenantId) GROUP BY TenantId, '
            "TenantId"
        ),
        f"widget {TOP!r}",
        "GROUP BY has 'TenantId' 2 times",
    ),
    "SEARCH: operator in small letters": (
        "fleet",
        '\\"ThrottlingException\\" OR',
        '\\"ThrottlingException\\") or StatusCode=(\\"x\\" OR',
        f"widget {TROUBLE!r}",
        "'or' in small letters is looked for as a word; the operator is OR",
    ),
    "SEARCH: parenthesis": (
        "fleet",
        '\\"DatabaseResumingException\\")',
        '\\"DatabaseResumingException\\"',
        f"widget {TROUBLE!r}",
        "SEARCH does not parse",
    ),
    "SEARCH: dimension that is not in the schema": (
        "fleet",
        "StatusCode=(",
        "Code=(",
        f"widget {TROUBLE!r}",
        "SEARCH filters by 'Code', which is not in its schema",
    ),
    "SEARCH: period": (
        "fleet",
        "', 'Sum', 60)",
        "', 'Sum', 90)",
        f"widget {TROUBLE!r}",
        "SEARCH: period 90 is neither",
    ),
    "math: function in small letters": (
        "tenant",
        "RUNNING_SUM(FILL(billed, 0)",
        "running_sum(FILL(billed, 0)",
        "widget 'Estimated cost in the time shown, USD'",
        "no function running_sum; did you mean 'RUNNING_SUM'?",
    ),
    "math: filled with a word": (
        "tenant",
        "FILL(billed, 0)",
        "FILL(billed, ZERO)",
        "widget 'Estimated cost in the time shown, USD'",
        "FILL fills with a number, REPEAT or LINEAR, not with 'ZERO'",
    ),
    "math: nothing but numbers": (
        "fleet",
        '"expression": "100 * rate"',
        '"expression": "100 * 2"',
        "widget 'Error rate, %'",
        "has no time series in it",
    ),
    "math: one equals sign": (
        "fleet",
        '"expression": "100 * rate"',
        '"expression": "IF(rate = 0, 0, 1)"',
        "widget 'Error rate, %'",
        "character '=' is not allowed",
    ),
    "math: division by zero": (
        "fleet",
        '"expression": "100 * rate"',
        '"expression": "rate / 0"',
        "widget 'Error rate, %'",
        "divides by zero",
    ),
    "logs: field that stats did not leave": (
        "tenant",
        "| sort calls desc",
        "| sort TenantId desc",
        f"widget {ERRORS!r}",
        "after stats there is no field 'TenantId'",
    ),
    "logs: alias misspelt": (
        "tenant",
        "| sort calls desc",
        "| sort cals desc",
        f"widget {ERRORS!r}",
        "no field 'cals'; did you mean 'calls'?",
    ),
    "logs: list without brackets": (
        "tenant",
        "and StatusCode != 'ok'",
        "and StatusCode in 'ok'",
        f"widget {ERRORS!r}",
        "in needs a list in brackets",
    ),
    "logs: group left out": (
        "tenant",
        " by Operation, StatusCode |",
        " by |",
        f"widget {ERRORS!r}",
        "something is missing after 'by'",
    ),
    "logs: regular expression": (
        "tenant",
        "(?<slowest_ms>[0-9.e+]+)",
        "((?<slowest_ms>[0-9.e+]+)",
        f"widget {SLOWEST!r}",
        "Logs Insights",
    ),
    "logs: time without a unit": (
        "pipeline",
        "by bin(5m)",
        "by bin(5)",
        "widget 'Export lag (EMF)'",
        "bin(5): no unit of time",
    ),
    "logs: a line without time": (
        "pipeline",
        " by bin(5m)",
        "",
        "widget 'Export lag (EMF)'",
        "view 'timeSeries' needs stats … by bin(…)",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_named(name, tmp_path):
    """The file, the widget and what is wrong, in one line."""
    board, old, new, place, what = EDITS[name]
    text = (ROOT / f"dashboards/cloudwatch/{board}.json").read_text("utf-8")
    assert old in text
    path = tmp_path / f"{board}.json"
    path.write_text(text.replace(old, new, 1), "utf-8")
    found = [str(one) for one in check_file(path, NAMESPACE)]
    assert any(one.startswith(f"{path}: {place}: ") and what in one for one in found), found
    assert all("\n" not in one and len(one) < 500 for one in found)


def test_there_are_enough_edits():
    """Beside those that other tests seed."""
    assert len(EDITS) >= 40
