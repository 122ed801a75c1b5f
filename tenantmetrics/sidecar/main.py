"""The process: the pipeline from the environment, a sidecar on its own loop, signals, exit."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tenantmetrics import process
from tenantmetrics.capture.recorder import recorder
from tenantmetrics.config import load
from tenantmetrics.export.prometheus import PrometheusExporter
from tenantmetrics.sidecar.operations import Operations
from tenantmetrics.sidecar.server import Sidecar, event_loop, listening
from tenantmetrics.sidecar.settings import Settings

__all__ = ["run"]

_GC_THRESHOLD = 50_000
"""Objects that are made before cycles are looked for; 700 is Python's, for small programs."""
_SWITCH_S = 0.0005
"""How long an answer waits for the thread that adds up and exports; 5 ms is Python's."""


def _import_structlog() -> None:
    """Import structlog without rich, which it takes where it is installed: 6 MB.

    It is for tracebacks on a terminal; the sidecar's log is JSON.
    """
    if "rich" in sys.modules or "structlog" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # "not installed", to `import`
    try:
        import structlog  # noqa: F401, PLC0415 - not before the line above
    finally:
        del sys.modules["rich"]


def run(settings: Settings, started: Callable[[str], object], **configuration: Any) -> bool:
    """Run a sidecar until SIGTERM or SIGINT, then deliver what it recorded.

    Args:
        settings: What it is told.
        started: Called with its address when it takes requests.
        **configuration: Fields of `tenantmetrics.config.Config`, over the environment's.

    Returns:
        Whether all exporters took everything in time.

    Raises:
        ConfigError: A setting is wrong, or the port is taken.
        MissingExtraError: An exporter needs an extra that is not installed.
    """
    settings.check()
    config = load(**configuration)
    exporter = PrometheusExporter(tenants=settings.tenant_labels, max_tenants=settings.max_tenants)
    with listening(settings) as listener:
        # No call has a span here. What the settings are from stays: errors name the variable.
        with_page = (*config.exporters, exporter)
        pipeline = process.use(
            replace(config, exporters=with_page, sigterm="off", trace_link=False)
        )
        operations = Operations(settings, exporter)
        operations.failures = pipeline.health.export_failures
        operations.failing_for_s = 2 * config.flush_interval_s

        async def serve() -> None:
            sidecar = Sidecar(settings, recorder=recorder, operations=operations)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, sidecar.stop)
            address = settings.uds or _url(listener.getsockname(), settings.token)
            await sidecar.run(listener, lambda: started(address))

        import tenantmetrics.tenant.sql.planner  # noqa: F401, PLC0415 - before the first call needs it

        # What is there now stays, and calls leave few cycles: without this the collector goes
        # through the libraries' 100,000 objects again and again, a tenth of all time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)
        sys.setswitchinterval(_SWITCH_S)
        with asyncio.Runner(loop_factory=event_loop) as runner:
            runner.run(serve())
        return pipeline.shutdown(settings.flush_timeout_s)


def _url(bound: Any, token: str) -> str:
    host = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    return f"http://{host}:{bound[1]}" + ("/<token>" if token else "")


_import_structlog()
