"""boto3's `rds-data` in, the very same client out, with our handlers on its public events.

Nothing is wrapped or patched: `isinstance`, `.exceptions`, `.meta`, paginators, Stubber and moto
see the client that botocore made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import boto3

from tenantmetrics.capture.recorder import recorder
from tenantmetrics.errors import ConfigError
from tenantmetrics.instrumentation.botocore import BotocoreInstrumentation, unregister
from tenantmetrics.process import current

__all__ = ["client", "instrument", "uninstrument"]

_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")


def _typed_like(_: _F) -> Callable[[Callable[..., Any]], _F]:
    """Give a function another's type, overloads included: boto3-stubs' knowledge stays."""
    return lambda function: cast("_F", function)


@_typed_like(boto3.client)
def client(*args: Any, **kwargs: Any) -> Any:
    """Make a client as `boto3.client` does; an `rds-data` client comes back instrumented.

    Args:
        *args: As for `boto3.client`.
        **kwargs: As for `boto3.client`.

    Returns:
        What boto3 returns: for "rds-data" with the metering handlers registered, for any other
        service untouched.
    """
    return instrument(boto3.client(*args, **kwargs))


def instrument(target: _T) -> _T:
    """Meter an existing client, or every `rds-data` client that a session will make.

    Twice is once. A client that was made by an instrumented session is instrumented already.

    Args:
        target: A boto3 client, a `boto3.Session` or a botocore session. A client of a service other
            than `rds-data` is returned untouched.

    Returns:
        The target itself.

    Raises:
        ConfigError: The target is neither a client nor a session.
    """
    emitter = _emitter(target, "instrument")
    if emitter is not None:
        current()  # a wrong setting is told here and not at the first call
        BotocoreInstrumentation(recorder).register(emitter)
    return target


def uninstrument(target: _T) -> _T:
    """Undo `instrument`; harmless where nothing was instrumented.

    Clients that a session made while it was instrumented stay instrumented: each has events of its
    own.

    Args:
        target: As for `instrument`.

    Returns:
        The target itself.

    Raises:
        ConfigError: The target is neither a client nor a session.
    """
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
    if isinstance(target, boto3.Session):
        return target.events
    if callable(getattr(target, "get_component", None)):
        return target.get_component("event_emitter")
    raise ConfigError(
        f"{verb}() takes a boto3 client, a boto3.Session or a botocore session, "
        f"not {type(target).__name__}"
    )
