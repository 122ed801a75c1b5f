"""Every statement of the corpus names the tenants it should, and no other."""

from __future__ import annotations

import re

from tenantmetrics.dataapi.capture import request_of

MINIMUM = 300


def test_each_statement_gives_its_expected_claims(case, resolver, corpus_values, shown):
    """Sources, tenants, weights, session steps, conflicts: all as the fixture says."""
    params = {"sql": case.sql, "parameters": corpus_values, "transactionId": "t"}
    assert shown(resolver.claims(request_of("ExecuteStatement", params))) == case.expected


def test_each_statement_gives_its_expected_summary(case, resolver, corpus_values):
    """The summary is what the fixture says, and the same when the statement is seen again."""
    params = {"sql": case.sql, "parameters": corpus_values}
    first = resolver.claims(request_of("ExecuteStatement", params)).summary
    assert first == case.summary
    assert resolver.claims(request_of("ExecuteStatement", params)).summary == first


def test_the_corpus_is_large_and_its_names_are_unique(cases):
    """No file was lost by a change of the format."""
    names = [(case.idea, case.name) for case in cases]
    assert len(names) == len(set(names))
    assert len(names) >= MINIMUM


def test_statements_with_values_inlined_name_the_same_tenants(case, resolver, corpus_values, shown):
    """An ORM that writes values into its text is understood like one that sends parameters."""
    values = {p["name"]: p["value"].get("stringValue") for p in corpus_values}
    inlined = re.sub(
        r"(?<![:\w'\[]):(t|u|id)\b(?!')",
        lambda found: "'" + values[found.group(1)] + "'",
        case.sql,
    )
    params = {"parameters": corpus_values, "transactionId": "t"}
    got = shown(resolver.claims(request_of("ExecuteStatement", {**params, "sql": inlined})))
    # A parameter in a string or a comment is none, and stays; the claims must not change.
    assert got == case.expected


def test_what_a_name_looks_like_does_not_matter(case, resolver, corpus_values, shown):
    """White space and a comment in front change nothing."""
    params = {"parameters": corpus_values, "transactionId": "t"}
    sql = f"\n\t /* report */ {case.sql}"
    assert (
        shown(resolver.claims(request_of("ExecuteStatement", {**params, "sql": sql})))
        == case.expected
    )
