"""Logs Insights queries: every documented command is taken, and a fault has its place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantmetrics.console.checks.logsinsights import MAX_CHARS, log_query_faults, view_fault

DOCUMENTED = {
    "fields": "fields @timestamp, a.b as c, strlen(@message) > 10 as long, `x-y`.z[0]",
    "display": "fields a | display a, @message",
    "filter": "filter (a > 3 and b = 'x') or not (c != \"y\" and d <= 1.5e3)",
    "filter: strings": r"filter @message like 'it\'s' and a not like /x\/y|z/ and b =~ /(?i)q/",
    "filter: lists": "filter a in [1, -2, 'x'] and b not in ['y']",
    "where": "where a = 1",
    "filterIndex": "SOURCE logGroups() | filterIndex @data_source_type in ['flow'] | limit 5",
    "stats": "stats count(*), pct(@duration, 99) as p99, max(a) - min(a) as spread by bin(5m), b",
    "stats: twice": "stats count(*) as n by a | stats max(n), avg(n) by bin(1h) as hour",
    "stats: offset": "stats count(*) by bin(5m) offset 1h",
    "stats: time series": "stats rate(bytes, 1m), countOverTime(x), histogram(y, 10) by bin(1m)",
    "stats: own columns": "stats max(a) as most, min(a) as least, most - least as spread",
    "stats: without the word": "filter a = 1 | count(*) as n by b",
    "sort": "stats count(*) by a | sort count(*) desc, a asc",
    "sort by": "sort by @timestamp desc",
    "limit": "limit 100000",
    "limit any": "filter a = 1 | limit any 20",
    "parse: glob": 'parse @message "user=*, took * ms" as user, took | stats avg(took) by user',
    "parse: of @message": "parse 'took * ms' as took",
    "parse: regex": r"parse @message /user=(?<user>\w+) \[(?<ip>[^\]]+)\]/ | display user, ip",
    "parse: every match": r"parse @message /(\d+\.\d+)/ as version multi | display version",
    "parse: logfmt": "parse @message logfmt as line | filter line.level = 'error'",
    "parse: csv": "parse @message csv as host, path | stats count(*) by host",
    "json": 'json field=body "user.name" as name | display name',
    "dedup": "sort @timestamp desc | dedup server, severity",
    "pattern": "filter a = 1 | pattern @message | sort @sampleCount desc",
    "anomaly": "fields @message | pattern @message | anomaly",
    "diff": "filter a = 1 | pattern @message | diff previousWeek",
    "diff alone": "fields @message | diff",
    "unmask": "fields unmask(@message) | limit 2",
    "unmask: command": "unmask @message",
    "unnest": "fields jsonParse(@message) as m | unnest m.items into item | display item.id",
    "expand": "expand items | stats count(*) by items, host",
    "SOURCE": "SOURCE '/aws/lambda/a' | SOURCE '/aws/lambda/b' | limit 1",
    "SOURCE: by prefix": "SOURCE logGroups(namePrefix: ['/aws', '/x'], class: 'X') | limit 1",
    "SOURCE: with times": "SOURCE groups start=-1d end=now | logcompare timeshift 7d",
    "SOURCE: instants": "SOURCE logGroups() START=2026-01-23T00:00:00.000Z END=0s | limit 1",
    "lookup": "lookup hosts ip as src, port OUTPUT name, owner as who | filter ispresent(who)",
    "lookup: new": "lookup user_data id OUTPUTNEW email | stats count(*) by email",
    "cidrlookup": "cidrlookup nets src AS cidr OUTPUT region, owner | display region",
    "join": "filter s >= 500 | join type=inner left=api right=fn where api.id = fn.id "
    "(SOURCE '/aws/lambda/fn' | filter ok = 1) | fields api.id, fn.duration",
    "subquery": "filter id in (SOURCE 'other' | filter e = 'x' | stats count(*) as n by id "
    "| filter n > 3 | fields id) | fields @timestamp, id",
    "appendcols": "stats count(*) as n by a | appendcols override=true max=10 "
    "( SOURCE 'x' | stats avg(b) as m by a ) | display n, m",
    "addtotals": "fields a, b | addtotals fieldname=Sum row=true col=false a, b",
    "accum": "accum bytes AS total | display total",
    "autoregress": "autoregress bytes p=1-4 | display bytes_p4",
    "outlier": "outlier action=remove param=3.0 uselower=true mark=true cpu memory",
    "filldown": "filldown | filldown a b* | limit 3",
    "fillmissing": "stats avg(a) as m by bin(1m) | fillmissing with 0 for m",
    "sessionize": "sessionize user, device maxspan 1h as visit | stats count(*) by visit",
    "countFrequent": "countFrequent method, status | sort _approxcount desc",
    "relevantfields": "relevantfields a, b where Time > 400",
    "functions": "fields if(a > 1, 'x', 'y') as b, case(a = 1, 'x', 'z') as c, round(d, 2), "
    "formatDate(@timestamp, '%Y'), md5(e), isPrivateIP(f), 2 ^ 3 % 2",
    "comments": "# what is slow\nfields a # here too\n  | filter b = '# none' # here\n| limit 3",
    "words as fields": "fields limit, source, pattern | filter sort = 1 and stats like 'x' "
    "| stats count(*) as filter by parse | sort filter desc",
    "any case": "FIELDS a AS b | FILTER a LIKE /x/ AND NOT IsPresent(c) | STATS COUNT(*) BY b",
    "to be filled in": "filter level = '${Level}' and a = ${b} | stats count(*) by ${group}",
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_documented_query_has_no_fault(name):
    """One of every command and of every form of it in the CloudWatch Logs user guide."""
    assert log_query_faults(DOCUMENTED[name], ours=False, named=True) == []


FAULTY = {
    "word for word": ("fields @timestamp @message", "line 1, column 19: unexpected '@message'"),
    "on its line": ("fields a\n| filter b =\n| limit 1", "line 3, column 1: something is missing"),
    "no regex": ("filter a like b", "like needs a string in quotes or a /…/, not 'b'"),
    "no list": ("filter a in b", "in needs a list in brackets, not 'b'"),
    "bracket": ("filter (a = 1 | limit 1", "the ( at line 1, column 8 is not closed"),
    "bracket too many": ("filter a = 1) | limit 1", "column 13: ) closes nothing"),
    "list left open": ("filter a in [1, 2", "the [ at line 1, column 13 is not closed"),
    "quote": ("filter a = 'x | limit 1", "column 12: a quote is not closed"),
    "backtick": ("fields `a | limit 1", "a quote is not closed"),
    "last pipe": ("fields a |", "nothing stands between two |, or after the last one"),
    "empty": ("  ", "the query is empty"),
    "no command": ("fields a | 3", "a command such as fields, filter or stats is expected"),
    "command": ("fields a | lmit 3", "no command 'lmit'; did you mean 'limit'?"),
    "limit": ("limit 100001", "limit '100001' is not within 1 to 100000"),
    "limit of nothing": ("limit 0", "limit '0' is not within"),
    "function": ("fields strlenn(a)", "no function 'strlenn'; did you mean 'strlen'?"),
    "arguments: few": ("stats pct(a) by b", "pct() takes 2 arguments, not 1"),
    "arguments: many": ("fields strlen(a, b)", "strlen() takes 1 argument, not 2"),
    "arguments: between": ("fields substr(a)", "substr() takes at least 2 arguments, not 1"),
    "aggregate": ("filter count(*) > 3", "count() is an aggregate, which only stats computes"),
    "aggregate in by": ("stats count(*) by max(a)", "max() after by"),
    "aggregate in one": ("stats sum(count(*))", "count() inside sum(): use a second stats"),
    "no aggregate": ("stats a by b", "stats without an aggregate such as count(*)"),
    "unit": ("stats count(*) by bin(5x)", "bin(5x): no unit of time, such as 5m"),
    "no unit": ("stats count(*) by datefloor(@timestamp, 5)", "datefloor(5): no unit of time"),
    "after stats": ("stats count(*) as n by a | sort b", "after stats there is no field 'b'"),
    "glob": ("parse @message 'a=*, b=*' as a", "the pattern has 2 asterisks and as names 1 fields"),
    "regex": ("filter a like /(x/", "regular expression /(x/ is broken"),
    "in a subquery": (
        "filter a in (SOURCE 'x' | fields strlenn(a))",
        "column 34: there is no function 'strlenn'",
    ),
    "subquery of nothing": ("filter a in (limit 3)", None),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_is_named_with_its_place(name):
    """Line and column of the query, and what to write; in others' queries too."""
    text, what = FAULTY[name]
    found = log_query_faults(text, ours=False, named=True)
    assert any(what in one for one in found) if what else found == [], found
    assert all(one.startswith("Logs Insights") and "\n" not in one for one in found)


OURS = {
    "new command": ("SOURCE 'x' | frobnicate a", "no command 'frobnicate'"),
    "new function": ("SOURCE 'x' | fields frobnicate(TenantId)", "no function 'frobnicate'"),
    "no stats": ("SOURCE 'x' | count(*) by TenantId", "no command 'count': write stats before it"),
    "capped": ("SOURCE 'x' | stats count(*) by bin(300s)", "bin(300s) counts as 60s"),
    "double equals": ("SOURCE 'x' | filter TenantId == 'a'", "== is written = here"),
    "field": (
        "SOURCE 'x' | filter TenantID = 'a'",
        "no field 'TenantID'; did you mean 'TenantId'?",
    ),
    "beyond a page": ("SOURCE 'x' | limit 10001", "limit '10001' is not within 1 to 10000"),
    "no source": ("fields TenantId", "names no log group"),
}


@pytest.mark.parametrize("name", OURS)
def test_more_is_asked_of_our_queries(name):
    """What may be new in CloudWatch, or only odd, is no fault of a query that others wrote."""
    text, what = OURS[name]
    assert any(what in one for one in log_query_faults(text))
    assert log_query_faults(text, ours=False, named=True) == []


def test_columns_of_stats_are_fields_after_it_and_nothing_else_is():
    """Aliases, groups and what arithmetic makes of them; paths into what was made."""
    text = (
        "SOURCE 'x' | fields jsonParse(Writer) as w | stats max(w.a) as most by TenantId, bin(1m)"
        " as minute | fields most * 2 as twice | sort twice desc, minute, TenantId"
    )
    assert log_query_faults(text) == []
    assert log_query_faults(text.replace("sort twice", "sort Writer"))


@pytest.mark.parametrize(
    ("text", "view", "fault"),
    [
        ("fields a", "table", None),
        ("fields a", "bar", "needs a query with stats"),
        ("stats count(*) by a", "pie", None),
        ("stats count(*) by a", "timeSeries", "needs stats … by bin(…)"),
        ("stats count(*) by bin(1h)", "timeSeries", None),
        ("fields 'stats' as a # stats by bin(1m)", "timeSeries", "needs a query with stats"),
    ],
)
def test_a_view_needs_something_to_draw(text, view, fault):
    """Commands count, not words in strings or in comments."""
    found = view_fault(text, view)
    assert fault in found if fault else found is None


def test_a_query_has_a_length():
    """As StartQuery allows."""
    text = "fields a" + " " * (MAX_CHARS - 8)
    assert log_query_faults(text, ours=False, named=True) == []
    assert log_query_faults(text + " ", ours=False, named=True)


PIECES = [piece for text in DOCUMENTED.values() for piece in (*text.split(), "|", "'", "(", "\n")]


@settings(deadline=None, max_examples=settings.default.max_examples // 4)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=12).map(" ".join))
def test_any_text_gives_lines_and_no_exception(text):
    """Pieces of queries in any order, with anything between them."""
    for ours in (True, False):
        found = log_query_faults(text, ours=ours)
        assert all("\n" not in one for one in found)
        view_fault(text, "timeSeries")


def test_a_slash_in_a_calculation_is_no_regular_expression():
    """Two divisions do not swallow what stands between them."""
    text = "SOURCE 'x' | stats max(@a) / 2 as b, nosuch(@c) / 3 as d by bin(1m)"
    assert any("no function 'nosuch'" in one for one in log_query_faults(text))
