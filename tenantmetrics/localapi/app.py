"""HTTP in, HTTP out: an ASGI application over `Service`, and how uvicorn runs it."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tenantmetrics.cork import Cork
from tenantmetrics.dataapi import guesses
from tenantmetrics.dataapi.errors import ApiError, malformed
from tenantmetrics.dataapi.operations import PATHS
from tenantmetrics.dataapi.signing import Verifier
from tenantmetrics.localapi.caller import CALLER, Caller
from tenantmetrics.localapi.counts import RequestCounts
from tenantmetrics.localapi.faults import CUT, FaultPlan
from tenantmetrics.localapi.servertime import LABEL_HEADER
from tenantmetrics.localapi.service import Answer, Service

__all__ = ["COUNTS_PATH", "SERVER_TIME_PATH", "Application", "protocol_for"]

COUNTS_PATH = "/_local/requests"
"""GET: the request counts as JSON, for a program in another process. Not counted itself."""

SERVER_TIME_PATH = "/_local/server-time"
"""GET: PostgreSQL's own account of the calls' time as JSON, where the endpoint keeps one."""

REQUEST_MAX_BYTES = 4 * 1024 * 1024
"""A request may have 4 MiB with its headers (AWS, Data API limitations)."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_JSON_TYPES = (b"application/json", b"application/x-amz-json-1.0", b"application/x-amz-json-1.1")
_OWN_SITE = (b"none", b"same-origin")
_ABANDONED = "ClientDisconnected"


class _CutError(Exception):
    """The connection is to be closed without an answer."""


class Application:
    """The endpoint as an ASGI application.

    Args:
        service: The operations.
        faults: Failures on demand.
        counts: Where requests are counted.
        verifier: Checks signatures; None accepts any, and none at all.
        log: Whether each request is logged with structlog.
    """

    def __init__(
        self,
        service: Service,
        faults: FaultPlan,
        counts: RequestCounts,
        *,
        verifier: Verifier | None = None,
        log: bool = False,
    ) -> None:
        self._service = service
        self._faults = faults
        self._counts = counts
        self._verifier = verifier
        self._log = structlog.get_logger("tenantmetrics.local") if log else None
        self.transports: dict[Any, asyncio.Transport] = {}
        self._callers: dict[Any, Caller] = {}

    def disconnected(self, client: Any) -> None:
        """A client closed its connection: what it waits for is ended."""
        self.transports.pop(client, None)
        if guesses.CLIENT_GONE_CANCELS and (caller := self._callers.get(client)) is not None:
            caller.leave(ApiError(_ABANDONED, "The client closed its connection.", status=0))

    def stop(self) -> None:
        """End what runs, so that clients hear of it before the endpoint is gone."""
        for caller in [*self._callers.values()]:
            caller.leave(ApiError("ServiceUnavailableError", "The endpoint is being stopped."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if (own := self._own_page(scope["path"])) is not None:
            await _send(send, 200, json.dumps(own), str(uuid.uuid4()))
            return
        started = time.perf_counter()
        self._counts.receive()
        found = PATHS.get(scope["path"]) if scope["method"] == "POST" else None
        operation = found.name if found is not None else ""
        request_id = str(uuid.uuid4())
        error: ApiError | None = None
        answer = Answer("")
        raw = b""
        try:
            raw = await _read(receive, sum(len(k) + len(v) for k, v in scope["headers"]))
            answer = await self._answer(operation, scope, raw)
        except ApiError as raised:
            error = raised
        except (_CutError, asyncio.IncompleteReadError, asyncio.CancelledError) as lost:
            # Cancelled: the endpoint stops, and something did not end in time.
            cut = isinstance(lost, _CutError)
            self._counts.answer(operation, 0, CUT if cut else _ABANDONED)
            self._abort(scope)
            return
        except Exception as raised:  # noqa: BLE001 - the server stays up whatever happens
            structlog.get_logger("tenantmetrics.local").error(
                "internal_error",
                operation=operation,
                error_type=type(raised).__name__,
            )
            error = ApiError("InternalServerErrorException", "The endpoint itself failed.")
        status = 200 if error is None else error.status
        self._counts.answer(operation, status, "" if error is None else error.code)
        if status == 0:
            return
        body = answer.body if error is None else json.dumps({"message": error.message})
        await _send(send, status, body, request_id, error)
        if self._log is not None:
            self._log.info(
                "request",
                operation=operation or scope["path"][:40],
                status=status,
                error=error.code if error is not None else None,
                sqlstate=(error.sqlstate or None) if error is not None else None,
                rows=answer.rows,
                request_bytes=len(raw),
                response_bytes=len(body),
                duration_ms=round((time.perf_counter() - started) * 1000, 3),
                request_id=request_id,
            )

    async def _answer(self, operation: str, scope: Scope, raw: bytes) -> Answer:
        """Carry out a request whose body is complete."""
        if not operation:
            status, code = guesses.UNKNOWN_PATH
            raise ApiError(
                code,
                f"{scope['method']} {scope['path']} is not an operation of the Data API",
                status=status,
            )
        headers = dict(scope["headers"])
        media_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if media_type and media_type not in _JSON_TYPES:
            status, code = guesses.WRONG_MEDIA_TYPE
            raise ApiError(code, "The content type must be application/json", status=status)
        if headers.get(b"sec-fetch-site", b"none") not in _OWN_SITE:
            # A web page somewhere can make a browser post to loopback; SDKs send no such header.
            raise ApiError("AccessDeniedException", "Requests from web pages are refused")
        if self._verifier is not None:
            _verify(self._verifier, scope, raw)
        await self._suffer(operation)
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            raise malformed("The request's body", "JSON") from None
        label = headers.get(LABEL_HEADER, b"").decode("latin-1")
        caller = self._callers[scope["client"]] = Caller()
        CALLER.set(caller)
        try:
            return await self._service.call(operation, body, label)
        finally:
            del self._callers[scope["client"]]

    def _own_page(self, path: str) -> Any:
        """What the endpoint says of itself, at addresses that the Data API does not have."""
        if path == COUNTS_PATH:
            return self._counts.as_json()
        if path == SERVER_TIME_PATH and self._service.server_time is not None:
            return self._service.server_time.as_json()
        return None

    async def _suffer(self, operation: str) -> None:
        """Wait and fail as the faults in force want it."""
        if overhead_s := self._faults.overhead_s(operation):
            await asyncio.sleep(overhead_s)
        fault = self._faults.pick(operation)
        if fault is None:
            return
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        if fault.kind == CUT:
            raise _CutError
        error = fault.error()
        if error is not None:
            raise error

    def _abort(self, scope: Scope) -> None:
        transport = self.transports.get(scope["client"])
        if transport is not None:
            transport.abort()


def _verify(verifier: Verifier, scope: Scope, body: bytes) -> None:
    """Let a request with a good signature pass; raises what the verifier does."""
    query = scope["query_string"]
    target = scope["raw_path"] + (b"?" + query if query else b"")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    verifier.check(scope["method"], target.decode("latin-1"), headers, body)


async def _read(receive: Receive, header_bytes: int) -> bytes:
    """The body; read to its end even where it is too long, so that the answer is heard.

    Raises:
        ApiError: It is too long.
        asyncio.IncompleteReadError: The client went away.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body"):
        total = len(body)
    else:
        parts, total = [body], len(body)
        while message["type"] == "http.request" and message.get("more_body"):
            message = await receive()
            part = message.get("body", b"")
            total += len(part)
            if total <= REQUEST_MAX_BYTES:
                parts.append(part)
        if message["type"] != "http.request":
            raise asyncio.IncompleteReadError(b"", None)
        body = b"".join(parts)
    if total + header_bytes > REQUEST_MAX_BYTES:
        status, code = guesses.BODY_TOO_LARGE
        raise ApiError(
            code,
            f"The request has {total + header_bytes} bytes; {REQUEST_MAX_BYTES} are allowed",
            status=status,
        )
    return body


async def _send(
    send: Send,
    status: int,
    text: str,
    request_id: str,
    error: ApiError | None = None,
) -> None:
    """Send an answer."""
    body = text.encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-amzn-requestid", request_id.encode()),
    ]
    if error is not None:
        headers.append((b"x-amzn-errortype", error.code.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def protocol_for(application: Application) -> type[HttpToolsProtocol]:
    """Uvicorn's protocol, corked, its transports known to the application by the peer's address."""

    class Protocol(HttpToolsProtocol):
        def connection_made(self, transport: Any) -> None:
            corked: Any = Cork(transport, self.loop)
            super().connection_made(corked)
            application.transports[self.client] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            application.disconnected(self.client)
            super().connection_lost(exc)

    return Protocol
