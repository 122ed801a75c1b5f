"""From the `exporters` setting to exporters: the one place that knows them by name.

Each exporter's module is imported when it is asked for: EMF's library, OpenTelemetry and pyarrow
stay unloaded in a process that does not use them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tenantmetrics.catalog import Level
from tenantmetrics.config import Config
from tenantmetrics.errors import ConfigError
from tenantmetrics.export.base import Exporter

__all__ = ["build"]


def _cloudwatch(rest: str, config: Config) -> Exporter:
    from tenantmetrics.export.cloudwatch import CloudWatchExporter  # noqa: PLC0415 - see above

    _no_argument("cloudwatch", rest)
    return CloudWatchExporter(
        namespace=config.namespace,
        level=Level(config.metric_level),
        max_tenants=config.max_metric_tenants,
    )


def _emf(rest: str, config: Config) -> Exporter:
    from tenantmetrics.export.emf import EmfExporter  # noqa: PLC0415 - see above

    _no_argument("emf", rest)
    return EmfExporter(
        namespace=config.namespace,
        level=Level(config.metric_level),
        max_tenants=config.max_metric_tenants,
    )


def _otlp(rest: str, config: Config) -> Exporter:
    from tenantmetrics.export.otlp import OtlpExporter, target  # noqa: PLC0415 - see above

    return OtlpExporter(target(rest), max_series=config.max_series)


def _ledger(rest: str, config: Config) -> Exporter:
    if not rest:
        raise ConfigError("needs a folder: write ledger:/var/lib/tenantmetrics")
    if rest.startswith("s3://"):
        from tenantmetrics.export.ledger_s3 import S3LedgerExporter  # noqa: PLC0415 - see above

        return S3LedgerExporter(rest, spool_path=config.spool_path, spool_bytes=config.spool_bytes)
    if "://" in rest or rest.lower().startswith("s3:"):
        raise ConfigError("is no folder: write ledger:FOLDER or ledger:s3://BUCKET/PREFIX")
    from tenantmetrics.export.ledger import LedgerExporter  # noqa: PLC0415 - see above

    return LedgerExporter(rest)


def _no_argument(name: str, rest: str) -> None:
    if rest:
        raise ConfigError(f"takes no argument: write {name}")


_KNOWN: dict[str, tuple[Callable[[str, Config], Exporter], str]] = {
    "ledger": (_ledger, "ledger:FOLDER, ledger:s3://BUCKET/PREFIX"),
    "cloudwatch": (_cloudwatch, "cloudwatch"),
    "emf": (_emf, "emf"),
    "otlp": (_otlp, "otlp, otlp:URL"),
}


def build(specs: Sequence[str], config: Config | None = None) -> list[Exporter]:
    """Make the exporters that a setting names.

    Args:
        specs: One `name` or `name:argument` each, such as `ledger:/var/lib/tenantmetrics`.
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
            raise ConfigError(f"exporters = {spec!r} (from {origin}): {error}") from None
    return exporters


def _make(spec: str, earlier: Sequence[str], config: Config) -> Exporter:
    name, _, rest = spec.partition(":")
    if name not in _KNOWN:
        forms = ", ".join(form for _, form in _KNOWN.values())
        raise ConfigError(f"unknown exporter, known are {forms}")
    if spec in earlier:
        raise ConfigError("given twice, every call would count double")
    return _KNOWN[name][0](rest, config)
