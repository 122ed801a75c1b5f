"""Start, serve, drain, flush: a sidecar's life.

On SIGTERM it goes on serving, new connections included, until no client has been connected for
`QUIET_S`, or the grace period is over: an application that is told to stop at the same moment still
has its database. Then it lets go of the port, waits for what is under way, and exports. A second
signal ends the grace period.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn

from tenantmetrics.capture.recorder import Recorder
from tenantmetrics.errors import ConfigError
from tenantmetrics.logs import logger
from tenantmetrics.sidecar.app import Application
from tenantmetrics.sidecar.credentials import Keeper
from tenantmetrics.sidecar.operations import Operations
from tenantmetrics.sidecar.protocol import end_late, protocol_for
from tenantmetrics.sidecar.settings import Settings
from tenantmetrics.sidecar.upstream import Upstream

__all__ = ["Sidecar", "event_loop", "listening"]

QUIET_S = 1.0
"""How long nobody must have been connected: a client between two connections is still there."""
_KEEP_ALIVE_S = 120
"""Longer than SDKs keep idle connections: whoever closes first must not be the server, or a
request sent at that moment is lost."""
_TICK_S = 0.25
_BACKLOG = 2_048


def event_loop() -> asyncio.AbstractEventLoop:
    """A new event loop; uvloop's where it is installed."""
    try:
        import uvloop  # noqa: PLC0415 - an optional speed-up
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


@contextlib.contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """A bound socket, for as long as the block lasts.

    Args:
        settings: Where.

    Raises:
        ConfigError: It cannot be bound.
    """
    where = settings.uds or f"{settings.host} port {settings.port}"
    with contextlib.ExitStack() as stack:
        try:
            if settings.uds:
                _remove_dead_socket(settings.uds)
                listener = stack.enter_context(socket.socket(socket.AF_UNIX))
                # For this user alone, from the first moment on.
                mask = os.umask(0o177)
                try:
                    listener.bind(settings.uds)
                finally:
                    os.umask(mask)
                stack.callback(Path(settings.uds).unlink, missing_ok=True)
            else:
                found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
                family, _, _, _, address = found[0]
                listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(address)
        except OSError as error:
            raise ConfigError(f"cannot listen on {where}: {error.strerror or error}") from None
        yield listener


def _remove_dead_socket(path: str) -> None:
    """What a killed sidecar left behind; whatever is in use or no socket stays."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.stat(path).st_mode):  # noqa: PTH116 - a path or an error
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(path)
                except ConnectionRefusedError:
                    os.unlink(path)  # noqa: PTH108 - as above


class Sidecar:
    """One sidecar, to be made and run on its event loop.

    Args:
        settings: What it is told; checked already.
        recorder: The door.
        operations: Counts and pages.
        keeper: Its credentials.

    Raises:
        ConfigError: A region is unknown.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        recorder: Recorder,
        operations: Operations,
        keeper: Keeper | None = None,
    ) -> None:
        self._settings = settings
        self._keeper = keeper or Keeper()
        self._upstream = Upstream(settings)
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._operations = operations
        self.application = Application(
            settings,
            recorder=recorder,
            upstream=self._upstream,
            keeper=self._keeper,
            operations=operations,
        )
        self._server = uvicorn.Server(
            uvicorn.Config(
                self.application,
                http=protocol_for(settings.max_connections),
                lifespan="off",
                ws="none",
                interface="asgi3",
                log_config=None,
                log_level="critical",  # it would tell of every connection that is cut on purpose
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=round(settings.upstream_timeout_s) + 1,
                timeout_keep_alive=_KEEP_ALIVE_S,
                backlog=_BACKLOG,
            )
        )
        operations.connections = lambda: len(self._server.server_state.connections)
        operations.under_way = lambda: self.application.under_way
        operations.waiting = lambda: self.application.calls.waiting
        operations.has_credentials = lambda: self._keeper.key is not None
        operations.reachable = self._upstream.reachable

    def stop(self) -> None:
        """Ask for the end; a second time, for an end at once."""
        if self._stop.is_set():
            self._stop_now.set()
        self._stop.set()
        self._operations.draining = True

    async def run(self, listener: socket.socket, started: Callable[[], Any]) -> None:
        """Serve until stopped and drained.

        Args:
            listener: A bound socket.
            started: Called when requests are taken.
        """
        server = self._server
        await self._upstream.open()
        beside = [asyncio.create_task(self._keeper.run()), asyncio.create_task(self._keep_house())]
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        try:
            await server.startup(sockets=[listener])
            started()
            await self._serve()
            logger().info("sidecar.stopping", under_way=self.application.under_way)
            await server.shutdown(sockets=[listener])
            await asyncio.sleep(0)  # what answers have left to be recorded
        finally:
            for task in beside:
                task.cancel()
            self.application.calls.settle()
            await self._upstream.close()

    async def _keep_house(self) -> None:
        """What is to be done now and then, from the start to the last answer."""
        loop = asyncio.get_running_loop()
        connections: set[Any] = self._server.server_state.connections
        while True:
            end_late(connections, loop, self._settings.read_timeout_s)
            self._upstream.end_late()
            self.application.calls.expire()
            self._operations.watch()
            await asyncio.sleep(_TICK_S)

    async def _serve(self) -> None:
        """Wait for the stop, then for the last client or the end of the grace period."""
        loop = asyncio.get_running_loop()
        connections: set[Any] = self._server.server_state.connections
        await self._stop.wait()
        logger().info("sidecar.draining", connections=len(connections))
        deadline = loop.time() + self._settings.grace_s
        quiet_until = loop.time() + QUIET_S
        while not self._stop_now.is_set() and (now := loop.time()) < deadline:
            if connections:
                quiet_until = now + QUIET_S
            elif now >= quiet_until:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop_now.wait(), min(_TICK_S, deadline - now))
