"""The log of the commands that serve: to stderr, so that stdout can be piped into a shell."""

from __future__ import annotations

import sys

__all__ = ["log_to_stderr"]


def log_to_stderr() -> None:
    """Lines of JSON, or for a person's eyes on a terminal."""
    import structlog

    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer()
            if sys.stderr.isatty()
            else structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
