"""The life of a process: its copies, normal exit, multiprocessing's children, SIGTERM.

- Interpreter exit, `sys.exit` and an exception that nobody caught end in `atexit`. Threads that are
  no daemons are joined before that, so what they record is delivered too.
- A child of multiprocessing ends in `os._exit` and runs no `atexit`, only multiprocessing's own
  finalizers; those are emptied after the fork and filled again here.
- SIGTERM's default kills at once. Where nobody handles it, it delivers first and then dies by the
  same signal, so that whoever waits for the process sees what it expects.
- uWSGI forks without telling Python, unless it is configured to: its own hook is used as well.
- Lambda's SnapStart starts many sandboxes from one snapshot of the memory after init.
- A forked child of a pool (billiard, RQ, huey) ends in `os._exit`, which runs nothing at all. In
  forked children of a process that meters, `os._exit` delivers first, as coverage.py has it write
  its data first. Elsewhere `os._exit` is what it was: whoever calls it there wants to be gone.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn

__all__ = [
    "around_snapshot",
    "at_exit",
    "before_hard_exit",
    "deliver_at_hard_exit",
    "in_children",
    "on_sigterm",
    "unforked",
]

_FINALIZER_PRIORITY = -100
"""Negative: after multiprocessing has joined the children, so that a parent delivers last."""

_TURN_S = 1e-4
"""Seconds after which a busy thread hands the interpreter over while the process is ending.

Python's own is 5 ms. A delivery gives the interpreter away hundreds of times (each file, each
column) and waits for it behind every thread that still works: with four of those it took more than
20 seconds, and the deadline was over before anything was written.
"""


def in_children(callback: Callable[[], None]) -> None:
    """Have something called in every child that is forked from this process, first thing.

    Args:
        callback: May be called twice in a child.
    """
    os.register_at_fork(after_in_child=callback)
    uwsgi = sys.modules.get("uwsgi")  # there only inside uWSGI
    if uwsgi is None:
        return
    earlier = getattr(uwsgi, "post_fork_hook", None)
    try:
        import uwsgidecorators  # noqa: PLC0415
    except Exception:  # noqa: BLE001 - not shipped, or there is no master

        def both() -> None:
            if earlier is not None:
                earlier()
            callback()

        uwsgi.post_fork_hook = both  # type: ignore[attr-defined]
        return
    if earlier not in {None, uwsgidecorators.postfork_chain_hook}:
        uwsgidecorators.postfork(earlier)  # importing it has put its own hook in that one's place
    uwsgidecorators.postfork(callback)


class _Unforked:
    """A block during which nobody forks: a fork waits until it is over.

    For every import that does not come with the first client: on a thread of the application's, or
    of ours. A child that is forked in the middle of it would wait for ever, as soon as it needs the
    module, for a thread that it does not have. Not to be held while a network is waited for.
    """

    def __init__(self) -> None:
        # For an import that forks by itself.
        self._lock = threading.RLock()
        os.register_at_fork(
            before=self._lock.acquire,
            after_in_parent=self._lock.release,
            after_in_child=self._lock.release,
        )

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @property
    def is_held(self) -> bool:
        """Whether the calling thread is inside the block."""
        return self._lock._is_owned()  # type: ignore[attr-defined,no-any-return] # noqa: SLF001


unforked = _Unforked()
"""The process's own: one, so that two blocks cannot wait for each other."""


def around_snapshot(before: Callable[[], object], after: Callable[[], object]) -> None:
    """Have something called around the snapshot of Lambda's SnapStart; elsewhere nothing happens.

    Args:
        before: Called once, before the memory is copied.
        after: Called in every sandbox that starts from the copy.
    """
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
        return
    with contextlib.suppress(ImportError):  # in Lambda's own Python runtimes it is there
        import snapshot_restore_py  # noqa: PLC0415

        snapshot_restore_py.register_before_snapshot(before)
        snapshot_restore_py.register_after_restore(after)


def at_exit(callback: Callable[[], None]) -> Callable[[], None]:
    """Have something called when the process ends by itself, in every kind of process.

    Args:
        callback: Called once or more; must bear being called again.

    Returns:
        A function that takes it back.
    """
    # boto3's s3transfer has loaded it: no time is lost here.
    from multiprocessing import util  # noqa: PLC0415 - for whoever runs without s3transfer

    def last() -> None:
        with _short_turns():  # daemon threads go on
            callback()

    registration = _Registration(last, util)
    atexit.register(last)
    registration.finalize()
    util.register_after_fork(registration, _Registration.finalize)
    return registration.cancel


class _HardExit:
    """What `os._exit` is in a forked child."""

    def __init__(self) -> None:
        self.deliver: Callable[[], object] | None = None
        self.timeout_s: Callable[[], float] = float
        self._exit = os._exit

    def install(self) -> None:
        """Take the place of `os._exit` in this child, and in its children."""
        if self.deliver is not None and os._exit is not _exit_after_delivery:
            self._exit = os._exit
            os._exit = _exit_after_delivery

    def __call__(self, status: int) -> NoReturn:
        try:
            if self.deliver is not None:
                _within_deadline(self.deliver, self.timeout_s())
        finally:
            self._exit(status)


_hard_exit = _HardExit()


def _exit_after_delivery(status: int) -> NoReturn:
    """`os._exit`, once what this child recorded is delivered."""
    _hard_exit(status)


def before_hard_exit(deliver: Callable[[], object], timeout_s: Callable[[], float]) -> None:
    """Have something called in forked children before `os._exit` ends them.

    Args:
        deliver: Called on a thread of its own; should return at once where nothing was recorded.
        timeout_s: Gives the seconds that it is waited for.
    """
    first = _hard_exit.deliver is None
    _hard_exit.deliver, _hard_exit.timeout_s = deliver, timeout_s
    if first:
        os.register_at_fork(after_in_child=_hard_exit.install)


def deliver_at_hard_exit() -> None:
    """Have what `before_hard_exit` says hold in this process: a child forked before we were loaded.

    Where nothing was registered yet, it holds as soon as there is.
    """
    _hard_exit.install()


class _Registration:
    """A finalizer of multiprocessing, made anew in each forked child; known weakly to it."""

    def __init__(self, callback: Callable[[], None], util: Any) -> None:
        self._callback = callback
        self._util = util
        self._finalizer: Any = None
        self._cancelled = False

    def finalize(self) -> None:
        if not self._cancelled:
            self._finalizer = self._util.Finalize(
                None, self._callback, exitpriority=_FINALIZER_PRIORITY
            )

    def cancel(self) -> None:
        self._cancelled = True
        atexit.unregister(self._callback)
        if self._finalizer is not None:
            self._finalizer.cancel()


class _Delivery:
    """What SIGTERM does; one for the process, as there is one handler."""

    def __init__(self) -> None:
        self.deliver: Callable[[], object] | None = None
        self.timeout_s = 0.0
        self.previous: Any = signal.SIG_DFL


_delivery = _Delivery()


def on_sigterm(mode: str, deliver: Callable[[], object], timeout_s: float) -> bool:
    """Deliver on SIGTERM before the process ends.

    Args:
        mode: "default": only where SIGTERM has its default disposition; a handler that the
            application installed is not replaced. "chain": always, and then call what was there.
            "off": never.
        deliver: Called on a thread of its own.
        timeout_s: Seconds that it is waited for.

    Returns:
        Whether our handler is in place. Outside the main thread none can be installed.
    """
    found = signal.getsignal(signal.SIGTERM)
    if mode == "off" or os.name != "posix":
        _delivery.deliver = None
        if found is _handle:
            with contextlib.suppress(ValueError):  # not the main thread: it delivers nothing now
                signal.signal(signal.SIGTERM, _delivery.previous)
        return False
    _delivery.deliver = deliver
    _delivery.timeout_s = timeout_s
    if found is _handle:
        return True
    if mode == "default" and found is not signal.SIG_DFL:
        return False
    try:
        signal.signal(signal.SIGTERM, _handle)
    except ValueError:  # not the main thread
        return False
    _delivery.previous = found
    return True


def _handle(signum: int, frame: FrameType | None) -> None:
    if _delivery.deliver is not None:
        _within_deadline(_delivery.deliver, _delivery.timeout_s)
    if callable(_delivery.previous):
        _delivery.previous(signum, frame)
    elif _delivery.previous is not signal.SIG_IGN:
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)


def _within_deadline(deliver: Callable[[], object], timeout_s: float) -> None:
    """Deliver on another thread: this one may have been interrupted while it held a lock."""
    thread = threading.Thread(target=deliver, name="tenantmetrics-sigterm", daemon=True)
    with _short_turns():
        try:
            thread.start()
        except RuntimeError:
            return  # the system's limit of threads: better to die as told than to hang
        thread.join(timeout_s)


@contextlib.contextmanager
def _short_turns() -> Iterator[None]:
    """Let a delivery at the end get its turn in time, however busy the other threads are."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(min(usual_s, _TURN_S))
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)
