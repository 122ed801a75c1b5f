"""From the `exporters` setting to exporters.

A name is a file in `export/destinations`, or an entry point of the group `tenantmetrics.exporters`
of an installed package. An object with the methods of `Exporter` is taken as it is.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Sequence
from importlib import import_module

from tenantmetrics.config import Config
from tenantmetrics.errors import ConfigError
from tenantmetrics.export import destinations
from tenantmetrics.export.base import Exporter
from tenantmetrics.export.destination import Destination
from tenantmetrics.export.given import Given

__all__ = ["GROUP", "build", "built_in", "find"]

GROUP = "tenantmetrics.exporters"
"""Entry points that name destinations of other packages."""


def build(specs: Sequence[str | Exporter], config: Config | None = None) -> list[Exporter]:
    """Make the exporters that a setting names.

    Args:
        specs: One `name` or `name:argument` each, such as `ledger:/var/lib/tenantmetrics`, or an
            exporter itself.
        config: Their settings; the defaults if not given.

    Raises:
        ConfigError: A name is unknown, given twice with the same argument, or lacks its argument.
        MissingExtraError: An exporter's extra is not installed.
    """
    settings = config or Config()
    origin = settings.origins.get("exporters", "the default")
    exporters: list[Exporter] = []
    for number, spec in enumerate(specs):
        try:
            exporters.append(_make(spec, specs[:number], settings))
        except ConfigError as error:
            shown = repr(spec) if isinstance(spec, str) else spec.name
            raise ConfigError(f"exporters = {shown} (from {origin}): {error}") from None
    return exporters


def _make(spec: str | Exporter, earlier: Sequence[str | Exporter], config: Config) -> Exporter:
    if any(spec is other or spec == other for other in earlier):
        raise ConfigError("given twice, every call would count double")
    if not isinstance(spec, str):
        return Given(spec)
    name, _, rest = spec.partition(":")
    return find(name).make(rest, config)


def find(name: str) -> Destination:
    """A destination by its name.

    Args:
        name: What stands before the colon in `exporters`.

    Raises:
        ConfigError: There is none of that name, or what an entry point names is none.
    """
    if name in _names():
        return _load(name)
    from importlib.metadata import entry_points  # noqa: PLC0415 - 30 ms: only for foreign names

    for point in entry_points(group=GROUP, name=name):
        try:
            found = point.load()
        except Exception as error:
            why = f"{type(error).__name__} from {point.value}"
            raise ConfigError(f"cannot be imported: {why}") from error
        if isinstance(found, Destination):
            return found
        if callable(found):
            return Destination(name=name, forms=name, make=found)
        raise ConfigError(f"{point.value} is neither a Destination nor a function that makes one")
    forms = [destination.forms for destination in built_in()]
    others = sorted(entry_points(group=GROUP).names)
    raise ConfigError(f"unknown exporter, known are {', '.join([*forms, *others])}")


def built_in() -> Iterator[Destination]:
    """The destinations of this package, by name, the ledger first."""
    for name in sorted(_names(), key=lambda name: (name != "ledger", name)):
        yield _load(name)


def _names() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(destinations.__path__)]


def _load(name: str) -> Destination:
    found: Destination = import_module(f"{destinations.__name__}.{name}").DESTINATION
    return found
