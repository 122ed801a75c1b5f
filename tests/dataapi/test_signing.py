"""Signatures, made and checked."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.credentials import Credentials

from tenantmetrics.dataapi.errors import ApiError
from tenantmetrics.dataapi.signing import Verifier, sign

BODY = '{"sql": "SELECT \'é\'"}'.encode()
URL = "https://rds-data.eu-west-1.amazonaws.com/Execute"


@pytest.fixture
def signed():
    """Headers of a signed request, their names in lower case."""

    def signed(body=BODY, url=URL, **credentials):
        keys = {"access_key": "AKID", "secret_key": "right", "token": None, **credentials}
        headers = sign(
            url,
            body,
            {"Content-Type": "application/json"},
            credentials=Credentials(**keys),
            region="eu-west-1",
        )
        host = {"host": url.split("/")[2]}
        return host | {name.lower(): value for name, value in headers.items()}

    return signed


@pytest.fixture
def code():
    """The error's code that a request is refused with."""

    def code(*request):
        with pytest.raises(ApiError) as caught:
            Verifier({"AKID": "right"}).check(*request)
        return caught.value.code

    return code


def test_what_was_signed_here_is_accepted_here(signed):
    """With a session token, too, which is signed with the rest."""
    Verifier({"AKID": "right"}).check("POST", "/Execute", signed(), BODY)
    headers = signed(token="session")
    assert headers["x-amz-security-token"] == "session"
    Verifier({"AKID": "right"}).check("POST", "/Execute", headers, BODY)


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [("GET", "/Execute", BODY), ("POST", "/BatchExecute", BODY), ("POST", "/Execute", b"{}"),
     ("POST", "/Execute?x=1", BODY)],
)  # fmt: skip
def test_whatever_changed_on_the_way_is_refused(signed, code, method, target, body):
    """Method, path, query, body."""
    assert code(method, target, signed(), body) == "InvalidSignatureException"


def test_a_changed_header_that_was_signed_is_refused(signed, code):
    """Another host than the one it was made for."""
    headers = signed() | {"host": "elsewhere"}
    assert code("POST", "/Execute", headers, BODY) == "InvalidSignatureException"


def test_another_key_and_another_secret_are_told_apart(signed, code):
    """An unknown caller, or a wrong signature of a known one."""
    unknown = signed(access_key="other")
    assert code("POST", "/Execute", unknown, BODY) == "UnrecognizedClientException"
    wrong = signed(secret_key="wrong")
    assert code("POST", "/Execute", wrong, BODY) == "InvalidSignatureException"
    assert code("POST", "/Execute", {}, BODY) == "MissingAuthenticationTokenException"


def test_an_old_signature_is_refused(signed, code):
    """Five minutes is what AWS allows clocks to differ."""
    old = datetime.now(UTC) - timedelta(minutes=6)
    headers = signed() | {"x-amz-date": f"{old:%Y%m%dT%H%M%SZ}"}
    assert code("POST", "/Execute", headers, BODY) == "InvalidSignatureException"
