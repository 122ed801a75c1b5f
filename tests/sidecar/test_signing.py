"""The sidecar's signatures are botocore's and AWS's."""

from datetime import UTC, datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantmetrics.sidecar.signing import Key, Signer

VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@settings(max_examples=settings.default.max_examples)
@given(
    secret=VISIBLE,
    token=st.one_of(st.just(""), VISIBLE),
    content_type=st.sampled_from(["", "application/json", "application/json;  charset=utf-8"]),
    body=st.binary(max_size=100),
    moment=st.integers(1_500_000_000, 2_000_000_000),
    region=st.sampled_from(["eu-west-1", "us-gov-east-1", "cn-north-1"]),
)
def test_a_signature_is_the_one_that_botocore_makes(
    secret, token, content_type, body, moment, region
):
    """Of the same headers and the same moment; a key of before is not used for another day."""
    import hashlib  # noqa: PLC0415

    signer = Signer(clock=lambda: moment)
    headers = signer.sign(
        Key("AKID", secret, token),
        region=region,
        host="rds-data.example:8080",
        path="/BatchExecute",
        content_type=content_type,
        digest=hashlib.sha256(body).hexdigest(),
    )
    stamp = datetime.fromtimestamp(moment, UTC).strftime("%Y%m%dT%H%M%SZ")
    given_headers = {"Content-Type": content_type} if content_type else {}
    request = AWSRequest(
        "POST", "http://rds-data.example:8080/BatchExecute", given_headers, data=body
    )
    request.context["timestamp"] = stamp
    request.headers["X-Amz-Date"] = stamp
    if token:
        request.headers["X-Amz-Security-Token"] = token
    botocore = SigV4Auth(Credentials("AKID", secret, token or None), "rds-data", region)
    expected = botocore.signature(
        botocore.string_to_sign(request, botocore.canonical_request(request)), request
    )
    named = dict(headers)
    assert named["X-Amz-Date"] == stamp
    assert named["Authorization"].endswith(f"Signature={expected}")
    assert ("X-Amz-Security-Token" in named) == bool(token)


def test_the_day_changes_the_key():
    """One signer over midnight makes what a new one makes."""
    now = [1_700_000_000]
    signer = Signer(clock=lambda: now[0])
    arguments = {
        "region": "eu-west-1",
        "host": "h",
        "path": "/Execute",
        "content_type": "",
        "digest": "0" * 64,
    }
    key = Key("A", "s", "")
    first = signer.sign(key, **arguments)
    now[0] += 86_400
    second = signer.sign(key, **arguments)
    assert second != first
    assert second == Signer(clock=lambda: now[0]).sign(key, **arguments)
