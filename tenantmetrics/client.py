"""boto3's `rds-data` in, the very same client out, with our handlers on its public events.

Nothing is wrapped or patched: `isinstance`, `.exceptions`, `.meta`, paginators, Stubber and moto
see the client that botocore made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from tenantmetrics.capture.recorder import recorder
from tenantmetrics.errors import ConfigError
from tenantmetrics.instrumentation.botocore import BotocoreInstrumentation, unregister
from tenantmetrics.life import unforked
from tenantmetrics.process import current

if TYPE_CHECKING:
    import boto3

__all__ = ["client", "instrument", "uninstrument"]

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")

_EVERYTHING: Any = object()
"""No target was given. None is a mistake: `boto3.DEFAULT_SESSION` before the first client."""


def _typed_like(_: Callable[[], _F]) -> Callable[[Callable[..., Any]], _F]:
    """Give a function another's type, overloads included: boto3-stubs' knowledge stays."""
    return lambda function: cast("_F", function)


@_typed_like(lambda: boto3.client)
def client(*args: Any, **kwargs: Any) -> Any:
    """Make a client as `boto3.client` does; an `rds-data` client comes back instrumented.

    Args:
        *args: As for `boto3.client`.
        **kwargs: As for `boto3.client`.

    Returns:
        What boto3 returns: for "rds-data" with the metering handlers registered, for any other
        service untouched.
    """
    with unforked:
        import boto3  # noqa: PLC0415 - a quarter of a second, which the command line need not wait

    return instrument(boto3.client(*args, **kwargs))


@overload
def instrument() -> None: ...
@overload
def instrument(target: _T) -> _T: ...


def instrument(target: Any = _EVERYTHING) -> Any:
    """Meter an existing client, every client that a session will make, or every client at all.

    Without an argument it is every `rds-data` client that this process makes from now on, whoever
    makes it: boto3, botocore, aiobotocore, aioboto3. Twice is once. A client that was made by an
    instrumented session is instrumented already.

    Args:
        target: A boto3 client, a `boto3.Session` or a botocore session. A client of a service other
            than `rds-data` is returned untouched.

    Returns:
        The target itself; None without one.

    Raises:
        ConfigError: The target is neither a client nor a session.
    """
    if target is _EVERYTHING:
        from tenantmetrics.instrumentation import everything  # noqa: PLC0415 - where it is asked for

        current()
        everything.start()
        return None
    emitter = _emitter(target, "instrument")
    if emitter is not None:
        current()  # a wrong setting is told here and not at the first call
        BotocoreInstrumentation(recorder).register(emitter)
    return target


@overload
def uninstrument() -> None: ...
@overload
def uninstrument(target: _T) -> _T: ...


def uninstrument(target: Any = _EVERYTHING) -> Any:
    """Undo `instrument`; harmless where nothing was instrumented.

    Clients that a session made while it was instrumented stay instrumented: each has events of its
    own.

    Args:
        target: As for `instrument`.

    Returns:
        The target itself; None without one.

    Raises:
        ConfigError: The target is neither a client nor a session.
    """
    if target is _EVERYTHING:
        from tenantmetrics.instrumentation import everything  # noqa: PLC0415 - where it is asked for

        everything.stop()
        return None
    emitter = _emitter(target, "uninstrument")
    if emitter is not None:
        unregister(emitter)
    return target


def _emitter(target: Any, verb: str) -> Any:
    """The target's event emitter; None for a client of another service."""
    meta = getattr(target, "meta", None)
    events = getattr(meta, "events", None)
    if events is not None:
        service = getattr(getattr(meta, "service_model", None), "service_name", None)
        return events if service == "rds-data" else None
    session_type: Any = getattr(sys.modules.get("boto3"), "Session", ())
    if isinstance(target, session_type):  # whoever has a session has loaded boto3
        return target.events
    if callable(getattr(target, "get_component", None)):
        return target.get_component("event_emitter")
    raise ConfigError(
        f"{verb}() takes a boto3 client, a boto3.Session or a botocore session, "
        f"not {type(target).__name__}; without an argument, {verb}() is about every client"
    )
