"""tenantmetrics: which tenant costs what on a shared Aurora cluster behind the RDS Data API.

import tenantmetrics

client = tenantmetrics.client("rds-data")
with tenantmetrics.tenant("acme"):
    client.execute_statement(...)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenantmetrics import process as _process
from tenantmetrics.awslambda import lambda_handler
from tenantmetrics.client import client, instrument, uninstrument
from tenantmetrics.errors import ConfigError, TenantMetricsError, TenantRefusedError
from tenantmetrics.tenant.identity.tenant_context import tenant

if TYPE_CHECKING:
    from typing import Unpack

    from tenantmetrics.rls import Rls
    from tenantmetrics.settings import Settings

    rls: Rls

__all__ = [
    "ConfigError",
    "TenantMetricsError",
    "TenantRefusedError",
    "client",
    "configure",
    "flush",
    "instrument",
    "lambda_handler",
    "rls",
    "shutdown",
    "stats",
    "tenant",
    "uninstrument",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load `rls` when it is asked for: who only meters need not wait for it."""
    if name != "rls":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only here

    return import_module(f"{__name__}.rls")


def configure(**settings: Unpack[Settings]) -> None:
    """Set how this process meters; clients that are in use follow at once.

    What the previous configuration still held is exported before this returns.

    Args:
        **settings: Fields of `tenantmetrics.config.Config`; what is not given comes from the
            environment (TENANTMETRICS_*) or the default.

    Raises:
        ConfigError: A setting is unknown or has a value that is not allowed; nothing changed.
        MissingExtraError: An exporter needs an extra that is not installed; nothing changed.
    """
    _process.configure(**settings)


def stats() -> dict[str, Any]:
    """What this process has metered since it started, or since it was forked or configured.

    Returns:
        `calls`, `errors`, `error_rate` (0 to 1), `average_duration_ms` (client-side wall time),
        `unattributed_calls`, `misuses` by kind, `undecided_under_session` (calls of that kind) by
        the statement's summary, `refused` (calls that `strict` did not let out) and
        `would_refuse` (with `strict="warn"`) by reason, `losses` by reason, `export_failures`
        (windows) by exporter. Calls of a transaction whose tenant is not yet known join when it is.
    """
    return _process.current().stats()


def flush(timeout_s: float = 5.0) -> bool:
    """Export everything recorded so far.

    Args:
        timeout_s: Seconds to wait at most.

    Returns:
        True if all exporters took all of it in time.
    """
    return _process.current().flush(timeout_s)


def shutdown(timeout_s: float = 5.0) -> bool:
    """Export everything and stop metering; later calls work and are counted as lost (`closed`).

    Runs by itself at interpreter exit, within `exit_timeout_s`.

    Args:
        timeout_s: Seconds for all exporters together.

    Returns:
        True if all exporters took all of it in time.
    """
    return _process.current().shutdown(timeout_s)
