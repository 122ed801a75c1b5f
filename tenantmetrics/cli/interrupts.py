"""Ctrl-C on the command line: no traceback while it loads, and none that Python loses."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

__all__ = ["at_once", "never_lost"]

_AGAIN_S = 0.01
"""Until a lost Ctrl-C comes again: by then the code that lost it is mostly left."""


@contextmanager
def at_once() -> Iterator[None]:
    """Let Ctrl-C end the process as the system does, without Python: nothing has begun yet.

    Modules are loaded in it. A `KeyboardInterrupt` there would show the user an import's traceback.
    """
    replace = (
        threading.current_thread() is threading.main_thread()
        # Not where it is ignored, as in the background of a shell, or somebody's own.
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if replace:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        if replace:
            signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def never_lost() -> Iterator[None]:
    """Raise `KeyboardInterrupt` again where Python dropped it.

    A signal may come while Python runs a destructor or a weak reference's callback, as it does
    after each import. What is raised there goes nowhere ("Exception ignored in …"), and the command
    would go on as if nobody had pressed Ctrl-C.
    """
    before = sys.unraisablehook

    def again(lost: UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            before(lost)
        elif not sys.is_finalizing():
            # Not from here: this is still inside of what drops exceptions.
            timer = threading.Timer(_AGAIN_S, _interrupt)
            timer.daemon = True
            timer.start()

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = before


def _interrupt() -> None:
    """Send the main thread a SIGINT; a real one, for that ends a wait as well."""
    ident = threading.main_thread().ident
    if ident is not None:
        signal.pthread_kill(ident, signal.SIGINT)
