"""The value of one setting: what is allowed, and the error that says so."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from tenantmetrics import limits
from tenantmetrics.errors import ConfigError
from tenantmetrics.records import Source

if TYPE_CHECKING:
    from tenantmetrics.export.base import Exporter

__all__ = ["BILLED_BYTES", "METRIC_LEVELS", "SIGTERM", "convert", "wrong_value"]

BILLED_BYTES = ("request+response", "response", "request", "max")
"""Whether AWS adds request and response bytes before it counts 32 KB steps is not documented."""

METRIC_LEVELS = ("essential", "detailed")
"""What CloudWatch and EMF get of the catalogue; OTLP and the ledger get everything."""

SIGTERM = ("default", "chain", "off")
"""When SIGTERM delivers before the process ends: where nobody handles it, always, never."""

_AT_LEAST: dict[str, float] = {
    "flush_interval_s": 0.01,
    "window_s": 1,
    "queue_size": 1,
    "max_series": 1,
    "max_statement_series": 1,
    "exit_timeout_s": 0,
    "export_spread_s": 0,
    "max_metric_tenants": 0,
    "spool_bytes": 0,
    "slow_call_s": 0,
    "max_plans": 1,
    "max_transactions": 1,
    "transaction_idle_s": 1,
}
_SECONDS_MAX = 86_400
"""A day: Python's clocks and locks overflow at some point, and nobody means more."""
_FLAGS = {"1": True, "true": True, "yes": True, "on": True}
_FLAGS |= {"0": False, "false": False, "no": False, "off": False, "": False}
_SOURCES = tuple(
    source.value for source in Source if source not in {Source.UNATTRIBUTED, Source.CUSTOM}
)
_PATTERNS = frozenset({"tenant_schema_pattern", "tenant_database_pattern", "tenant_role_pattern"})
_ONE_OF = {"billed_bytes": BILLED_BYTES, "metric_level": METRIC_LEVELS, "sigterm": SIGTERM}
_LOWER = frozenset({"tenant_columns", "tenant_variables"})
_SHOWN_CHARS = 200
_TABLE = re.compile(r"[^\s:]+:[^\s:.]+")
_FUNCTION = re.compile(r"[^\s:]+(:[1-9][0-9]?)?")


def convert(name: str, value: Any, kind: type, origin: str) -> Any:
    """One setting's value, checked.

    Args:
        name: The setting.
        value: As it was given: of its type, or text.
        kind: The type.
        origin: Where it came from, for the error.

    Raises:
        ConfigError: It is not allowed.
    """
    wrong = partial(wrong_value, name, value, origin)
    if name == "exporters":
        return _exporters(value, wrong)
    if name == "tenant_sources":
        return _sources(value, wrong)
    if kind is tuple:
        return _texts(name, value, wrong)
    if kind is bool:
        flag: Any = value if isinstance(value, bool) else _FLAGS.get(str(value).strip().lower())
        if name == "strict" and value == "warn":
            flag = value
        if flag is None:
            raise wrong("true or false, or warn" if name == "strict" else "true or false")
        return flag
    if kind is str:
        return _text(name, value, wrong)
    return _number(name, value, kind, wrong)


def wrong_value(name: str, value: Any, origin: str, allowed: str) -> ConfigError:
    """The error of a setting: its value, where it came from, what is allowed."""
    shown = repr(value)
    if len(shown) > _SHOWN_CHARS:
        shown = f"{shown[:_SHOWN_CHARS]}..."
    return ConfigError(f"{name} = {shown} (from {origin}): must be {allowed}")


def _number(name: str, value: Any, kind: type, wrong: Callable[[str], ConfigError]) -> Any:
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    # int(2.5) is 2, and True is 1 to Python: neither is what somebody meant.
    if number is None or isinstance(value, bool) or (isinstance(value, float) and number != value):
        raise wrong("a whole number" if kind is int else "a number of seconds")
    if not number >= _AT_LEAST[name]:  # nor is "not a number"
        raise wrong(f"at least {_AT_LEAST[name]:g}")
    if kind is float and number > _SECONDS_MAX:
        raise wrong(f"at most {_SECONDS_MAX} seconds, a day")
    if name == "window_s" and 3600 % number:
        raise wrong("a divisor of 3600, so that windows align to the hour")
    return number


def _exporters(value: Any, wrong: Callable[[str], ConfigError]) -> tuple[str | Exporter, ...]:
    """Names, and exporters that the application made."""
    parts = [value] if _is_exporter(value) else value
    if not isinstance(parts, list | tuple) or not any(map(_is_exporter, parts)):
        return _texts("exporters", value, wrong)
    if not all(isinstance(part, str) or _is_exporter(part) for part in parts):
        raise wrong("strings, or objects with a name and the methods export and close")
    return tuple(part.strip() if isinstance(part, str) else part for part in parts)


def _sources(value: Any, wrong: Callable[[str], ConfigError]) -> tuple[Any, ...]:
    """Names of sources and objects with a method `tenant`."""
    if isinstance(value, str) or not isinstance(value, list | tuple):
        return _texts("tenant_sources", value, wrong)
    names = [part for part in value if isinstance(part, str)]
    own = [part for part in value if not isinstance(part, str)]
    if not all(callable(getattr(part, "tenant", None)) for part in own):
        raise wrong("names, or objects with a method tenant(request)")
    if names or not own:
        _texts("tenant_sources", names, wrong)
    return tuple(part.strip() if isinstance(part, str) else part for part in value)


def _is_exporter(value: object) -> bool:
    return (
        isinstance(getattr(value, "name", None), str)
        and callable(getattr(value, "export", None))
        and callable(getattr(value, "close", None))
    )


def _texts(name: str, value: Any, wrong: Callable[[str], ConfigError]) -> tuple[str, ...]:
    if not isinstance(value, str | list | tuple | set | frozenset):
        raise wrong("a list of strings")
    parts = value.split(",") if isinstance(value, str) else list(value)
    if not all(isinstance(part, str) for part in parts):
        raise wrong("a list of strings")
    texts = tuple(part.strip() for part in parts if part.strip())
    if allowed := _wrong_texts(name, texts):
        raise wrong(allowed)
    return tuple(text.lower() for text in texts) if name in _LOWER else texts


def _text(name: str, value: Any, wrong: Callable[[str], ConfigError]) -> str:
    if not isinstance(value, str | os.PathLike):
        raise wrong("a string")
    text = os.fspath(value)
    if name in _ONE_OF and text not in _ONE_OF[name]:
        raise wrong(f"one of {', '.join(_ONE_OF[name])}")
    if name in _PATTERNS and not _is_pattern(text):
        raise wrong("a regular expression with one group, which is the tenant, or empty")
    if name == "namespace" and not re.fullmatch(limits.NAMESPACE_PATTERN, text):
        raise wrong("1 to 255 letters, digits and ._-/#: without AWS/ in front")
    return text


def _wrong_texts(name: str, texts: tuple[str, ...]) -> str:
    """What is allowed, if a list of strings is not; empty if it is."""
    if name == "tenant_sources" and (
        not texts or len(set(texts)) < len(texts) or not set(texts) <= set(_SOURCES)
    ):
        return f"some of {', '.join(_SOURCES)}, each once"
    if name == "tenant_tables" and not all(map(_TABLE.fullmatch, texts)):
        return "table names, each with its tenant column: organizations:id"
    if name in {"tenant_functions", "tenant_setters"} and not all(map(_FUNCTION.fullmatch, texts)):
        return (
            "function names, each with the number of its tenant argument if it is "
            "not the first: name:2"
        )
    return ""


def _is_pattern(text: str) -> bool:
    """Whether a string is a regular expression with one group, the tenant; or empty."""
    try:
        return not text or re.compile(text).groups == 1
    except re.error:
        return False
