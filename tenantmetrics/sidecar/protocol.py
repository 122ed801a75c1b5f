"""uvicorn's protocol with httptools, and the bounds that it leaves to whoever stands in front.

A connection past `max_connections` is closed at once; one whose request has not come in whole in
time is closed; headers may have `HEADERS_MAX_BYTES`. What is no HTTP/1.1 (two lengths, a length
and chunks, control characters) llhttp refuses, and nothing that came after it is read.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tenantmetrics.cork import Cork

__all__ = ["HEADERS_MAX_BYTES", "Connection", "end_late", "protocol_for"]

HEADERS_MAX_BYTES = 64 * 1024
"""Of headers that have not ended. SDKs send 1 to 3 KB, most of it a session token."""

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class Connection(HttpToolsProtocol):
    """One client's connection.

    Attributes:
        max_connections: How many there may be.
        unfinished_since: The loop's time since which a request is awaited whole; 0 where the
            client may be idle.
    """

    max_connections = 1_024

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # httptools is told by uvicorn to pass over what follows a request that closes: here
        # nothing of the kind is passed over.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)
        self.unfinished_since = 0.0
        self._in_headers = True
        self._header_bytes = 0

    def connection_made(self, transport: Any) -> None:
        """A client has connected."""
        super().connection_made(Cork(transport, self.loop))  # type: ignore[arg-type]
        self.unfinished_since = self.loop.time()
        if len(self.connections) > self.max_connections:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what the client has sent."""
        if self.transport.is_closing():
            return
        HttpToolsProtocol.data_received(self, data)
        if self._in_headers:
            self._header_bytes += len(data)
            if self._header_bytes > HEADERS_MAX_BYTES and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        HttpToolsProtocol.on_message_begin(self)
        self._in_headers = True
        self._header_bytes = 0
        self.unfinished_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """The headers are there."""
        self._in_headers = False
        if not self.url.startswith(b"/"):
            self.scope["absolute"] = True  # type: ignore[typeddict-unknown-key]
        HttpToolsProtocol.on_headers_complete(self)
        # What follows chunks is no header, and must not stand in for one.
        self.headers = []
        # For whoever has to end a connection without an answer.
        self.scope["transport"] = self.transport  # type: ignore[typeddict-unknown-key]

    def on_message_complete(self) -> None:
        """The last byte of a request."""
        HttpToolsProtocol.on_message_complete(self)
        self.unfinished_since = 0.0
        self._in_headers = False

    def end_if_late(self, before: float) -> None:
        """Close where a request should have been there by now.

        Args:
            before: The loop's time before which it must have begun to be closed.
        """
        if 0 < self.unfinished_since < before and not self.transport.is_closing():
            self.transport.abort()


def protocol_for(max_connections: int) -> type[Connection]:
    """The protocol of one server.

    Args:
        max_connections: Connections that it takes.
    """
    return type("Connection", (Connection,), {"max_connections": max_connections})


def end_late(connections: set[Any], loop: asyncio.AbstractEventLoop, timeout_s: float) -> None:
    """Close the connections whose request takes too long to come in.

    Args:
        connections: The server's.
        loop: Whose clock.
        timeout_s: Seconds that a request may take.
    """
    before = loop.time() - timeout_s
    for connection in list(connections):
        connection.end_if_late(before)
