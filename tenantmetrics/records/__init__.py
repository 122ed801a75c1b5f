"""What travels between the stages: Call, Claims, Attribution, Window.

Everything here is data without behaviour that would need another stage; the stages import these
types and never each other. The window's types are loaded when they are asked for: who only imports
tenantmetrics has no window yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenantmetrics.records.call import (
    CANCELLED,
    IDLE,
    OK,
    OVERFLOW,
    SHARED,
    UNATTRIBUTED,
    UNMETERED,
    Attribution,
    Call,
    Claim,
    Claims,
    Misuse,
    SessionKind,
    SessionStep,
    SessionVerb,
    Source,
    Transition,
)

if TYPE_CHECKING:
    from tenantmetrics.records.window import Exemplar, Series, SeriesKey, Window

__all__ = [
    "CANCELLED",
    "IDLE",
    "OK",
    "OVERFLOW",
    "SHARED",
    "UNATTRIBUTED",
    "UNMETERED",
    "Attribution",
    "Call",
    "Claim",
    "Claims",
    "Exemplar",
    "Misuse",
    "Series",
    "SeriesKey",
    "SessionKind",
    "SessionStep",
    "SessionVerb",
    "Source",
    "Transition",
    "Window",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name not in {"Exemplar", "Series", "SeriesKey", "Window"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tenantmetrics.records import window  # noqa: PLC0415 - see above

    return getattr(window, name)
