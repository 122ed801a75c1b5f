"""Settings: argument > TENANTMETRICS_* environment > file > default, in one frozen object.

The file is the one that TENANTMETRICS_CONFIG names, else `pyproject.toml` in the working directory
where it has a `[tool.tenantmetrics]` table. A wrong setting is one `ConfigError` at start that
names the setting, its value, where it came from and what is allowed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from tenantmetrics import limits
from tenantmetrics.errors import ConfigError
from tenantmetrics.records import Source

if TYPE_CHECKING:
    from tenantmetrics.capture.request import TenantSource
    from tenantmetrics.export.base import Exporter

__all__ = ["BILLED_BYTES", "METRIC_LEVELS", "SETTINGS", "SIGTERM", "Config", "load", "misspelt"]

BILLED_BYTES = ("request+response", "response", "request", "max")
"""Whether AWS adds request and response bytes before it counts 32 KB steps is not documented."""

METRIC_LEVELS = ("essential", "detailed")
"""What CloudWatch and EMF get of the catalogue; OTLP and the ledger get everything."""

SIGTERM = ("default", "chain", "off")
"""When SIGTERM delivers before the process ends: where nobody handles it, always, never."""

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
        values[name] = _convert(name, value, kind, origin)
        origins[name] = origin
    exporters = values.setdefault("exporters", _default_exporters(environ))
    if "none" in exporters:
        if len(exporters) > 1:
            raise _wrong("exporters", exporters, origins["exporters"], "'none' alone, or without")
        values["exporters"] = ()
    return Config(**values, origins=origins)


def misspelt(environ: Mapping[str, str] = os.environ, /) -> dict[str, str]:
    """Variables that look like a misspelt setting, each with the variable that may be meant.

    Args:
        environ: Where TENANTMETRICS_* is looked up.
    """
    import difflib  # noqa: PLC0415 - only where there is a variable that is no setting

    known = [_ENV_PREFIX + name.upper() for name in SETTINGS]
    known.append(_ENV_PREFIX + "CONFIG")
    found = {}
    for name in environ:
        # What Kubernetes makes for a service of this name is like none of them.
        if name.startswith(_ENV_PREFIX) and name not in known:
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
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise ConfigError(f"settings file {origin} cannot be read: {why}") from None
    if not named and "tenantmetrics" not in text:
        return {}, origin
    import tomllib  # noqa: PLC0415 - 5 ms: only where there is a file to read

    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"settings file {origin} is not TOML: {error}") from None
    tool = content.get("tool", {})
    table = tool.get("tenantmetrics") if isinstance(tool, dict) else None
    if table is None:
        table = content if named and path.name != "pyproject.toml" else {}
    if not isinstance(table, dict):
        raise ConfigError(f"settings file {origin}: [tool.tenantmetrics] must be a table")
    return table, origin


def _convert(name: str, value: Any, kind: type, origin: str) -> Any:
    """One value, checked; `origin` is for the error."""
    wrong = partial(_wrong, name, value, origin)
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


def _wrong(name: str, value: Any, origin: str, allowed: str) -> ConfigError:
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
