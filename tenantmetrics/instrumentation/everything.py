"""Every `rds-data` client of the process from now on, whoever makes it: boto3, aioboto3, libraries.

botocore calls initializers (`botocore.register_initializer`) for each session that is made, also
those of boto3, aiobotocore and aioboto3. Sessions that are there already are looked for once,
among the objects of the process. A session hands its handlers on to its clients; each handler has a
name of its own, so nothing is ever metered twice.
"""

from __future__ import annotations

import contextlib
import gc
from typing import Any
from weakref import WeakSet

import botocore
import botocore.session

from tenantmetrics.capture.recorder import recorder
from tenantmetrics.instrumentation.botocore import BotocoreInstrumentation, unregister

__all__ = ["start", "stop"]

_sessions: WeakSet[botocore.session.Session] = WeakSet()


def start() -> None:
    """Meter the clients of all sessions; a second time changes nothing."""
    if not _is_on():
        botocore.register_initializer(_instrument)
    for found in gc.get_objects():
        if isinstance(type(found), type) and issubclass(type(found), botocore.session.Session):
            _instrument(found)


def stop() -> None:
    """Undo `start`. Clients that were made in between stay metered: each has events of its own."""
    with contextlib.suppress(ValueError):  # it was not on
        botocore.unregister_initializer(_instrument)
    for session in list(_sessions):
        unregister(session.get_component("event_emitter"))
    _sessions.clear()


def _is_on() -> bool:
    try:
        botocore.unregister_initializer(_instrument)
    except ValueError:
        return False
    botocore.register_initializer(_instrument)
    return True


def _instrument(session: Any) -> None:
    """Runs inside somebody's making of a session: what fails here is counted."""
    try:
        if session not in _sessions:
            BotocoreInstrumentation(recorder).register(session.get_component("event_emitter"))
            _sessions.add(session)
    except Exception as error:  # noqa: BLE001 - our bug must not fail their session
        recorder.failed(error, "session")
