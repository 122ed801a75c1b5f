"""Every statement of the corpus names the tenants it should, and no other."""

from __future__ import annotations

import re

import pytest

from tenantmetrics.dataapi.capture import request_of

MINIMUM = 2_500


VALUE = re.compile(r"(?<![:\w'\[]):(t|u|id)\b(?!')")


@pytest.fixture
def claims_of(make_resolver, parameters):
    """What a text claims with a case's settings and values."""
    with_settings = {}

    def ask(case, sql):
        key = repr(case.settings)
        if key not in with_settings:
            with_settings[key] = make_resolver(**case.settings)
        params = {"sql": sql, "parameters": parameters(**case.values), "transactionId": "t"}
        return with_settings[key].claims(request_of("ExecuteStatement", params))

    return ask


@pytest.fixture
def claimed(claims_of, shown):
    """The same, in the corpus's short form."""
    return lambda case, sql: shown(claims_of(case, sql))


def _wrong(cases, expected, found):
    """Cases for which two functions differ, each as a line."""
    return "\n".join(
        f"{case.name}: {found(case)} instead of {expected(case)}"
        for case in cases
        if found(case) != expected(case)
    )


def test_each_statement_gives_its_expected_claims(cases_of_file, claimed):
    """Sources, tenants, weights, session steps, conflicts: all as the fixture says."""
    wrong = _wrong(cases_of_file, lambda case: case.expected, lambda case: claimed(case, case.sql))
    assert not wrong, wrong


def test_each_statement_gives_its_expected_summary(cases_of_file, claims_of):
    """The summary is what the fixture says, and the same when the statement is seen again."""

    def summary(case):
        twice = [claims_of(case, case.sql).summary for _ in range(2)]
        return twice[0] if twice[0] == twice[1] else twice

    wrong = _wrong(cases_of_file, lambda case: case.summary, summary)
    assert not wrong, wrong


def test_the_corpus_is_large_and_its_names_are_unique(cases):
    """No file was lost by a change of the format."""
    names = [(case.idea, case.name) for case in cases]
    assert len(names) == len(set(names))
    assert len(names) >= MINIMUM


def test_statements_with_values_inlined_name_the_same_tenants(cases_of_file, claimed):
    """An ORM that writes values into its text is understood like one that sends parameters."""

    def inlined(case):
        # A parameter in a string or a comment is none, and stays; the claims must not change.
        return claimed(case, VALUE.sub(lambda found: f"'{case.values[found.group(1)]}'", case.sql))

    wrong = _wrong(cases_of_file, lambda case: case.expected, inlined)
    assert not wrong, wrong


def test_what_a_name_looks_like_does_not_matter(cases_of_file, claimed):
    """White space and a comment in front change nothing."""
    wrong = _wrong(
        cases_of_file,
        lambda case: case.expected,
        lambda case: claimed(case, f"\n\t /* report */ {case.sql}"),
    )
    assert not wrong, wrong
