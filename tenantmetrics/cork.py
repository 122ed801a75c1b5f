"""A transport that sends what is written in one turn of the event loop in one piece."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["Cork"]


class Cork:
    """Put around a transport before a protocol gets it.

    uvicorn writes headers and body one after the other; as two segments they cost a client with
    delayed acknowledgements 40 ms a call.

    Args:
        transport: What sends.
        loop: The loop that it belongs to.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._held = False
        # Asked several times a request: the look-up through `__getattr__` costs ten times as much.
        self.is_closing = transport.is_closing
        self.get_extra_info = transport.get_extra_info

    def write(self, data: bytes) -> None:
        """Put by; sent at the end of this turn, or when `release` is called after `hold`."""
        if not self._parts and not self._held:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def hold(self) -> None:
        """Put by what is written until `release`: who knows its last part need not wait a turn."""
        self._held = True

    def release(self) -> None:
        """Send what is put by."""
        self._held = False
        self._flush()

    def close(self) -> None:
        """Send what is put by, then close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
