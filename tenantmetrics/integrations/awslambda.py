"""AWS Lambda: HTTP events of every kind, and the records of an SQS event one by one.

    @tenantmetrics.lambda_handler
    @http_handler(identity)
    def handler(event, context): ...

Contract: each invocation, and each record, is its tenant's or nobody's; nothing stays for the
next, which runs in the same thread. What is refused never reaches the handler. Claims of an
authorizer are believed where AWS puts them (`requestContext.authorizer`); whoever may invoke the
function directly may write them too, which is for IAM to say.

| event | told by |
|---|---|
| API Gateway, REST (payload 1.0) | `httpMethod`, `requestContext` |
| API Gateway, HTTP (payload 2.0), Function URL | `requestContext.http` |
| Application Load Balancer | `requestContext.elb` |
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from tenantmetrics.errors import ConfigError, RlsError
from tenantmetrics.integrations import refusal
from tenantmetrics.integrations.identity import Identity
from tenantmetrics.integrations.refusal import RefusedRequestError
from tenantmetrics.integrations.request import WebRequest
from tenantmetrics.integrations.scope import inside
from tenantmetrics.logs import logger
from tenantmetrics.rls.rules import Context, Rules, settings

__all__ = ["http_handler", "request_of", "sqs_handler"]

_Handler = Callable[..., Any]
_H = TypeVar("_H", bound=_Handler)


def http_handler(identity: Identity) -> Callable[[_H], _H]:
    """Decorate a handler of HTTP events: it runs with the tenant of each.

    Args:
        identity: How the tenant is found; `FromAuthorizer` among the ways.

    Raises:
        ConfigError: The identity has a coroutine function; or, when called, the event is no HTTP
            event.
    """
    if identity.needs_async:
        raise ConfigError("a Lambda handler cannot wait for a coroutine function of Identity")

    def decorate(handler: _H) -> _H:
        @functools.wraps(handler)
        def with_tenant(event: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                with inside(None):
                    tenant = identity.find(request_of(event))
            except RefusedRequestError as refused:
                refusal.log(refused)
                return _answer(event, refused)
            with inside(tenant):
                return handler(event, context, *args, **kwargs)

        return cast("_H", with_tenant)

    return decorate


def sqs_handler(
    attribute: str = "tenant_id", *, strict: bool = True, rules: Rules | None = None
) -> Callable[[_Handler], _Handler]:
    """Decorate a handler of one SQS record: it runs once a record, with the record's tenant.

    Records that fail are reported as `batchItemFailures`, so the event source needs
    ReportBatchItemFailures in its FunctionResponseTypes: without it, Lambda takes a batch that
    returns for done. Of a FIFO queue, those behind the first that failed are reported too, and not
    run. If every record fails, the last error is raised.

    Args:
        attribute: The message attribute that names the tenant, of type String or Number.
        strict: Whether a record without a tenant fails, rather than run as nobody's.
        rules: What a tenant may look like; those of `tenantmetrics.rls` by default.
    """
    allowed = rules or Rules()

    def decorate(handler: _Handler) -> _Handler:
        @functools.wraps(handler)
        def each_record(event: Any, context: Any) -> dict[str, Any]:
            records, failed = event["Records"], []
            error: Exception | None = None
            for number, record in enumerate(records):
                try:
                    with inside(_tenant(record, attribute, allowed, strict=strict)):
                        handler(record, context)
                except Exception as raised:  # noqa: BLE001 - one record must not fail the others
                    error = raised
                    _log(raised)
                    fifo = str(record.get("eventSourceARN", "")).endswith(".fifo")
                    rest = records[number:] if fifo else [record]
                    failed += [{"itemIdentifier": record["messageId"]} for record in rest]
                    if fifo:
                        break
            if error is not None and len(failed) == len(records):
                raise error
            return {"batchItemFailures": failed}

        return each_record

    return decorate


def request_of(event: Any) -> WebRequest:
    """What ways may look at of an HTTP event.

    Args:
        event: As Lambda gives it.

    Raises:
        ConfigError: It is no HTTP event.
    """
    context = event.get("requestContext") if isinstance(event, Mapping) else None
    http = context.get("http") if isinstance(context, Mapping) else None
    if not isinstance(context, Mapping) or not (http or "httpMethod" in event):
        raise ConfigError(
            "http_handler: the event is not from API Gateway, a Function URL or a load balancer"
        )
    if http:
        method, path = http.get("method", ""), event.get("rawPath", "")
        stage = context.get("stage", "$default")
        # A named stage is in rawPath and not in what is routed.
        if stage != "$default" and (path + "/").startswith(f"/{stage}/"):
            path = path.removeprefix(f"/{stage}")
    else:
        method, path = event["httpMethod"], event.get("path", "")
    several = event.get("multiValueHeaders")
    headers = [(name, value) for name, values in (several or {}).items() for value in values or ()]
    if not several:
        headers = list((event.get("headers") or {}).items())
    return WebRequest(
        method=method,
        path=path or "/",
        headers=tuple((name.lower(), str(value)) for name, value in headers),
        claims=_claims(context.get("authorizer")),
        native=event,
    )


def _claims(authorizer: Any) -> Mapping[str, Any]:
    """What an authorizer verified: Cognito's and JWT's claims, or a Lambda authorizer's context."""
    found = authorizer if isinstance(authorizer, Mapping) else {}
    jwt = found.get("jwt")
    for inner in (jwt.get("claims") if isinstance(jwt, Mapping) else None, found.get("claims")):
        if isinstance(inner, Mapping):
            return inner
    own = found.get("lambda")
    return own if isinstance(own, Mapping) else found


def _answer(event: Any, refused: RefusedRequestError) -> dict[str, Any]:
    headers = dict(refusal.headers(refused))
    answer = {
        "statusCode": refused.status,
        "body": refused.body.decode(),
        "isBase64Encoded": False,
    }
    # A load balancer that sends several values wants several back.
    if "multiValueHeaders" in event:
        return answer | {"multiValueHeaders": {name: [value] for name, value in headers.items()}}
    return answer | {"headers": headers}


def _tenant(record: Any, attribute: str, rules: Rules, *, strict: bool) -> str | None:
    found = (record.get("messageAttributes") or {}).get(attribute) or {}
    name = found.get("stringValue")
    if name is None and not strict:
        return None
    if not isinstance(name, str) or not name:
        raise RefusedRequestError(f"the record has no attribute {attribute!r}")
    try:
        return settings(Context(tenant=name), rules)[0]
    except RlsError:
        raise RefusedRequestError("the record's tenant is not one that the rules allow") from None


def _log(error: Exception) -> None:
    """A record that failed: its error's kind; the message may hold a tenant's data."""
    logger().warning("tenantmetrics.record_failed", error=type(error).__name__)
