"""What each way takes for a tenant, and what it does not."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantmetrics.errors import ConfigError
from tenantmetrics.integrations.identity import (
    FromAuthorizer,
    FromFunction,
    FromHeader,
    FromHost,
    FromPath,
    FromSession,
    Identity,
    RefusedRequestError,
    WebRequest,
)
from tenantmetrics.rls import Rules


def test_a_header_is_found_in_any_case(request_with):
    """Its name, and not its value."""
    identity = Identity(FromHeader("X-Tenant-ID"))
    assert identity.find(request_with(("x-tenant-id", " Acme\t"))) == "Acme"
    with pytest.raises(RefusedRequestError) as caught:
        identity.find(request_with(("x_tenant_id", "acme"), ("xtenantid", "acme")))
    assert caught.value.status == 401


@pytest.mark.parametrize(
    "sent",
    [
        (("X-Tenant-Id", "acme"), ("x-tenant-id", "globex")),
        (("X-Tenant-Id", "acme"), ("X-Tenant-Id", "acme")),
        (("X-Tenant-Id", "acme,globex"),),
        (("X-Tenant-Id", "acme\r\nX-Admin: 1"),),
        (("X-Tenant-Id", "acme\0"),),
        (("X-Tenant-Id", "a\u00e9"),),
        (("X-Tenant-Id", "\u202eemca"),),
        (("X-Tenant-Id", "'; DROP TABLE b; --"),),
        (("X-Tenant-Id", "a" * 257),),
        (("X-Tenant-Id", "__idle__"),),
        (("X-Tenant-Id", "%61cme"),),
        (("X-Tenant-Id", "../acme"),),
    ],
)
def test_a_header_that_is_wrong_refuses_the_request(request_with, sent):
    """Twice, joined, or with what no tenant has; no other way is asked."""
    identity = Identity(FromHeader("X-Tenant-Id"), FromFunction(lambda _: "acme"))
    with pytest.raises(RefusedRequestError) as caught:
        identity.find(request_with(*sent))
    assert caught.value.status == 400
    assert caught.value.body == b'{"error":"bad request"}'


def test_a_server_that_folds_underscores_is_not_believed(request_with):
    """A proxy that overwrites X-Tenant-Id lets X_Tenant_Id pass."""
    folded = request_with(("X-Tenant-Id", "acme"), folds_underscores=True)
    with pytest.raises(ConfigError, match="'X_Tenant_Id'"):
        Identity(FromHeader("X-Tenant-Id")).find(folded)
    assert Identity(FromHeader("X-Tenant-Id", underscores_dropped=True)).find(folded) == "acme"
    one_word = request_with(("Tenant", "acme"), folds_underscores=True)
    assert Identity(FromHeader("Tenant")).find(one_word) == "acme"


@pytest.mark.parametrize("name", ["", "X Tenant", "X-Tenant:", "X_Tenant", "X-Tenant\n"])
def test_a_headers_name_is_one(name):
    """What no client can send, and what proxies drop, is said at once."""
    with pytest.raises(ConfigError):
        FromHeader(name)


HOSTS = {
    "acme.example.com": "acme",
    "ACME.Example.COM": "acme",
    "acme.example.com:8443": "acme",
    "acme.example.com.": "acme",
    "acme.example.com.:80": "acme",
    "shop.acme.org": "acme",
    "www.example.com": None,
    "example.com": None,
    ".example.com": None,
    "acme.example.com.evil.org": None,
    "acme.example.com..": None,
    "evil.acme.example.com": None,
    "acmeXexample.com": None,
    "acme-example.com": None,
    "a_b.example.com": None,
    "-acme.example.com": None,
    "xexample.com": None,
    "127.0.0.1": None,
    "[::1]:80": None,
}


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_names_the_tenant_by_its_first_label(request_with, host):
    """Port, case and one dot at the end aside, all of it has to fit."""
    identity = Identity(
        FromHost("{tenant}.example.com", hosts={"shop.acme.org": "acme"}), strict=False
    )
    assert identity.find(request_with(("Host", host))) == HOSTS[host]


@pytest.mark.parametrize(
    "host",
    ["acme.example.com@evil.org", "acme.example.com/evil", "evil.org#acme.example.com", "a b",
     "acme.example.com:80:90", "acme.example.com:port", "acme.example.com,globex.example.com",
     "acme\uff0eexample.com"],
)  # fmt: skip
def test_a_host_that_is_none_refuses_the_request(request_with, host):
    """Two readers of it would read two hosts."""
    with pytest.raises(RefusedRequestError):
        Identity(FromHost("{tenant}.example.com")).find(request_with(("Host", host)))


@pytest.mark.parametrize(
    "template", ["example.com", "{tenant}", "x.{tenant}.com", "{tenant}.*", ""]
)
def test_a_host_template_has_the_tenant_first(template):
    """Anything else could name tenants that nobody meant."""
    with pytest.raises(ConfigError):
        FromHost(template)
    with pytest.raises(ConfigError):
        FromHost(hosts={"acme.org:80": "acme"})
    with pytest.raises(ConfigError):
        FromHost()


PATHS = {
    "/t/acme": "acme",
    "/t/acme/bookings/7": "acme",
    "/t/acme/": "acme",
    "/t/": None,
    "/t": None,
    "/": None,
    "/T/acme": None,
    "/x/t/acme": None,
    "/tt/acme": None,
}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_names_the_tenant_by_one_segment(request_with, path):
    """At its place."""
    identity = Identity(FromPath("/t/{tenant}"), strict=False)
    assert identity.find(request_with(path=path)) == PATHS[path]


@pytest.mark.parametrize(
    "path",
    ["/t/acme/../globex", "/t/acme/./x", "//t/acme", "/t//acme", "/t/acme%2f..%2fglobex", "t/acme",
     "/t/acme\\..\\globex", "/t/acme\0", "/t/%61cme", "/t/ac me", "/t/acme;x", "/t/\ufffd", ""],
)  # fmt: skip
def test_a_path_with_two_readings_refuses_the_request(request_with, path):
    """The application, or a server in front of it, might take the other."""
    with pytest.raises(RefusedRequestError) as caught:
        Identity(FromPath("/t/{tenant}")).find(request_with(path=path))
    assert caught.value.status == 400


def test_a_path_template_goes_on_behind_the_tenant(request_with):
    """Both sides have to fit."""
    identity = Identity(FromPath("/t/{tenant}/api"), strict=False)
    assert identity.find(request_with(path="/t/acme/api/x")) == "acme"
    assert identity.find(request_with(path="/t/acme/apis")) is None
    for template in ("/t/acme", "/{tenant}/{tenant}", "/t/x{tenant}", "t/{tenant}"):
        with pytest.raises(ConfigError):
            FromPath(template)


def test_values_of_a_session_and_of_an_authorizer_are_names(request_with):
    """Numbers and UUIDs too; nothing else."""
    some = uuid.uuid4()
    for value, found in ((7, "7"), ("acme", "acme"), (some, str(some)), (None, None), ("", None)):
        held = {"tenant_id": value}
        request = request_with(session=lambda held=held: held, claims=held)
        assert Identity(FromSession(), strict=False).find(request) == found
        assert Identity(FromAuthorizer(), strict=False).find(request) == found
    for value in (True, ["acme"], {"id": "acme"}, 1.5):
        held = {"tenant_id": value}
        request = request_with(session=lambda held=held: held, claims=held)
        for way in (FromSession(), FromAuthorizer()):
            with pytest.raises(RefusedRequestError):
                Identity(way).find(request)
    with pytest.raises(ConfigError, match="outside of"):
        Identity(FromSession()).find(request_with())


def test_two_ways_that_disagree_refuse_the_request(request_with):
    """A token of one tenant on the host of another is nobody's request."""
    ways = FromHeader("X-Tenant-Id"), FromHost("{tenant}.example.com")
    sent = ("X-Tenant-Id", "acme"), ("Host", "globex.example.com")
    with pytest.raises(RefusedRequestError) as caught:
        Identity(*ways).find(request_with(*sent))
    assert caught.value.status == 400
    assert Identity(*ways, agree=False).find(request_with(*sent)) == "acme"
    same = ("X-Tenant-Id", "acme"), ("Host", "acme.example.com")
    assert Identity(*ways).find(request_with(*same)) == "acme"


def test_without_a_tenant_a_request_is_refused_or_nobodys(request_with):
    """`strict` decides."""
    with pytest.raises(RefusedRequestError) as caught:
        Identity(FromHeader("X-Tenant-Id")).find(request_with())
    assert (caught.value.status, caught.value.body) == (401, b'{"error":"unauthorized"}')
    assert Identity(FromHeader("X-Tenant-Id"), strict=False).find(request_with()) is None


def test_an_unknown_tenant_is_answered_as_no_tenant(request_with):
    """Whoever asks does not learn which there are."""
    identity = Identity(FromHeader("X-Tenant-Id"), known={"acme"}.__contains__)
    assert identity.find(request_with(("X-Tenant-Id", "acme"))) == "acme"
    bodies = set()
    for sent in ((("X-Tenant-Id", "globex"),), ()):
        with pytest.raises(RefusedRequestError) as caught:
            identity.find(request_with(*sent))
        bodies.add((caught.value.status, caught.value.body))
    assert len(bodies) == 1


def test_rules_say_what_a_tenant_is(request_with):
    """UUIDs in one spelling."""
    some = uuid.uuid4()
    identity = Identity(FromHeader("X-Tenant-Id"), rules=Rules(uuid=True))
    assert identity.find(request_with(("X-Tenant-Id", some.hex.upper()))) == str(some)
    with pytest.raises(RefusedRequestError):
        identity.find(request_with(("X-Tenant-Id", "acme")))


EXEMPT = {
    "/health": True,
    "/static/a/b.css": True,
    "/static/": True,
    "/static": False,
    "/health/": False,
    "/healthy": False,
    "/Health": False,
    "/static/../bookings": False,
    "/static/..%2fbookings": False,
    "/static//bookings": False,
    "/static/..\\bookings": False,
    "/staticx/a": False,
    "//health": False,
    "/health\0": False,
    "/": False,
}


@pytest.mark.parametrize("path", EXEMPT)
def test_only_plain_paths_are_exempt(request_with, path):
    """What another server could resolve to another path needs its tenant."""
    identity = Identity(FromHeader("X-Tenant-Id"), exempt=("/health", "/static/*"))
    assert identity.is_exempt(path) is EXEMPT[path]
    if EXEMPT[path]:
        assert identity.find(request_with(("X-Tenant-Id", "acme"), path=path)) is None


@pytest.mark.parametrize("path", ["health", "/*", "*", "/a/*/b", "/a*", "/a/../b", ""])
def test_an_exempt_path_that_says_too_much_is_a_mistake(path):
    """All of it is `strict=False`."""
    with pytest.raises(ConfigError, match="exempt"):
        Identity(FromHeader("X-Tenant-Id"), exempt=(path,))
    with pytest.raises(ConfigError, match="way"):
        Identity()


@given(st.text(), st.text(), st.text())
def test_whatever_is_sent_gives_a_valid_tenant_or_a_refusal(value, host, path):
    """Nothing else comes out, and nothing else is raised."""
    identity = Identity(
        FromHeader("X-Tenant-Id"), FromHost("{tenant}.example.com"), FromPath("/t/{tenant}"),
        strict=False, agree=False,
    )  # fmt: skip
    headers = (("x-tenant-id", value), ("host", host))
    try:
        found = identity.find(WebRequest(path=path, headers=headers))
    except RefusedRequestError:
        return
    assert found is None or (found.isprintable() and len(found) <= 256 and found[0].isalnum())
