"""Faults to seed in dashboards: what is done, the widget and the fault that must be named."""

from pathlib import Path

from tenantmetrics.catalog import NAMESPACE
from tenantmetrics.console.known import Known

__all__ = [
    "DASHBOARD_FAULTS",
    "ERRORS",
    "KNOWN",
    "ROOT",
    "SLOWEST",
    "TROUBLE",
    "line",
    "options",
    "query",
    "replace",
    "widget",
]

ROOT = Path(__file__).parents[3]
KNOWN = Known.of(NAMESPACE)


def widget(body, title):
    """A widget by its title, and only metric widgets with lines."""
    (found,) = [
        one
        for one in body["widgets"]
        if one["properties"].get("title") == title
        and one["properties"].get("view") != "singleValue"
    ]
    return found


def line(body, title, number=0):
    return widget(body, title)["properties"]["metrics"][number]


def options(body, title, number=0):
    return line(body, title, number)[-1]


def replace(body, title, old, new, number=0):
    chosen = options(body, title, number)
    assert old in chosen["expression"]
    chosen["expression"] = chosen["expression"].replace(old, new)


def query(body, title, old, new):
    properties = widget(body, title)["properties"]
    assert old in properties["query"]
    properties["query"] = properties["query"].replace(old, new)


ERRORS = "Errors by operation and code (detailed metrics)"
SLOWEST = "Slowest calls, minute by minute"
TROUBLE = "Throttled, timed out, resuming (detailed metrics)"


# name: (dashboard, what is done to it, the widget named, the fault named)
DASHBOARD_FAULTS = {
    "misspelt metric": (
        "fleet",
        lambda b: line(b, "Calls").__setitem__(1, "DatabaseErors"),
        "widget 'Calls'",
        "has no metric 'DatabaseErors'; did you mean 'DatabaseErrors'?",
    ),
    "unknown namespace": (
        "fleet",
        lambda b: line(b, "Calls").__setitem__(0, "TenantMetric"),
        "widget 'Calls'",
        "namespace 'TenantMetric' is not known",
    ),
    "metric with a dimension set that is not published": (
        "tenant",
        lambda b: line(b, "Rows a minute").__setitem__(slice(2, 4), []),
        "widget 'Rows a minute'",
        "RowsReturned is not published with the dimensions none, only with {TenantId}",
    ),
    "dimension misspelt": (
        "tenant",
        lambda b: line(b, "Calls").__setitem__(2, "TenantID"),
        "widget 'Calls'",
        "not published with the dimensions {TenantID}",
    ),
    "dimension without a value": (
        "tenant",
        lambda b: line(b, "Calls").pop(3),
        "widget 'Calls'",
        "not namespace, name and pairs",
    ),
    "RDS metric without its dimension": (
        "fleet",
        lambda b: line(b, "Capacity").__setitem__(slice(2, 4), []),
        "widget 'Capacity'",
        "ServerlessDatabaseCapacity is not published with the dimensions none",
    ),
    "statistic that does not exist": (
        "fleet",
        lambda b: options(b, "Calls").update(stat="Median"),
        "widget 'Calls'",
        "statistic 'Median' does not exist",
    ),
    "percentile of a sum": (
        "fleet",
        lambda b: options(b, "Billed requests").update(stat="p99"),
        "widget 'Billed requests'",
        "DatabaseLoad is published as a sum: p99 of it does not exist",
    ),
    "period of 61 seconds": (
        "fleet",
        lambda b: widget(b, "Calls")["properties"].update(period=61),
        "widget 'Calls'",
        "period 61 is neither",
    ),
    "widget off the grid": (
        "fleet",
        lambda b: widget(b, "Latency").update(x=20),
        "widget 'Latency'",
        "columns 20 to 28 are outside the grid of 24",
    ),
    "widget beyond the last column": (
        "fleet",
        lambda b: widget(b, "Latency").update(x=24),
        "widget 'Latency'",
        "24 is greater than the maximum of 23",
    ),
    "widgets on top of each other": (
        "fleet",
        lambda b: widget(b, "Latency").update(x=8),
        "widget 'Latency'",
        "overlaps widget 'Error rate'",
    ),
    "widget without a height": (
        "fleet",
        lambda b: widget(b, "Latency").pop("height"),
        "widget 'Latency'",
        "'height' is missing",
    ),
    "widget type that does not exist": (
        "fleet",
        lambda b: widget(b, "Latency").update(type="graph"),
        "widget 'Latency'",
        "'graph' is not one of",
    ),
    "misspelt property": (
        "fleet",
        lambda b: widget(b, "Latency")["properties"].update(titel="x"),
        "widget 'Latency'",
        "'titel' was unexpected",
    ),
    "missing region": (
        "fleet",
        lambda b: widget(b, "Latency")["properties"].pop("region"),
        "widget 'Latency'",
        "'region' is a required property",
    ),
    "unknown member of the body": (
        "fleet",
        lambda b: b.update(widget=[]),
        "body",
        "'widget' was unexpected",
    ),
    "501 widgets": (
        "fleet",
        lambda b: b["widgets"].extend(
            {**b["widgets"][0], "y": 100 + 2 * number} for number in range(501)
        ),
        "body",
        "entries are too many, 500 are allowed",
    ),
    "alarm that is no ARN": (
        "fleet",
        lambda b: widget(b, "Alarms")["properties"]["alarms"].append("fleet-error-rate"),
        "widget 'Alarms'",
        "'fleet-error-rate' does not match",
    ),
    "SQL: metric misspelt": (
        "fleet",
        lambda b: replace(b, "Load by tenant", "DatabaseLoad", "DatabaseLoads"),
        "widget 'Load by tenant'",
        "has no metric 'DatabaseLoads'",
    ),
    "SQL: SCHEMA without the dimension": (
        "fleet",
        lambda b: replace(b, "Load by tenant", ", TenantId)", ")"),
        "widget 'Load by tenant'",
        "'TenantId' is used but not in SCHEMA(): its series would fall into 'Other'",
    ),
    "SQL: SCHEMA with a set that is not published": (
        "fleet",
        lambda b: replace(b, "Load by tenant", ", TenantId)", ", TenantId, Operation)"),
        "widget 'Load by tenant'",
        "DatabaseLoad is not published with the dimensions {TenantId, Operation}",
    ),
    "SQL: no SCHEMA": (
        "fleet",
        lambda b: replace(
            b, "Load by tenant", 'SCHEMA("TenantMetrics", TenantId)', "TenantMetrics"
        ),
        "widget 'Load by tenant'",
        "GROUP BY without SCHEMA()",
    ),
    "SQL: a function that it lacks": (
        "fleet",
        lambda b: replace(b, "Load by tenant", "SELECT SUM", "SELECT MEDIAN"),
        "widget 'Load by tenant'",
        "one of AVG, COUNT, MAX, MIN, SUM expected",
    ),
    "SQL: order by another function": (
        "fleet",
        lambda b: replace(b, "Load by tenant", "ORDER BY SUM", "ORDER BY MAX"),
        "widget 'Load by tenant'",
        "ORDER BY MAX() differs from SELECT SUM()",
    ),
    "SQL: limit too high": (
        "fleet",
        lambda b: replace(b, "Load by tenant", "LIMIT 10", "LIMIT 1000"),
        "widget 'Load by tenant'",
        "LIMIT 1000 is not within 1 to 500",
    ),
    "SQL: OR": (
        "tenant",
        lambda b: replace(b, "Calls by operation", " GROUP BY", " OR TenantId = 'b' GROUP BY"),
        "widget 'Calls by operation'",
        "OR is not part of Metrics Insights",
    ),
    "SQL: value without quotes": (
        "tenant",
        lambda b: replace(b, "Calls by operation", "'__TENANT__'", "__TENANT__"),
        "widget 'Calls by operation'",
        "a value in single quotes expected",
    ),
    "SQL: two queries in a graph": (
        "fleet",
        lambda b: widget(b, "Load by tenant")["properties"]["metrics"].append(
            [
                {
                    **options(b, "Billed requests", 0),
                    "expression": 'SELECT SUM(DatabaseLoad) FROM SCHEMA("TenantMetrics", TenantId)',
                    "id": "q2",
                }
                | {"stat": "Sum"}
            ]
        ),
        "widget 'Load by tenant'",
        "2 Metrics Insights queries",
    ),
    "SEARCH: braces that do not match": (
        "fleet",
        lambda b: replace(b, TROUBLE, "StatusCode}", "StatusCode"),
        f"widget {TROUBLE!r}",
        "SEARCH does not parse: unbalanced {}",
    ),
    "SEARCH: quote that is not closed": (
        "fleet",
        lambda b: replace(b, TROUBLE, 'DatabaseOperations"', "DatabaseOperations"),
        f"widget {TROUBLE!r}",
        "a double quote is not closed",
    ),
    "SEARCH: misspelt metric": (
        "fleet",
        lambda b: replace(b, TROUBLE, "DatabaseOperations", "DatabaseOperation"),
        f"widget {TROUBLE!r}",
        "has no metric 'DatabaseOperation'",
    ),
    "SEARCH: too long": (
        "fleet",
        lambda b: replace(b, TROUBLE, "StatusCode=", "StatusCode=" + " " * 1024),
        f"widget {TROUBLE!r}",
        "1024 are allowed",
    ),
    "SEARCH: statistic": (
        "fleet",
        lambda b: replace(b, TROUBLE, "'Sum'", "'Total'"),
        f"widget {TROUBLE!r}",
        "statistic 'Total' does not exist",
    ),
    "math: id that nobody has": (
        "fleet",
        lambda b: replace(b, "Error rate", "rate", "ratio", 1),
        "widget 'Error rate'",
        "refers to 'ratio', which no metric has as its id; did you mean 'rate'?",
    ),
    "math: parenthesis": (
        "fleet",
        lambda b: replace(b, "Error rate", "100 * rate", "100 * (rate", 1),
        "widget 'Error rate'",
        ") expected",
    ),
    "math: function that does not exist": (
        "tenant",
        lambda b: replace(b, "Estimated cost to date", "RUNNING_SUM", "RUNNINGSUM", 4),
        "widget 'Estimated cost to date'",
        "no function RUNNINGSUM; did you mean 'RUNNING_SUM'?",
    ),
    "math: number of arguments": (
        "tenant",
        lambda b: replace(b, "Estimated cost to date", "FILL(billed, 0)", "FILL(billed)", 4),
        "widget 'Estimated cost to date'",
        "FILL takes 2 arguments, 1 given",
    ),
    "math: id in capitals": (
        "fleet",
        lambda b: options(b, "Error rate").update(id="Rate"),
        "widget 'Error rate'",
        "id 'Rate' must begin with a small letter",
    ),
    "math: the same id twice": (
        "fleet",
        lambda b: options(b, "Error rate", 1).update(id="rate"),
        "widget 'Error rate'",
        "id 'rate' is used 2 times",
    ),
    "graph of nothing but hidden lines": (
        "fleet",
        lambda b: options(b, "Error rate", 1).update(visible=False),
        "widget 'Error rate'",
        "every line is invisible",
    ),
    "logs: command": (
        "tenant",
        lambda b: query(b, ERRORS, "| stats", "| stat"),
        f"widget {ERRORS!r}",
        "no command 'stat'; did you mean 'stats'?",
    ),
    "logs: function": (
        "tenant",
        lambda b: query(b, ERRORS, "sum(", "total("),
        f"widget {ERRORS!r}",
        "no function 'total'",
    ),
    "logs: field": (
        "tenant",
        lambda b: query(b, ERRORS, "filter TenantId", "filter Tenant"),
        f"widget {ERRORS!r}",
        "EMF documents have no field 'Tenant'; did you mean 'TenantId'?",
    ),
    "logs: quote": (
        "tenant",
        lambda b: query(b, ERRORS, "'ok'", "'ok"),
        f"widget {ERRORS!r}",
        "a quote is not closed",
    ),
    "logs: no log group": (
        "tenant",
        lambda b: query(b, ERRORS, "SOURCE 'tenantmetrics' | ", ""),
        f"widget {ERRORS!r}",
        "names no log group",
    ),
    "logs: limit": (
        "tenant",
        lambda b: query(b, SLOWEST, "limit 50", "limit 50000"),
        f"widget {SLOWEST!r}",
        "limit '50000' is not within 1 to 10000",
    ),
    "logs: empty command": (
        "tenant",
        lambda b: query(b, SLOWEST, "| sort", "| | sort"),
        f"widget {SLOWEST!r}",
        "nothing stands between two |",
    ),
    "variable that replaces nothing": (
        "tenant",
        lambda b: b["variables"][0].update(pattern="__TENNANT__"),
        "variable 'tenant'",
        "occurs in no widget",
    ),
    "variable from a dimension that is not searched": (
        "tenant",
        lambda b: b["variables"][0].update(populateFrom="Tenant"),
        "variable 'tenant'",
        "'Tenant' is not a dimension of its search",
    ),
    "variable without its values": (
        "tenant",
        lambda b: b["variables"][0].pop("search"),
        "body",
        "variables/0",
    ),
}
