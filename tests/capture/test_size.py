"""Request units and rows."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.capture.size import billed_requests, billing_rule, formatted_rows, rows
from tenantmetrics.config import BILLED_BYTES


@pytest.mark.parametrize(
    ("metered_bytes", "units"),
    [(0, 1), (1, 1), (32_768, 1), (32_769, 2), (35 * 1024, 2), (65_536, 2), (1_048_576, 32)],
)
def test_units_are_steps_of_32_kb_and_at_least_one(metered_bytes, units):
    """35 KB counts as two requests: AWS's own example."""
    assert billed_requests(metered_bytes) == units


@given(st.sampled_from(BILLED_BYTES), st.integers(0, 10**7), st.integers(0, 10**7))
def test_no_rule_meters_more_than_both_sizes_together(rule, request_bytes, response_bytes):
    """What the handlers rely on when they skip the rule for calls within one step."""
    metered = billing_rule(rule)(request_bytes, response_bytes)
    assert metered <= request_bytes + response_bytes


flat = st.dictionaries(
    st.text(max_size=8),
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.sampled_from('{}[],:"\\ab')).map(str)
    | st.lists(st.text(st.sampled_from('{}"\\')), max_size=3),
    max_size=4,
)


@given(st.lists(flat, max_size=20), st.booleans())
def test_formatted_rows_counts_what_parsing_would(records, ascii_only):
    """Braces, quotes and backslashes inside strings are data, not rows."""
    assert formatted_rows(json.dumps(records, ensure_ascii=ascii_only)) == len(records)


@pytest.mark.parametrize(
    ("parsed", "expected"),
    [
        ({"records": [[{"longValue": 1}]] * 3, "numberOfRecordsUpdated": 0}, (3, 0)),
        ({"numberOfRecordsUpdated": 5, "generatedFields": []}, (0, 5)),
        ({"formattedRecords": '[{"a":"}{"},{"a":2}]'}, (2, 0)),
        ({"updateResults": [{"generatedFields": []}] * 4}, (0, 4)),
        ({"updateResults": []}, (0, 0)),
        ({"transactionId": "t"}, (0, 0)),
        ({"transactionStatus": "Transaction Committed"}, (0, 0)),
        (
            {
                "sqlStatementResults": [
                    {"resultFrame": {"records": [{}, {}]}, "numberOfRecordsUpdated": -1},
                    {"numberOfRecordsUpdated": 7},
                ]
            },
            (2, 7),
        ),
    ],
)
def test_rows_of_every_operation(parsed, expected):
    """Returned and written, from the shapes of all six operations."""
    assert rows(parsed) == expected
