"""Which headers reach the endpoint, and which of its answer reach the client."""

from __future__ import annotations

from tenantmetrics.sidecar.answers import Answer

__all__ = ["handed_back", "passed_on"]

_PASSED_ON = {
    name.encode(): name
    for name in (
        "accept",
        "accept-encoding",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "amz-sdk-retry",
        "traceparent",
        "tracestate",
        "user-agent",
        "x-amz-user-agent",
        "x-amzn-trace-id",
        "x-local-label",  # the local endpoint's own
    )
}
"""What a client says that reaches the endpoint, unsigned. No cookie, tenant or proxy's header."""
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""About the connection and not the answer (RFC 9110, section 7.6.1)."""
_NOT_HANDED_BACK = _HOP_BY_HOP | {b"content-length"}
"""The length is that of the body as it is sent on, which may have come in chunks."""
_USUAL_CONNECTION = frozenset({b",keep-alive", b",close"})


def passed_on(headers: dict[bytes, bytes]) -> list[tuple[str, str]]:
    """What a client says that the endpoint shall hear.

    Args:
        headers: The request's, names in lower case.
    """
    known = _PASSED_ON
    return [
        (known[name], value.decode("latin-1")) for name, value in headers.items() if name in known
    ]


def handed_back(answer: Answer) -> list[tuple[bytes, bytes]]:
    """The headers of an answer as they came, what is about the connection apart."""
    headers = []
    named = b""
    for pair in answer.headers:
        name = pair[0].lower()
        if name not in _NOT_HANDED_BACK:
            headers.append(pair)
        elif name == b"connection":
            named += b"," + pair[1].lower()
    if named and named not in _USUAL_CONNECTION:
        dropped = {part.strip() for part in named.split(b",")}
        headers = [pair for pair in headers if pair[0].lower() not in dropped]
    headers.append((b"content-length", b"%d" % len(answer.body)))
    return headers
