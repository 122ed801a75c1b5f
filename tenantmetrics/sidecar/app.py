"""One request: read, judge, sign, forward, hand back, record. A plain ASGI application.

Nothing of a body, a parameter or a credential is ever logged; an error of our own is logged by its
type. Where the endpoint cut the connection, so does the sidecar: the SDK sees what it would have
seen, and tries again if it would have.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, MutableMapping
from time import monotonic_ns
from typing import Any

from tenantmetrics.capture.recorder import Recorder
from tenantmetrics.cork import Cork
from tenantmetrics.dataapi.errors import ApiError
from tenantmetrics.dataapi.operations import Operation
from tenantmetrics.dataapi.signing import Verifier
from tenantmetrics.errors import TenantRefusedError
from tenantmetrics.instrumentation.botocore import MARK
from tenantmetrics.logs import logger
from tenantmetrics.sidecar.answers import TIMED_OUT, UNREACHED, Answer, result_of, unanswered
from tenantmetrics.sidecar.attempts import Attempt, Calls, Open
from tenantmetrics.sidecar.credentials import REFUSALS, Keeper
from tenantmetrics.sidecar.gate import REQUEST_MAX_BYTES, Gate, too_large
from tenantmetrics.sidecar.headers import handed_back, passed_on
from tenantmetrics.sidecar.operations import Operations
from tenantmetrics.sidecar.settings import Settings
from tenantmetrics.sidecar.signing import Signer
from tenantmetrics.sidecar.upstream import Upstream, UpstreamError

__all__ = ["Application"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_FIRST_CREDENTIALS_S = 5.0
_MARK = MARK.encode()
_MANY_BYTES = REQUEST_MAX_BYTES // 2
"""Only with a body of that length do headers, which are bounded themselves, matter to the limit."""
_GONE = "ClientDisconnected"


class _CutError(Exception):
    """The connection is to be closed without an answer."""


class Application:
    """The proxy.

    Args:
        settings: What it was told.
        recorder: The door.
        upstream: Where calls go.
        keeper: What they are signed with.
        operations: Counts, and the pages about the sidecar itself.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        recorder: Recorder,
        upstream: Upstream,
        keeper: Keeper,
        operations: Operations,
    ) -> None:
        self._settings = settings
        self._gate = Gate(settings)
        self._upstream = upstream
        self._keeper = keeper
        self._operations = operations
        self._signer = Signer()
        self._verifier = Verifier(settings.keys) if settings.keys is not None else None
        self._tenant_header = settings.tenant_header.encode()
        self._recorder = recorder
        self._under_way = 0
        self.calls = Calls(recorder)

    @property
    def under_way(self) -> int:
        """Calls that are being forwarded."""
        return self._under_way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            if scope["method"] == "GET" and self._operations.has(scope["path"]):
                ours = self._gate.host_is_ours(headers)
                await self._operations.page(scope, headers, send, host_is_ours=ours)
                return
            await self._serve(scope, headers, receive, send)
        except _CutError:
            scope["transport"].abort()
        except Exception as error:  # noqa: BLE001 - the sidecar stays up whatever happens
            logger().error("sidecar.internal_error", error_type=type(error).__name__)
            self._operations.refused("InternalError")
            scope["transport"].abort()

    async def _serve(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        try:
            wire = self._gate.operation(scope, headers)
        except ApiError as error:
            # What is refused is not read either: the connection ends with the answer.
            await self._refuse(send, error, close=True)
            return
        try:
            body = await self._read(receive)
            if len(body) > _MANY_BYTES:
                _check_size(body, scope["headers"])
            if self._verifier is not None:
                named = {name.decode("latin-1"): v.decode("latin-1") for name, v in headers.items()}
                self._verifier.check("POST", scope["raw_path"].decode("latin-1"), named, body)
            self._count_in()
            try:
                await self._forward(wire, scope, headers, body, send)
            finally:
                self._under_way -= 1
        except ApiError as error:
            await self._refuse(send, error)

    def _count_in(self) -> None:
        if self._under_way >= self._settings.max_calls:
            raise ApiError(
                "ServiceUnavailableError",
                f"The sidecar has {self._under_way} calls under way, which is its limit",
            )
        self._under_way += 1

    async def _read(self, receive: Receive) -> bytes:
        """The body; read to its end even where it is too long, so that the answer is heard.

        Raises:
            ApiError: It is too long.
            _CutError: The client went away, or does not stop.
        """
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            body: bytes = message["body"]
            return body
        parts: list[bytes] = []
        total = 0
        while message["type"] == "http.request":
            part = message.get("body", b"")
            total += len(part)
            if total <= REQUEST_MAX_BYTES:
                parts.append(part)
            if not message.get("more_body"):
                if total > REQUEST_MAX_BYTES:
                    raise too_large(total)
                return b"".join(parts)
            if total > 2 * REQUEST_MAX_BYTES:
                break
            message = await receive()
        self._operations.refused(_GONE)
        raise _CutError

    async def _forward(
        self,
        wire: Operation,
        scope: Scope,
        headers: dict[bytes, bytes],
        body: bytes,
        send: Send,
    ) -> None:
        params = self._gate.parameters(wire, body)
        endpoint = self._upstream.endpoint((params or {}).get(wire.cluster_member))
        key = self._keeper.key or await self._keeper.first(_FIRST_CREDENTIALS_S)
        if key is None:
            # Never unsigned: AWS would blame the request for what the sidecar lacks.
            raise ApiError("ServiceUnavailableError", "The sidecar has no AWS credentials")
        digest = hashlib.sha256(body).hexdigest()
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        onward = passed_on(headers)
        onward.append(("Host", endpoint.host))
        if content_type:
            onward.append(("Content-Type", content_type))
        if not self._upstream.is_aws:
            onward.append((MARK, "1"))
        onward += self._signer.sign(
            key,
            region=endpoint.region,
            host=endpoint.host,
            path=wire.path,
            content_type=content_type,
            digest=digest,
        )
        attempt = Attempt(
            wire.name,
            params or {},
            len(body),
            digest,
            self._tenant(headers),
            headers.get(b"amz-sdk-invocation-id", b""),
            headers.get(b"amz-sdk-request", b""),
        )
        call = self._start(attempt, headers)
        started_ns = monotonic_ns()
        try:
            answer = await self._upstream.send(endpoint, wire.path, onward, body)
        except UpstreamError as error:
            self._end_unanswered(call, attempt, error.outcome)
            raise self._as_answer(error.outcome, endpoint.host) from None
        except asyncio.CancelledError:
            self._end_unanswered(call, attempt, _GONE)
            raise
        ended_ns = monotonic_ns()
        await _hand_back(scope["transport"], send, answer)
        # After the answer is on its way: what follows costs its caller nothing.
        asyncio.get_running_loop().call_soon(self._end, call, attempt, answer, started_ns, ended_ns)

    def _tenant(self, headers: dict[bytes, bytes]) -> str:
        if not self._tenant_header:
            return ""
        value = headers.get(self._tenant_header, b"").strip()
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("latin-1")

    def _start(self, attempt: Attempt, headers: dict[bytes, bytes]) -> Open | None:
        """Open the call at the door; None where somebody else records it.

        Raises:
            ApiError: `strict` refuses it.
        """
        if _MARK in headers and not self._settings.count_marked:
            self._operations.marked += 1
            return None
        try:
            return self.calls.start(attempt)
        except TenantRefusedError as error:
            raise ApiError("ForbiddenException", str(error)) from None
        except Exception as error:  # noqa: BLE001 - our bug must not fail their query
            self._recorder.failed(error, "sidecar start")
            return None

    def _end(
        self,
        call: Open | None,
        attempt: Attempt,
        answer: Answer,
        started_ns: int,
        ended_ns: int,
    ) -> None:
        try:
            code = ""
            if call is not None:
                result = result_of(answer, ended_ns)
                code = result.outcome
                self.calls.end(call, result, attempt)
            if answer.status == 403 and (call is None or code in REFUSALS):  # noqa: PLR2004
                self._keeper.refused()
            self._operations.forwarded(attempt.operation, answer.status)
            if self._settings.log_calls:
                logger().info(
                    "sidecar.call",
                    operation=attempt.operation,
                    status=answer.status,
                    outcome=code or None,
                    request_bytes=attempt.request_bytes,
                    response_bytes=len(answer.body),
                    duration_ms=round((ended_ns - started_ns) / 1e6, 3),
                    request_id=answer.header(b"x-amzn-requestid")[:64] or None,
                )
        except Exception as error:  # noqa: BLE001 - our bug must not fail their query
            self._recorder.failed(error, "sidecar end")

    def _end_unanswered(self, call: Open | None, attempt: Attempt, outcome: str) -> None:
        self._operations.unanswered(attempt.operation, outcome)
        if call is not None:
            try:
                self.calls.end(call, unanswered(outcome), attempt)
            except Exception as error:  # noqa: BLE001 - our bug must not fail their query
                self._recorder.failed(error, "sidecar end")

    def _as_answer(self, outcome: str, host: str) -> Exception:
        if outcome == UNREACHED:
            return ApiError("ServiceUnavailableError", f"The sidecar cannot reach {host}")
        if outcome == TIMED_OUT:
            return ApiError(
                "ServiceUnavailableError",
                f"{host} gave no answer in {self._settings.upstream_timeout_s:g} s",
                status=504,
            )
        return _CutError()

    async def _refuse(self, send: Send, error: ApiError, *, close: bool = False) -> None:
        """An answer of the sidecar's own, in the Data API's form."""
        self._operations.refused(error.code)
        body = json.dumps({"message": error.message}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-amzn-errortype", error.code.encode()),
        ]
        if close:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _hand_back(transport: Cork, send: Send, answer: Answer) -> None:
    """Send the answer on, in one piece."""
    headers = handed_back(answer)
    transport.hold()
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
    finally:
        transport.release()


def _check_size(body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Headers count in the limit too (AWS, Data API limitations)."""
    total = len(body) + sum(len(name) + len(value) for name, value in headers)
    if total > REQUEST_MAX_BYTES:
        raise too_large(total)
