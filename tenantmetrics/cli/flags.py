"""The flags that an error's fields go by on the command line."""

from __future__ import annotations

from tenantmetrics.errors import TenantMetricsError

__all__ = ["flag_of", "in_flags"]

_FLAGS = {
    "hourly": "--capacity",
    "tag": "--bill-tag",
    "base": "--base",
    "timeout_s": "--athena-timeout",
}
"""Fields whose flag has another name than they."""


def flag_of(name: str) -> str:
    """The flag that a field goes by."""
    return _FLAGS.get(name, f"--{name.replace('_', '-')}")


def in_flags(error: TenantMetricsError) -> str:
    """An error's text, with the flags that it is about in parentheses."""
    flags = ", ".join(map(flag_of, error.fields))
    return f"{error} ({flags})" if flags else str(error)
