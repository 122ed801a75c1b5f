"""The flags that an error's fields go by on the command line."""

from __future__ import annotations

from tenantmetrics.errors import TenantMetricsError

__all__ = ["in_flags"]

_FLAGS = {
    "hourly": "--capacity",
    "tag": "--bill-tag",
    "base": "--base",
    "timeout_s": "--athena-timeout",
}
"""Fields whose flag has another name than they."""


def in_flags(error: TenantMetricsError) -> str:
    """An error's text, with the flags that it is about in parentheses."""
    flags = [_FLAGS.get(name, f"--{name.replace('_', '-')}") for name in error.fields]
    return f"{error} ({', '.join(flags)})" if flags else str(error)
