"""Errors as responses carry them."""

import pytest
from botocore.parsers import RestJSONParser
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.dataapi.errors import STATUS, ApiError, read_error, sqlstate

TEXT = "ERROR: division by zero; SQLState: 22012"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"x-amzn-errortype": "DatabaseErrorException"}, b'{"message": "%s"}'),
        ({"x-amzn-errortype": "DatabaseErrorException:http://x/"}, b'{"message": "%s"}'),
        ({}, b'{"__type": "com.amazon#DatabaseErrorException", "message": "%s"}'),
        ({}, b'{"code": "DatabaseErrorException", "Message": "%s"}'),
    ],
)
def test_an_error_is_read_as_botocore_reads_it(headers, body):
    """From the header or the body, without namespace and address."""
    body %= TEXT.encode()
    response = {"headers": headers, "body": body, "status_code": 400}
    theirs = RestJSONParser().parse(response, None)["Error"]
    assert read_error(headers, body) == (theirs["Code"], theirs["Message"], "22012")


@given(body=st.binary(max_size=200))
def test_any_body_is_an_error_without_a_name(body):
    """A load balancer's page instead of JSON raises nothing."""
    assert read_error({}, body).code


@pytest.mark.parametrize(("text", "state"), [(TEXT, "22012"), ("Request timed out", ""), ("", "")])
def test_a_sqlstate_is_read_from_the_message(text, state):
    """Five characters, or nothing."""
    assert sqlstate(text) == state


def test_an_error_has_its_codes_status_unless_told_otherwise():
    """One table says which."""
    for code, status in STATUS.items():
        assert ApiError(code, "why").status == status
    assert ApiError("NotACode", "why", status=418).status == 418
