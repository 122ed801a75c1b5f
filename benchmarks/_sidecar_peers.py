"""`python -m benchmarks._sidecar_peers upstream | bare URL`: what the sidecar is measured beside.

`upstream` answers every POST at once. `bare` is the least that uvicorn and aiohttp can do: the
body in, the same body out, the answer back; nothing signed, judged or recorded. Both print a port.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

import aiohttp
import httptools
import uvicorn
import uvloop
from yarl import URL

BODY = b'{"numberOfRecordsUpdated":0,"records":[[{"longValue":1},{"stringValue":"a guest"}]]}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-amzn-RequestId: 1-2-3\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


class Upstream(asyncio.Protocol):
    """Answers as soon as a request is there."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.transport.write(ANSWER)


class Bare:
    """A pass-through and nothing else."""

    def __init__(self, upstream: str) -> None:
        self.urls = {b"/Execute": URL(f"{upstream}/Execute", encoded=True)}
        self.session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.session is None:
            self.session = aiohttp.ClientSession(
                auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        message = await receive()
        body = message["body"]
        while message["more_body"]:
            message = await receive()
            body += message["body"]
        headers = [
            (name.decode(), value.decode())
            for name, value in scope["headers"]
            if name not in {b"host", b"content-length", b"connection"}
        ]
        url = self.urls[scope["raw_path"]]
        async with self.session.post(url, data=body, headers=headers) as answer:
            content = await answer.read()
            await send(
                {
                    "type": "http.response.start",
                    "status": answer.status,
                    "headers": list(answer.raw_headers),
                }
            )
        await send({"type": "http.response.body", "body": content})


async def upstream() -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    if sys.argv[1] == "upstream":
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(upstream())
        return
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        Bare(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
    )
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
