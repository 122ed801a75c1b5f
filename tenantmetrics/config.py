"""Settings: argument > TENANTMETRICS_* environment > file > default, in one frozen object.

The file is the one that TENANTMETRICS_CONFIG names, else `pyproject.toml` in the working directory
where it has a `[tool.tenantmetrics]` table. A wrong setting is one `ConfigError` at start that
names the setting, its value, where it came from and what is allowed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from tenantmetrics.errors import ConfigError, why_unreadable
from tenantmetrics.setting_values import (
    BILLED_BYTES,
    METRIC_LEVELS,
    SIGTERM,
    convert,
    wrong_value,
)

if TYPE_CHECKING:
    from tenantmetrics.capture.request import TenantSource
    from tenantmetrics.export.base import Exporter

__all__ = ["BILLED_BYTES", "METRIC_LEVELS", "SETTINGS", "SIGTERM", "Config", "load", "misspelt"]

# Only numbers and UUIDs, because a schema or role such as tenant_admin is nobody's.
_NUMBERED = r"tenant_([0-9]+|[0-9a-fA-F]{8}[-_](?:[0-9a-fA-F]{4}[-_]){3}[0-9a-fA-F]{12})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting, validated by `load`.

    Attributes:
        exporters: Where windows go; several are independent: `cloudwatch`, `emf`, `otlp`,
            `otlp:URL`, `ledger:FOLDER`, `ledger:s3://BUCKET/PREFIX`, the name of an exporter of
            another package, or an object (`configure` only). Empty, or `none`, is nowhere; not
            given, `load` chooses: `emf` in Lambda, `otlp` where OTEL_EXPORTER_OTLP_ENDPOINT is set,
            else `cloudwatch`.
        flush_interval_s: Seconds between exports.
        window_s: Length of a window in seconds; divides an hour.
        queue_size: Calls held for the background thread; beyond it calls are dropped and counted.
        max_series: Series a window keeps; beyond it calls fold into `__overflow__`.
        max_statement_series: Pairs of tenant and statement in the open windows, 60 bytes each;
            beyond it a tenant's further statements fold into `__other__`.
        exit_timeout_s: Seconds that all exporters together get at interpreter exit.
        export_spread_s: Seconds over which a fleet's processes spread their scheduled exports, each
            at a random point of its own; `flush` and exit do not wait for it.
        namespace: CloudWatch namespace.
        metric_level: What CloudWatch and EMF get: `essential`, or `detailed`, which adds
            operations, bytes and rows.
        max_metric_tenants: Tenants with CloudWatch metrics of their own in a window, those with the
            most wall time; the rest fold into `__other__`.
        spool_path: Folder that keeps windows for S3 while S3 is out of reach; empty is
            `tenantmetrics-spool-UID` in the system's folder for temporary files.
        spool_bytes: Bytes that the spool may take; beyond it the oldest are dropped and counted.
        slow_call_s: Calls that take longer are logged, without literals; 0 logs none.
        log_errors: Whether calls that fail are logged, without the error's text.
        trace_link: Whether the current OpenTelemetry span gets `tenant.id` and histograms carry its
            ids as exemplars.
        sigterm: When SIGTERM delivers before the process ends: `default` where the application
            does not handle it, `chain` always, `off` never.
        billed_bytes: What is metered in 32 KB steps: `request+response`, `response`, `request`, or
            the larger of the two (`max`).
        tenant_columns: Columns that carry the tenant, lower case.
        tenant_variables: Session variables that carry the tenant, lower case.
        tenant_sources: Which sources are used, the one that wins first; names, or objects of one's
            own with a method `tenant(request)`. A source that is not listed is not used.
        tenant_tables: Tables whose rows are tenants, each with its tenant column:
            `organizations:id`.
        tenant_schema: File with the tables' keys, foreign keys and tenant columns, as
            `tenantmetrics rls schema` writes it; empty: their names and statements alone tell.
        tenant_shared_rows: Whether rows without a tenant are everybody's, so that
            `tenant_id IS NULL OR tenant_id = :t` names the tenant of `:t`.
        tenant_trust_updates: Whether `UPDATE t SET tenant_id = :t, … WHERE id = :id`, as an ORM
            writes it, changes a row of that tenant. It does not where an id of somebody else gets
            into the ORM.
        tenant_functions: Functions that take a tenant: `name`, or `name:2` for the second argument.
        tenant_setters: The same, for functions that set the session's tenant, as `set_tenant(:t)`.
        tenant_comment_keys: Keys of SQL comments (sqlcommenter's form) that carry the tenant.
        tenant_schema_pattern: Regular expression for the whole name of a tenant's schema; its first
            group is the tenant. Empty: none.
        tenant_database_pattern: The same for the call's database.
        tenant_role_pattern: The same for the role of SET ROLE.
        strict: Refuse calls that name no tenant, or two that disagree, before they are sent; `warn`
            sends them, and counts and logs what would be refused.
        strict_exempt_statements: Summaries that `strict` lets pass, with `*` and `?`
            (`SELECT plans`).
        strict_exempt_tables: A statement whose tables are all among these passes `strict`.
        strict_exempt_clients: Clients that `strict` lets pass: patterns for the calls' resourceArn,
            secretArn or database.
        max_plans: Statement texts whose plan is kept.
        max_transactions: Open transactions that are remembered.
        transaction_idle_s: A transaction idle for longer is forgotten; the Data API ends it at 180.
        origins: Where each setting that is not a default came from, for errors; no setting itself.
    """

    exporters: tuple[str | Exporter, ...] = ()
    flush_interval_s: float = 60.0
    window_s: int = 60
    queue_size: int = 65_536
    max_series: int = 65_536
    max_statement_series: int = 262_144
    exit_timeout_s: float = 2.0
    export_spread_s: float = 10.0
    namespace: str = "TenantMetrics"
    metric_level: str = "essential"
    max_metric_tenants: int = 500
    spool_path: str = ""
    spool_bytes: int = 256 * 1024 * 1024
    slow_call_s: float = 0.0
    log_errors: bool = False
    trace_link: bool = True
    sigterm: str = "default"
    billed_bytes: str = "request+response"
    tenant_columns: tuple[str, ...] = ("tenant_id", "tenantid", "tenant_uuid", "tenant")
    tenant_variables: tuple[str, ...] = (
        "app.current_tenant_id",
        "app.current_tenant",
        "app.tenant_id",
        "app.tenant",
        "tenant.id",
        "rls.tenant_id",
        "application_name",
    )
    tenant_sources: tuple[str | TenantSource, ...] = (
        "context",
        "session",
        "statement",
        "comment",
        "schema",
        "database",
    )
    tenant_tables: tuple[str, ...] = ()
    tenant_schema: str = ""
    tenant_shared_rows: bool = False
    tenant_trust_updates: bool = False
    tenant_functions: tuple[str, ...] = ()
    tenant_setters: tuple[str, ...] = ()
    tenant_comment_keys: tuple[str, ...] = ("tenant_id", "tenant")
    tenant_schema_pattern: str = _NUMBERED
    tenant_database_pattern: str = _NUMBERED
    tenant_role_pattern: str = _NUMBERED
    strict: bool | Literal["warn"] = False
    strict_exempt_statements: tuple[str, ...] = ()
    strict_exempt_tables: tuple[str, ...] = ()
    strict_exempt_clients: tuple[str, ...] = ()
    max_plans: int = 4_096
    max_transactions: int = 10_000
    transaction_idle_s: float = 300.0
    origins: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


SETTINGS = {
    setting.name: type(setting.default) for setting in fields(Config) if setting.name != "origins"
}
"""Every setting's name and type."""

_ENV_PREFIX = "TENANTMETRICS_"


def load(
    environ: Mapping[str, str] = os.environ,
    /,
    *,
    flags: Mapping[str, str] = MappingProxyType({}),
    **arguments: Any,
) -> Config:
    """Build the settings from arguments, the environment, the file and the defaults.

    Args:
        environ: Where TENANTMETRICS_* is looked up; lists are separated by commas. Names that are
            no setting are passed over: Kubernetes makes some for a service of this name.
        flags: What errors call the arguments of a command, by setting; `configure()` otherwise.
        **arguments: Fields of `Config`; None means "not given".

    Raises:
        ConfigError: A setting is unknown or its value is not allowed, or the file cannot be read.
    """
    from_file, file = _file(environ)
    for name in (*arguments, *from_file):
        if name not in SETTINGS:
            where = "" if name in arguments else f" (from {file})"
            raise ConfigError(
                f"unknown setting {name!r}{where}: known are {', '.join(sorted(SETTINGS))}"
            )
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, kind in SETTINGS.items():
        variable = _ENV_PREFIX + name.upper()
        if arguments.get(name) is not None:
            value, origin = arguments[name], flags.get(name, "configure()")
        elif variable in environ:
            value, origin = environ[variable], f"environment {variable}"
        elif name in from_file:
            value, origin = from_file[name], file
        else:
            continue
        values[name] = convert(name, value, kind, origin)
        origins[name] = origin
    exporters = values.setdefault("exporters", _default_exporters(environ))
    if "none" in exporters:
        if len(exporters) > 1:
            raise wrong_value(
                "exporters", exporters, origins["exporters"], "'none' alone, or without"
            )
        values["exporters"] = ()
    return Config(**values, origins=origins)


def misspelt(environ: Mapping[str, str] = os.environ, /) -> dict[str, str]:
    """Variables that look like a misspelt setting, each with the variable that may be meant.

    Args:
        environ: Where TENANTMETRICS_* is looked up.
    """
    known = [_ENV_PREFIX + name.upper() for name in SETTINGS]
    known.append(_ENV_PREFIX + "CONFIG")
    found = {}
    for name in environ:
        # What Kubernetes makes for a service of this name is like none of them.
        if name.startswith(_ENV_PREFIX) and name not in known:
            import difflib  # noqa: PLC0415 - only where there is a variable that is no setting

            like = difflib.get_close_matches(name, known, n=1, cutoff=0.9)
            if like:
                found[name] = like[0]
    return found


def _default_exporters(environ: Mapping[str, str]) -> tuple[str, ...]:
    """EMF in Lambda, OTLP where an endpoint is set, else CloudWatch."""
    if environ.get("AWS_LAMBDA_FUNCTION_NAME"):
        return ("emf",)
    if environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or environ.get(
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
    ):
        return ("otlp",)
    return ("cloudwatch",)


def _file(environ: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """The settings of the file and its name for errors; nothing where there is no file."""
    named = environ.get(_ENV_PREFIX + "CONFIG")
    path = Path(named or "pyproject.toml")
    origin = str(path) if not named else f"{path}, named by {_ENV_PREFIX}CONFIG"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        if not named:  # somebody else's file in a folder that happens to be the current one
            return {}, origin
        why = why_unreadable(error)
        raise ConfigError(f"cannot read settings file {origin}: {why}") from None
    if not named and "tenantmetrics" not in text:
        return {}, origin
    import tomllib  # noqa: PLC0415 - 5 ms: only where there is a file to read

    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"settings file {origin}: not TOML: {error}") from None
    tool = content.get("tool", {})
    table = tool.get("tenantmetrics") if isinstance(tool, dict) else None
    if table is None:
        table = content if named and path.name != "pyproject.toml" else {}
    if not isinstance(table, dict):
        raise ConfigError(f"settings file {origin}: [tool.tenantmetrics] must be a table")
    return table, origin
