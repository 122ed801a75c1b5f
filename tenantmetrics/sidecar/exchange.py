"""One request and its answer on a connection of aiohttp's pool, with aiohttp's writer and parser.

`aiohttp.ClientSession` does more a request than a proxy has use for: cookies, redirects, a timer, a
task that writes the body, a URL that is taken apart, two dictionaries of headers. Without them a
request takes half of the processor's time (27 µs for 58 µs of the client's own). What speaks HTTP
and what keeps connections is aiohttp's all the same: pool, writer, parser.

It is for bodies that are written at once. A longer one has to be written while the answer is
awaited, since the endpoint may refuse it half-way: that is `ClientSession`'s to do.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError, StreamWriter
from multidict import CIMultiDict
from yarl import URL

from tenantmetrics.sidecar.answers import Answer

__all__ = ["ANSWER_MAX_BYTES", "AT_ONCE_BYTES", "Exchange", "Plain"]

AT_ONCE_BYTES = 48 * 1024
"""Longest body that is written at once: aiohttp's writer waits for the other side after 64 KB."""
ANSWER_MAX_BYTES = 16 * 1024 * 1024
"""Ten times what the Data API sends (1 MiB of records, and their JSON): no endpoint fills the
memory."""
_SWITCHING_PROTOCOLS = 101
_FINAL = 200


class Plain(aiohttp.ClientRequest):
    """A request without the headers that aiohttp adds to every one."""

    DEFAULT_HEADERS: ClassVar[dict[Any, Any]] = {}  # type: ignore[misc]  # a constant there too


class Exchange:
    """Sends requests on a session's connections.

    Args:
        session: Whose pool is used; open, and without a proxy to go through.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        connector = session.connector
        assert connector is not None  # noqa: S101 - an open session has one
        self._connector = connector
        self._session = session
        self._timeout = session.timeout
        self._loop = asyncio.get_running_loop()
        # What the pool is asked with, by scheme, host and port: it does not change.
        self._ways: dict[str, aiohttp.ClientRequest] = {}

    async def send(
        self, url: URL, path: str, headers: list[tuple[str, str]], body: bytes
    ) -> Answer:
        """Send a request once and read its answer whole.

        Args:
            url: Where to.
            path: Its path, as it is sent.
            headers: All that it is to have beside Content-Length.
            body: At most `AT_ONCE_BYTES`.

        Raises:
            aiohttp.ClientConnectorError: Nobody takes connections there.
            aiohttp.ConnectionTimeoutError: Nobody did in time.
            aiohttp.ClientError: The connection ended before there was an answer, or what came was
                no HTTP, or more than `ANSWER_MAX_BYTES`.
        """
        try:
            connection = await self._connector.connect(self._way(url), [], self._timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        try:
            answer = await _exchanged(connection.protocol, self._loop, path, headers, body)
        except BaseException:
            connection.close()
            raise
        # Back into the pool, or closed where the endpoint wants that.
        connection.release()
        return answer

    def _way(self, url: URL) -> aiohttp.ClientRequest:
        way = self._ways.get(url.authority)
        if way is None:
            way = Plain("POST", url, loop=self._loop, session=self._session)
            self._ways[url.authority] = way
        return way


async def _exchanged(
    protocol: ResponseHandler | None,
    loop: asyncio.AbstractEventLoop,
    path: str,
    headers: list[tuple[str, str]],
    body: bytes,
) -> Answer:
    if protocol is None:
        raise aiohttp.ServerDisconnectedError
    protocol.set_response_params(read_until_eof=True, auto_decompress=False)
    writer = StreamWriter(protocol, loop)
    named = CIMultiDict(headers)
    named["Content-Length"] = str(len(body))
    try:
        await writer.write_headers(f"POST {path} HTTP/1.1", named)
        await writer.write(body)
        await writer.write_eof()
        while True:
            message, content = await protocol.read()
            if message.code >= _FINAL:
                break
            if message.code == _SWITCHING_PROTOCOLS:
                raise aiohttp.ServerDisconnectedError
        if content.is_eof() and content.total_bytes <= ANSWER_MAX_BYTES:
            answer = content.read_nowait()  # all of it came with the headers, as most do
        else:
            answer = await whole(content)
    except HttpProcessingError as error:
        raise aiohttp.ClientPayloadError from error
    return Answer(message.code, message.raw_headers, answer)


async def whole(content: aiohttp.StreamReader) -> bytes:
    """An answer's body.

    Raises:
        aiohttp.ClientPayloadError: It has more than `ANSWER_MAX_BYTES`, or ends too early.
    """
    parts, total = [], 0
    async for part in content.iter_any():
        parts.append(part)
        total += len(part)
        if total > ANSWER_MAX_BYTES:
            raise aiohttp.ClientPayloadError("too long")
    return b"".join(parts)
