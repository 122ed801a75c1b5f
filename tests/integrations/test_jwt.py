"""Which tokens hold: whoever cannot sign names no tenant."""

import base64
import datetime as dt
import json

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from tenantmetrics.errors import ConfigError
from tenantmetrics.integrations.identity import FromHeader, FromJwt, Identity, RefusedRequestError

SECRET = "s" * 32
# From when the file is read: a run of all tests may take its time.
PAST = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)
FUTURE = dt.datetime.now(dt.UTC) + dt.timedelta(hours=6)


@pytest.fixture
def found(request_with):
    """The tenant of a token, by some settings."""

    def find(way, token, scheme="Bearer"):
        return Identity(way).find(request_with(("Authorization", f"{scheme} {token}")))

    return find


@pytest.fixture
def refused(found):
    """Checks that a token is refused, with an answer that does not say why."""

    def check(way, token):
        with pytest.raises(RefusedRequestError) as caught:
            found(way, token)
        assert (caught.value.status, caught.value.body) == (401, b'{"error":"unauthorized"}')
        assert token[-20:] not in str(caught.value)

    return check


def test_a_token_that_holds_names_the_tenant(signer, found):
    """By key pair and by secret; the scheme's case does not matter (RFC 9110, 11.1)."""
    way = FromJwt("tid", key=signer.public, algorithms=["RS256"])
    assert found(way, signer.token(tid="acme")) == "acme"
    assert found(way, signer.token(tid=7), scheme="bearer") == "7"
    way = FromJwt(key=SECRET, algorithms=["HS256"])
    assert found(way, signer.token(key=SECRET, algorithm="HS256", tenant_id="acme")) == "acme"


def unsigned(claims, **header):
    parts = ({"alg": "none", "typ": "JWT"} | header, claims)
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join([*texts, b""]).decode()


def test_tokens_that_nobody_signed_are_refused(signer, other_signer, refused):
    """`none` in any case, a foreign key, a changed claim, a signature that is cut off."""
    way = FromJwt(key=signer.public, algorithms=["RS256"])
    claims = {"tenant_id": "acme", "exp": FUTURE.timestamp()}
    for alg in ("none", "None", "NONE", "nOnE", "", None, ["RS256"], "RS256"):
        refused(way, unsigned(claims, alg=alg))
    refused(way, other_signer.token(tenant_id="acme"))
    head, body, signature = signer.token(tenant_id="acme").split(".")
    _, other, _ = signer.token(tenant_id="globex").split(".")
    for token in (f"{head}.{other}.{signature}", f"{head}.{body}.", f"{head}.{body}", "x", "a.b.c"):
        refused(way, token)


def test_a_public_key_is_no_secret(signer, refused):
    """The confusion of HS256 with RS256: the public key is known to everybody."""
    way = FromJwt(key=signer.public, algorithms=["RS256"])
    # PyJWT itself refuses to sign so.
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT","kid":"k1"}').rstrip(b"=")
    claims = json.dumps({"tenant_id": "acme", "exp": FUTURE.timestamp()}).encode()
    signed = head + b"." + base64.urlsafe_b64encode(claims).rstrip(b"=")
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = base64.urlsafe_b64encode(mac.sign(signed, signer.public)).rstrip(b"=")
    refused(way, (signed + b"." + signature).decode())


def test_claims_have_to_be_there_and_to_fit(signer, refused, found):
    """Expiry always; audience and issuer where they are asked for; the tenant as a name."""
    way = FromJwt(key=signer.public, algorithms=["RS256"], audience="api", issuer="https://id",
                  required=["sub"])  # fmt: skip
    good = {"tenant_id": "acme", "aud": "api", "iss": "https://id", "sub": "u1"}
    assert found(way, signer.token(**good)) == "acme"
    assert found(way, signer.token(**good | {"aud": ["web", "api"]})) == "acme"
    for change in (
        {"exp": None}, {"exp": PAST}, {"exp": "soon"}, {"nbf": FUTURE}, {"iat": FUTURE},
        {"aud": None}, {"aud": "web"}, {"aud": "api2"}, {"aud": []}, {"iss": None}, {"sub": None},
        {"iss": "https://id.evil"}, {"tenant_id": None}, {"tenant_id": ""}, {"tenant_id": ["acme"]},
        {"tenant_id": True}, {"tenant_id": {"a": 1}},
    ):  # fmt: skip
        refused(way, signer.token(**good | change))
    none_asked = FromJwt(key=signer.public, algorithms=["RS256"])
    refused(none_asked, signer.token(tenant_id="acme", aud="another application"))


def test_a_token_that_does_not_hold_is_the_end_of_it(signer, other_signer, request_with):
    """A header must not stand in for it."""
    way = FromJwt(key=signer.public, algorithms=["RS256"])
    identity = Identity(way, FromHeader("X-Tenant-Id"))
    token = other_signer.token(tenant_id="acme")
    sent = [("Authorization", f"Bearer {token}"), ("X-Tenant-Id", "acme")]
    with pytest.raises(RefusedRequestError):
        identity.find(request_with(*sent))
    twice = [("Authorization", f"Bearer {signer.token(tenant_id='acme')}")] * 2
    with pytest.raises(RefusedRequestError):
        identity.find(request_with(*twice))
    for value in ("Bearer ", "Bearer " + "a" * 20_000, "Bearer a.b.c d"):
        with pytest.raises(RefusedRequestError):
            identity.find(request_with(("Authorization", value)))
    basic = request_with(("Authorization", "Basic YTpi"), ("X-Tenant-Id", "acme"))
    assert identity.find(basic) == "acme"


def test_settings_that_would_accept_too_much_are_refused(signer):
    """Before any token comes."""
    private = signer.private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for settings in (
        {"key": SECRET, "algorithms": ["none"]},
        {"key": SECRET, "algorithms": []},
        {"key": SECRET, "algorithms": "HS256"},
        {"key": SECRET, "algorithms": ["HS256", "RS256"]},
        {"key": signer.public, "algorithms": ["HS256"]},
        {"key": "short", "algorithms": ["HS256"]},
        {"key": "", "algorithms": ["HS256"]},
        {"key": private, "algorithms": ["RS256"]},
        {"key": SECRET, "algorithms": ["RS256"]},
        {"algorithms": ["RS256"]},
        {"key": signer.public, "jwks_url": "https://id", "algorithms": ["RS256"]},
        {"jwks_url": "https://id", "algorithms": ["HS256"]},
        {"jwks_url": "http://id.example.com/jwks", "algorithms": ["RS256"]},
        {"jwks_url": "http://localhost.evil.org/jwks", "algorithms": ["RS256"]},
        {"jwks_url": "file:///etc/passwd", "algorithms": ["RS256"]},
        {"jwks_url": "https://id", "algorithms": ["RS256"], "cooldown_s": 0},
        {"jwks_url": "https://id", "algorithms": ["RS256"], "lifespan_s": 1},
    ):
        with pytest.raises(ConfigError):
            FromJwt(**settings)


def test_keys_come_from_a_key_set_that_is_fetched_once(key_server, signer, found):
    """And again when it is too old."""
    key_server.keys = [signer.jwk()]
    way = FromJwt(jwks_url=key_server.url, algorithms=["RS256"])
    for _ in range(20):
        assert found(way, signer.token(tenant_id="acme")) == "acme"
    assert key_server.fetches == 1


def test_unknown_keys_do_not_make_fetches(key_server, signer, other_signer, refused, found):
    """A thousand tokens of no known key ask the issuer once; a new key comes after the cooldown."""
    key_server.keys = [signer.jwk()]
    way = FromJwt(jwks_url=key_server.url, algorithms=["RS256"], cooldown_s=300)
    assert found(way, signer.token(tenant_id="acme")) == "acme"
    for number in range(50):
        refused(way, other_signer.token(tenant_id="acme", headers={"kid": f"k{number}x"}))
    assert key_server.fetches == 1
    key_server.keys = [signer.jwk(), other_signer.jwk()]
    way._keys._tried_s = float("-inf")  # the cooldown is over
    assert found(way, other_signer.token(tenant_id="acme")) == "acme"
    assert found(way, signer.token(tenant_id="acme")) == "acme"
    assert key_server.fetches == 2


def test_an_issuer_that_is_down_is_not_asked_by_every_request(
    key_server, signer, refused, found, request_with
):
    """Keys that are there serve until they are too old; without any, nothing holds."""
    key_server.keys, key_server.status = [signer.jwk()], 500
    way = FromJwt(jwks_url=key_server.url, algorithms=["RS256"])
    for _ in range(20):
        refused(way, signer.token(tenant_id="acme"))
    assert key_server.fetches == 1
    key_server.status = 200
    way._keys._tried_s = float("-inf")
    token = signer.token(tenant_id="acme")
    sent = request_with(("Authorization", f"Bearer {token}"))
    assert way.waits(sent)
    assert found(way, token) == "acme"
    assert not way.waits(sent)
    key_server.status = 500
    way._keys._fetched_s = float("-inf")  # the set is too old
    refused(way, token)
    assert not way.waits(request_with(("Authorization", "Bearer x")))


def test_a_key_of_a_set_serves_its_own_algorithm(key_server, signer, refused):
    """Neither a symmetric key in the set, nor one for encryption, nor a token without `kid`."""
    octets = base64.urlsafe_b64encode(SECRET.encode()).rstrip(b"=").decode()
    key_server.keys = [
        signer.jwk(),
        {"kty": "oct", "k": octets, "kid": "secret", "use": "sig", "alg": "HS256"},
        signer.jwk(kid="enc", use="enc"),
    ]
    way = FromJwt(jwks_url=key_server.url, algorithms=["RS256", "PS256"])
    hs = signer.token(key=SECRET, algorithm="HS256", tenant_id="acme", headers={"kid": "secret"})
    refused(way, hs)
    refused(way, signer.token(tenant_id="acme", headers={"kid": "enc"}))
    refused(way, signer.token(tenant_id="acme", headers={}))
    refused(way, signer.token(tenant_id="acme", algorithm="PS256"))
    elsewhere = {"jku": "http://127.0.0.1:1/", "kid": "elsewhere"}
    refused(way, signer.token(tenant_id="acme", headers=elsewhere))
