"""Servers and task runners whose processes end in another way than Python's own, each by its hook.

| runner | how its processes end | what is used |
|---|---|---|
| Celery's prefork pool | `os._exit`, after a signal of Celery's | `worker_process_shutdown` |
| billiard, huey's processes | `os._exit` in a forked child | `life.before_hard_exit` |
| RQ | `os._exit` in a child that is forked before the job's module is loaded | the same, at once |
| uvicorn | raises SIGTERM again, by its default | the server's own `shutdown`, the last before |

Nothing is imported here that the application has not loaded.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable
from typing import Any

from tenantmetrics.life import deliver_at_hard_exit

__all__ = ["hook_in"]

_NAME = "tenantmetrics"


def hook_in(deliver: Callable[[], object], on_start: Callable[[], object]) -> None:
    """Have something called before a process of the runner ends; again and again is once.

    Args:
        deliver: Called on the runner's own thread; returns within the time that exit may take.
        on_start: Called in a new process of a pool, once it has set its signals' handlers.
    """
    # A runner of another version may look different: its own work goes on in any case.
    with contextlib.suppress(Exception):
        _celery(deliver, on_start)
    with contextlib.suppress(Exception):
        _uvicorn(deliver)
    with contextlib.suppress(Exception):
        _rq()


def _celery(deliver: Callable[[], object], on_start: Callable[[], object]) -> None:
    signals: Any = sys.modules.get("celery.signals")
    if signals is None:
        return
    signals.worker_process_shutdown.connect(
        lambda **_: deliver(), weak=False, dispatch_uid=f"{_NAME}.shutdown"
    )
    signals.worker_process_init.connect(
        lambda **_: on_start(), weak=False, dispatch_uid=f"{_NAME}.init"
    )


def _rq() -> None:
    """A job's process loads the job, and us, after the fork: there was nobody to be told of it."""
    rq: Any = sys.modules.get("rq")
    if rq is not None and rq.get_current_job() is not None:
        deliver_at_hard_exit()


def _uvicorn(deliver: Callable[[], object]) -> None:
    server: Any = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    if not type(server).__module__.startswith("uvicorn.") or hasattr(server, _NAME):
        return
    original = server.shutdown

    async def shutdown(*args: Any, **kwargs: Any) -> None:
        try:
            await original(*args, **kwargs)
        finally:
            import asyncio  # noqa: PLC0415 - uvicorn has loaded it

            # Every request is answered and the lifespan is over: no call comes after this.
            await asyncio.to_thread(deliver)

    server.shutdown = shutdown
    setattr(server, _NAME, True)
