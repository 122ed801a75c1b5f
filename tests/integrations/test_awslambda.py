"""Lambda: events as AWS sends them, one sandbox for one tenant after the other."""

import pytest

from tenantmetrics import lambda_handler, tenant
from tenantmetrics.errors import ConfigError
from tenantmetrics.integrations.awslambda import http_handler, request_of, sqs_handler
from tenantmetrics.integrations.identity import (
    FromAuthorizer,
    FromFunction,
    FromHeader,
    FromPath,
    Identity,
    RefusedRequestError,
    current_tenant,
)


def rest(headers=None, path="/bookings", several=None, **context):
    """API Gateway, REST API (payload 1.0)."""
    return {
        "resource": "/{proxy+}", "path": path, "httpMethod": "GET",
        "headers": {name: values[-1] for name, values in (several or {}).items()} | (headers or {}),
        "multiValueHeaders": several or {name: [v] for name, v in (headers or {}).items()},
        "requestContext": {"resourcePath": "/{proxy+}", "httpMethod": "GET", "stage": "prod",
                           "path": f"/prod{path}", "identity": {}, **context},
        "body": None, "isBase64Encoded": False,
    }  # fmt: skip


def http_api(headers=None, path="/bookings", stage="$default", **context):
    """API Gateway, HTTP API (payload 2.0), and Function URLs."""
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {name.lower(): value for name, value in (headers or {}).items()},
        "requestContext": {"accountId": "123456789012", "stage": stage,
                           "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1"},
                           **context},
        "isBase64Encoded": False,
    }  # fmt: skip


def balancer(headers=None, path="/bookings", several=None):
    """Application Load Balancer, with or without multi-value headers."""
    event = {"requestContext": {"elb": {"targetGroupArn": "arn"}}, "httpMethod": "GET"}
    event |= {"path": path, "queryStringParameters": {}, "body": "", "isBase64Encoded": False}
    lowered = {name.lower(): value for name, value in (headers or {}).items()}
    return event | ({"multiValueHeaders": several} if several else {"headers": lowered})


EVENTS = {"REST API": rest, "HTTP API": http_api, "load balancer": balancer}


def whose(event, context):
    return current_tenant()


@pytest.fixture
def handler():
    return lambda_handler(
        http_handler(Identity(FromHeader("X-Tenant-Id"), exempt=("/health",)))(whose)
    )


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_of_each_kind_has_its_tenant(handler, kind):
    """One after the other in one sandbox; the exempt path is nobody's, and an error leaves none."""
    event = EVENTS[kind]
    for name in ("acme", "globex"):
        assert handler(event({"X-Tenant-Id": name}), None) == name
        assert handler(event({"X-Tenant-Id": name}, path="/health"), None) is None
        answer = handler(event(), None)
        assert (answer["statusCode"], answer["body"]) == (401, '{"error":"unauthorized"}')
        assert "Bearer" in str(answer)
        assert current_tenant() is None

    def fails(event, context):
        tenant("left").__enter__()
        raise LookupError

    with pytest.raises(LookupError):
        http_handler(Identity(FromHeader("X-Tenant-Id")))(fails)(
            event({"X-Tenant-Id": "acme"}), None
        )
    assert handler(event(path="/health"), None) is None


def test_a_header_that_was_sent_twice_is_refused(handler):
    """In each kind's own way of saying so; the answer is of the kind that was asked."""
    twice = {"x-tenant-id": ["acme", "globex"]}
    for event, headers in (
        (rest(several=twice), "multiValueHeaders"),
        (balancer(several=twice), "multiValueHeaders"),
        (http_api({"x-tenant-id": "acme,globex"}), "headers"),
        (balancer({"x-tenant-id": "acme,globex"}), "headers"),
    ):
        answer = handler(event, None)
        assert answer["statusCode"] == 400
        assert headers in answer


AUTHORIZERS = {
    "Cognito, REST": rest(authorizer={"claims": {"tid": "acme"}}),
    "Lambda, REST": rest(authorizer={"principalId": "u1", "tid": "acme"}),
    "JWT, HTTP": http_api(authorizer={"jwt": {"claims": {"tid": "acme"}, "scopes": None}}),
    "Lambda, HTTP": http_api(authorizer={"lambda": {"tid": "acme"}}),
}


@pytest.mark.parametrize("kind", AUTHORIZERS)
def test_an_authorizers_claim_names_the_tenant(kind):
    """Where AWS puts it, and nowhere that the client writes."""
    assert Identity(FromAuthorizer("tid")).find(request_of(AUTHORIZERS[kind])) == "acme"


def test_what_the_client_writes_is_no_claim():
    """Headers, the body, and an authorizer that said nothing."""
    identity = Identity(FromAuthorizer("tid"))
    for event in (
        rest({"tid": "acme", "authorizer": '{"tid":"acme"}'}),
        http_api({"tid": "acme"}) | {"body": '{"requestContext":{"authorizer":{"tid":"acme"}}}'},
        http_api(authorizer={"jwt": {"claims": {}}, "tid": "acme"}),
        rest(authorizer=None),
        rest(authorizer="tid=acme"),
        balancer({"x-amzn-oidc-data": "e30.eyJ0aWQiOiJhY21lIn0."}),
    ):
        with pytest.raises(RefusedRequestError):
            identity.find(request_of(event))


def test_a_path_is_what_is_routed():
    """Without the stage, which stands in rawPath."""
    identity = Identity(FromPath("/t/{tenant}"), strict=False)
    assert identity.find(request_of(http_api(path="/prod/t/acme", stage="prod"))) == "acme"
    assert identity.find(request_of(http_api(path="/production/t/acme", stage="prod"))) is None
    assert identity.find(request_of(rest(path="/t/acme"))) == "acme"
    with pytest.raises(RefusedRequestError):
        identity.find(request_of(http_api(path="/t/acme%2F..%2Fglobex")))


def test_what_is_no_http_event_is_a_mistake():
    """It must not run as nobody's."""

    async def awaited(request):
        return "acme"

    handler = http_handler(Identity(FromHeader("X-Tenant-Id"), strict=False))(whose)
    for event in ({}, {"Records": []}, None, [], {"requestContext": {}}, "x"):
        with pytest.raises(ConfigError):
            handler(event, None)
    with pytest.raises(ConfigError, match="coroutine"):
        http_handler(Identity(FromFunction(awaited)))


def record(number, name=None, queue="work", **attribute):
    attributes = {} if name is None else {"tenant_id": {"stringValue": name, "dataType": "String"}}
    return {
        "messageId": f"m{number}", "body": "{}", "eventSource": "aws:sqs",
        "messageAttributes": attributes | attribute,
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{queue}",
    }  # fmt: skip


@pytest.fixture
def seen():
    return []


@pytest.fixture
def each(seen):
    def make(**settings):
        @sqs_handler(**settings)
        def work(record, context):
            seen.append((record["messageId"], current_tenant()))
            if record["body"] == "fail":
                tenant("left").__enter__()
                raise LookupError("what is in the message")

        return work

    return make


def failures(answer):
    return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


def test_records_have_their_own_tenants(each, seen):
    """One by one; what has none, or names badly, fails alone."""
    records = [
        record(1, "acme"),
        record(2, "globex"),
        record(3),
        record(4, "a b"),
        record(5, "acme") | {"body": "fail"},
        record(6, "globex"),
        record(7, tenant_id={"binaryValue": "YWNtZQ==", "dataType": "Binary"}),
        record(8, "x" * 300),
        record(9) | {"messageAttributes": None},
    ]
    with tenant("around"):
        assert failures(each()({"Records": records}, None)) == ["m3", "m4", "m5", "m7", "m8", "m9"]
    assert seen == [("m1", "acme"), ("m2", "globex"), ("m5", "acme"), ("m6", "globex")]


def test_without_strict_a_record_without_a_tenant_is_nobodys(each, seen):
    """And not the one's before it."""
    answer = each(strict=False)({"Records": [record(1, "acme"), record(2)]}, None)
    assert failures(answer) == []
    assert seen == [("m1", "acme"), ("m2", None)]


def test_a_fifo_queue_keeps_its_order(each, seen):
    """Nothing behind a record that failed is run."""
    records = [
        record(1, "acme", "work.fifo"),
        record(2, "acme", "work.fifo") | {"body": "fail"},
        record(3, "globex", "work.fifo"),
    ]
    assert failures(each()({"Records": records}, None)) == ["m2", "m3"]
    assert [number for number, _ in seen] == ["m1", "m2"]


def test_a_batch_of_which_nothing_worked_fails_as_a_whole(each):
    """Also where the event source does not ask for single failures."""
    with pytest.raises(LookupError):
        each()({"Records": [record(1), record(2, "acme") | {"body": "fail"}]}, None)
