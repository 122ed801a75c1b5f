"""Our own log lines, through the application's structlog where it has one, else on stderr.

Never on stdout: structlog's default is stdout, where Lambda reads EMF and pipes read data.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["logger"]


def logger() -> Any:
    """The logger "tenantmetrics"; imports structlog (90 ms) at its first use, not before."""
    import structlog  # noqa: PLC0415 - not on the import path of the application

    if structlog.is_configured():
        return structlog.get_logger("tenantmetrics")
    return structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
    )
