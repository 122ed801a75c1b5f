"""A socket, an event loop on a thread of its own, and uvicorn on it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import uvicorn

from tenantmetrics.errors import LocalApiError
from tenantmetrics.localapi.app import Application, protocol_for
from tenantmetrics.localapi.service import Service
from tenantmetrics.loopback import is_loopback

__all__ = ["START_S", "listen", "loop_on_thread", "serving"]

START_S = 30.0
"""Seconds that anything may take to start or to end."""

_MAX_PORT = 65_535
_PORT_ERRORS = {errno.EADDRINUSE, errno.EACCES}
_KEEP_ALIVE_S = 120
"""Longer than clients keep idle connections: whoever closes first must not be the server, or a
request sent at that moment is lost."""


@contextlib.contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """A bound socket.

    Args:
        host: Address to listen on.
        port: Port; 0 takes a free one.

    Raises:
        LocalApiError: Nobody can listen there.
    """
    if not 0 <= port <= _MAX_PORT:  # getaddrinfo would take it modulo 65,536
        raise LocalApiError(f"port {port}: must be 0 (any free one) to {_MAX_PORT}").about("port")
    with contextlib.ExitStack() as stack:
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except UnicodeError:
            raise LocalApiError(f"{host!r} is not a host name: choose another host").about(
                "host"
            ) from None
        except OSError as error:
            other = "port" if error.errno in _PORT_ERRORS else "host"
            raise LocalApiError(
                f"cannot listen on {host} port {port}: {error.strerror}; choose another {other}"
            ).about(other) from None
        _refuse_unreachable(family, listener.getsockname())
        # Outside the try: what the caller's block raises is not about listening.
        yield listener


def _refuse_unreachable(family: int, address: tuple[str, int]) -> None:
    """In a network namespace without its loopback interface one can listen, and nobody connect.

    Connecting a datagram's socket sends nothing: it asks for the route only.
    """
    if not is_loopback(address[0]):
        return
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(address)
        except OSError as error:
            raise LocalApiError(
                f"nothing on this machine can connect to {address[0]} ({error.strerror}): bring "
                "the loopback interface up, such as with `ip link set lo up`"
            ) from None


@contextlib.contextmanager
def loop_on_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop running on a thread of its own; uvloop's where it is installed."""
    try:
        import uvloop  # noqa: PLC0415 - an optional speed-up
    except ImportError:
        loop = asyncio.new_event_loop()
    else:
        loop = uvloop.new_event_loop()
    thread = threading.Thread(target=_run_loop, args=(loop,), name="rds-data", daemon=True)
    thread.start()
    owner = os.getpid()
    try:
        yield loop
    finally:
        # A forked child has no such thread, and its parent still needs the loop's sockets.
        if os.getpid() == owner:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())


@contextlib.contextmanager
def serving(
    application: Application,
    service: Service,
    listener: socket.socket,
    loop: asyncio.AbstractEventLoop,
    reap_every_s: float,
) -> Iterator[None]:
    """Uvicorn and the reaper, running on the loop.

    Args:
        application: What answers.
        service: What is reaped.
        listener: The socket.
        loop: From `loop_on_thread`.
        reap_every_s: Seconds between looks for expired transactions.
    """
    server = uvicorn.Server(
        uvicorn.Config(
            application,
            http=protocol_for(application),
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=_KEEP_ALIVE_S,
            backlog=2048,
        ),
    )
    server.config.load()
    started: Future[None] = Future()

    async def run() -> None:
        # Beneath `Server.serve`, which would take over the process's signal handlers.
        reaper = asyncio.create_task(_reap(service, reap_every_s))
        try:
            server.lifespan = server.config.lifespan_class(server.config)
            await server.startup(sockets=[listener])
            started.set_result(None)
            await server.main_loop()
            application.stop()
            await server.shutdown(sockets=[listener])
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise
        finally:
            reaper.cancel()
            await service.close()

    owner = os.getpid()
    running = asyncio.run_coroutine_threadsafe(run(), loop)
    try:
        started.result(START_S)
        yield
    finally:
        if os.getpid() == owner:
            server.should_exit = True
            with contextlib.suppress(TimeoutError):
                running.result(START_S)


async def _reap(service: Service, every_s: float) -> None:
    """Look for expired transactions until cancelled."""
    while True:
        await asyncio.sleep(every_s)
        await service.reap()
