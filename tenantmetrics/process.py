"""The process's own pipeline: made from the environment, or by `configure`; one at a time.

Light: `import tenantmetrics` loads this and what an adapter needs. The stages and the settings are
loaded with the first pipeline, here and nowhere else.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from tenantmetrics.capture.recorder import recorder
from tenantmetrics.life import around_snapshot, before_hard_exit, in_children, on_sigterm, unforked
from tenantmetrics.logs import logger

if TYPE_CHECKING:
    from tenantmetrics.config import Config
    from tenantmetrics.pipeline import Pipeline

__all__ = ["configure", "current", "existing", "use"]

_lock = threading.RLock()
_current: Pipeline | None = None


def current() -> Pipeline:
    """The process's pipeline, made from the environment where nobody called `configure`."""
    if _current is not None:
        return _current
    with unforked, _lock:
        return _current or configure()


def existing() -> Pipeline | None:
    """The process's pipeline where there is one; without one nothing was ever recorded."""
    return _current


def configure(**settings: Any) -> Pipeline:
    """Replace the process's pipeline; see `tenantmetrics.configure`.

    Raises:
        ConfigError: A setting is wrong; the pipeline in use goes on as it was.
    """
    with unforked:
        from tenantmetrics import config as configuration  # noqa: PLC0415 - with the first pipeline

        config = configuration.load(**settings)
    return use(config)


def use(config: Config) -> Pipeline:
    """Replace the process's pipeline by one of these settings, which say where each is from.

    Raises:
        ConfigError: An exporter is unknown; the pipeline in use goes on as it was.
    """
    from tenantmetrics.config import misspelt  # noqa: PLC0415 - loaded: a Config is there

    for name, meant in misspelt().items():
        logger().warning("tenantmetrics.unknown_setting", name=name, did_you_mean=meant)
    return _use(config)


def _use(config: Config) -> Pipeline:
    global _current  # one process, one pipeline
    with unforked, _lock:  # in this order everywhere
        from tenantmetrics.pipeline import Pipeline  # noqa: PLC0415 - with the first pipeline
        from tenantmetrics.runners import hook_in  # noqa: PLC0415 - with the first pipeline

        replacement = Pipeline(config, recorder)
        replaced, _current = _current, replacement
        _handle_sigterm()
        before_hard_exit(_end, _exit_timeout_s)
        hook_in(_deliver, _handle_sigterm)
    if replaced is not None:
        replaced.shutdown(replaced.config.exit_timeout_s)
    return replacement


def _handle_sigterm() -> None:
    """Have SIGTERM deliver, as the settings say; again where a pool has reset the handlers."""
    if _current is not None:
        timeout_s = _current.config.exit_timeout_s
        on_sigterm(_current.config.sigterm, partial(_finish, timeout_s), timeout_s)


def _exit_timeout_s() -> float:
    return _current.config.exit_timeout_s if _current is not None else 0.0


def _deliver() -> None:
    """What a runner has done before one of its processes ends; a call may still come."""
    if _current is not None:
        _current.flush(_current.config.exit_timeout_s)


def _end() -> None:
    """The process ends now, and nothing runs in it any more."""
    if _current is not None and _current.has_recorded:
        _current.recorder.abandon_all()
        _current.shutdown(_current.config.exit_timeout_s)


def _finish(timeout_s: float) -> None:
    """What SIGTERM does before the process dies of it, or whatever the application does then."""
    pipeline = _current
    if pipeline is None:
        return
    if pipeline.config.sigterm == "chain":
        pipeline.flush(timeout_s)
    else:
        pipeline.recorder.abandon_all()
        pipeline.shutdown(timeout_s)


def _after_fork() -> None:
    """Replace the lock: another thread of the parent may have held it."""
    global _lock
    _lock = threading.RLock()


in_children(_after_fork)


def _before_snapshot() -> None:
    """What was recorded while Lambda loaded the application is this sandbox's to send, once."""
    if _current is not None:
        _current.flush(_current.config.exit_timeout_s)


def _after_restore() -> None:
    """Every sandbox that starts from one snapshot is a writer of its own."""
    if _current is not None:
        _use(_current.config)


around_snapshot(_before_snapshot, _after_restore)
