"""Commands, functions, fields, units and limits of CloudWatch Logs Insights.

CloudWatch Logs user guide, "CloudWatch Logs Insights language query syntax" with its pages on
stats, on functions, on hashing and on time series, as of 2026-11.
"""

from __future__ import annotations

from tenantmetrics.catalog import metrics

__all__ = [
    "AGGREGATES",
    "COMMANDS",
    "EMF_FIELDS",
    "FUNCTIONS",
    "MAX_CHARS",
    "MAX_LIMIT",
    "MAX_ROWS",
    "OWN_FIELDS",
    "PERIOD_CAPS",
    "SLIP",
    "STATS",
    "TIME_FUNCTIONS",
    "UNITS",
]

STATS = frozenset({"stats", "bare_stats"})
"""The grammar's names of stats: with the word, and without it."""

TIME_FUNCTIONS = frozenset({"bin", "datefloor", "dateceil"})
"""Functions of a time and a period."""

MAX_CHARS = 10_000
"""Length of a query (StartQuery, queryString)."""

MAX_LIMIT = 100_000
"""Rows that `limit` may ask for (StartQuery, limit)."""

MAX_ROWS = 10_000
"""Rows that one answer holds (StartQuery, limit): what is beyond them is on further pages."""

EMF_FIELDS = frozenset(
    {"Writer", "WindowStart", "WindowSequence"}
    | {metric.name for metric in metrics()}
    | {name for metric in metrics() for name in metric.dimensions}
)
"""Members of our EMF documents; what CloudWatch adds begins with @."""

COMMANDS = (
    "accum", "addtotals", "anomaly", "appendcols", "autoregress", "cidrlookup", "countFrequent",
    "dedup", "diff", "display", "expand", "fields", "filldown", "fillmissing", "filter",
    "filterIndex", "join", "json", "limit", "logcompare", "lookup", "outlier", "parse", "pattern",
    "relevantfields", "sessionize", "sort", "SOURCE", "stats", "unmask", "unnest", "where",
)  # fmt: skip

SLIP = 0.8
"""How much a word must have in common with a known one to be a slip of the pen, 0 to 1."""

_MANY = 100
"""No documented limit."""

AGGREGATES: dict[str, tuple[int, int]] = {
    "avg": (1, 1), "count": (0, 1), "count_distinct": (1, _MANY), "max": (1, 1), "min": (1, 1),
    "pct": (2, 2), "percentile": (2, 2), "stddev": (1, 1), "sum": (1, 1), "earliest": (1, 1),
    "latest": (1, 1), "sortsFirst": (1, 1), "sortsLast": (1, 1), "rate": (1, 2),
    "countOverTime": (0, 1), "count_over_time": (0, 1), "sumOverTime": (1, 1),
    "sum_over_time": (1, 1), "histogram": (2, 2),
}  # fmt: skip
"""Functions of stats: how many arguments they take, at least and at most."""

FUNCTIONS: dict[str, tuple[int, int]] = {
    **AGGREGATES,
    # numbers
    "abs": (1, 1), "ceil": (1, 1), "floor": (1, 1), "greatest": (1, _MANY), "least": (1, _MANY),
    "log": (1, 1), "round": (1, 2), "sqrt": (1, 1), "haversine": (4, 4), "toNumber": (1, 1),
    "toInt": (1, 1), "toLong": (1, 1), "toDouble": (1, 1),
    # time
    "bin": (1, 2), "datefloor": (2, 2), "dateceil": (2, 2), "fromMillis": (1, 1),
    "toMillis": (1, 1), "now": (0, 0), "parseDate": (2, 3), "formatDate": (2, 3),
    "strftime": (2, 3), "queryStartTime": (0, 0), "queryEndTime": (0, 0), "queryTimeRange": (0, 0),
    # general
    "ispresent": (1, 1), "coalesce": (1, _MANY), "case": (2, _MANY), "if": (3, 3),
    "isNumeric": (1, 1), "messageSize": (1, 1), "unmask": (1, 1),
    # JSON
    "jsonParse": (1, 1), "jsonStringify": (1, 1), "jsonArraySize": (1, 1),
    "jsonArrayContains": (2, 2),
    # IP addresses
    "isValidIp": (1, 1), "isValidIpv4": (1, 1), "isValidIpv6": (1, 1), "isIpInSubnet": (2, 2),
    "isIpv4InSubnet": (2, 2), "isIpv6InSubnet": (2, 2), "ipv4ToNumber": (1, 1),
    "isPrivateIP": (1, 1), "isPublicIP": (1, 1), "isReservedIP": (1, 1),
    # strings
    "isempty": (1, 1), "isblank": (1, 1), "concat": (1, _MANY), "ltrim": (1, 2), "rtrim": (1, 2),
    "trim": (1, 2), "strlen": (1, 1), "toupper": (1, 1), "tolower": (1, 1), "substr": (2, 3),
    "replace": (3, 3), "regexReplace": (3, 3), "strcontains": (2, 3), "startsWith": (2, 2),
    "endsWith": (2, 2), "urlencode": (1, 1), "urldecode": (1, 1), "base64encode": (1, 1),
    "base64decode": (1, 1), "split": (2, 2), "hexToAscii": (1, 1), "hexToDec": (1, 1),
    "decToHex": (1, 1),
    # hashes
    "md5": (1, 1), "sha256": (1, 1),
}  # fmt: skip
"""Every function: how many arguments it takes, at least and at most."""

OWN_FIELDS = frozenset([
    "@aws.account", "@aws.region", "@baselineMedian", "@billedDuration", "@conditionalMedian",
    "@data_format", "@data_source_name", "@data_source_type", "@duration", "@entity",
    "@fieldName", "@ingestionTime", "@initDuration", "@log", "@logStream", "@maxMemoryUsed",
    "@memorySize", "@message", "@pattern", "@ptr", "@ratio", "@relevanceScore", "@requestId",
    "@sampleCount", "@severityLabel", "@timestamp", "@topRelevanceContributors", "@type",
    "@xraySegmentId", "@xrayTraceId",
])  # fmt: skip
"""Fields that CloudWatch Logs adds (Logs user guide, "Supported logs and discovered fields")."""

_LONG_UNITS = (
    "millisecond", "ms", "msec", "second", "sec", "minute", "min", "hour", "hr", "day", "week",
    "month", "mo", "mon", "quarter", "qtr", "year", "yr",
)  # fmt: skip
UNITS = frozenset([*"smhdwqy", *_LONG_UNITS, *(f"{unit}s" for unit in _LONG_UNITS if unit != "ms")])
"""Units of bin(): those of more than one letter may have an s."""

PERIOD_CAPS = {"ms": 1_000, "s": 60, "m": 60, "h": 24}
"""A higher amount counts as this: bin(300s) is bin(60s) (user guide, "Datetime functions")."""
