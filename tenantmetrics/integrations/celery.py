"""Celery: the tenant travels with the task, in a header of its message.

    app = Celery("work")
    carry_tenants(app, exempt=("work.nightly",))

Contract: a task that is sent within a tenant's block runs as that tenant, and so do its callbacks,
its chain and its retries; one that is sent without runs as nobody, whatever the task before it was.
With `strict`, the latter is refused when it is sent, and fails when it comes. An eager task
(`apply`, `task_always_eager`) runs in its caller's block. Whoever may write to the broker may name
any tenant: it needs the protection that the database has. Message protocol 2, Celery's default.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from celery import Celery, Task, signals

from tenantmetrics.errors import ConfigError, RlsError, TenantRefusedError
from tenantmetrics.integrations.scope import inside
from tenantmetrics.rls.rules import Context, Rules, settings
from tenantmetrics.tenant.identity.tenant_context import current_tenant, tenant

__all__ = ["HEADER", "TenantTask", "carry_tenants"]

HEADER = "tenantmetrics_tenant"
"""The header of a task's message."""


@dataclass(frozen=True, slots=True)
class _Settings:
    """What `carry_tenants` was told for an application."""

    strict: bool
    exempt: frozenset[str]
    rules: Rules

    def check(self, name: str, found: Any, moment: str) -> None:
        if found is not None:
            try:
                settings(Context(tenant=found), self.rules)
            except RlsError as error:
                raise TenantRefusedError(f"task {name} was {moment}: {error}") from None
        elif self.strict and name not in self.exempt:
            raise TenantRefusedError(
                f"task {name} was {moment} without a tenant: send it within "
                "`with tenantmetrics.tenant(...)`, or name it in `exempt`"
            )


_known: WeakKeyDictionary[Any, _Settings] = WeakKeyDictionary()
_block: ContextVar[tenant | None] = ContextVar("tenantmetrics_celery_block", default=None)


class TenantTask(Task):  # type: ignore[misc]  # Celery has no types
    """The class of an application's tasks; a base class of your own derives from it."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task, unless it may not run without a tenant.

        Raises:
            TenantRefusedError: It came without a tenant, or with one that is not allowed.
        """
        if self.request.called_directly:
            return super().__call__(*args, **kwargs)
        found = _known.get(self.app)
        if found is not None and not self.request.is_eager:
            found.check(self.name, self.request.get(HEADER), "received")
        # Blocks that the task leaves open end here, before its callbacks are sent.
        with inside(current_tenant()):
            return self.run(*args, **kwargs)

    def apply_async(self, *args: Any, **options: Any) -> Any:
        """Send the task.

        Raises:
            TenantRefusedError: There is no tenant to send it for.
        """
        found = _known.get(self.app)
        if found is not None:
            given = (options.get("headers") or {}).get(HEADER)
            found.check(self.name, current_tenant() or given, "sent")
        return super().apply_async(*args, **options)


def carry_tenants(
    app: Celery,
    *,
    strict: bool = True,
    exempt: Iterable[str] = (),
    rules: Rules | None = None,
) -> None:
    """Have an application's tasks carry their tenant; call it before tasks are defined.

    Args:
        app: The application; the same in the web process and in the worker.
        strict: Whether a task without a tenant is refused.
        exempt: Names of tasks that need none, such as those that Celery's beat sends.
        rules: What a tenant may look like; those of `tenantmetrics.rls` by default.

    Raises:
        ConfigError: The application's class of tasks is not a `TenantTask`, or tasks are defined.
    """
    base = app.task_cls
    if base == Celery.task_cls:
        app.task_cls = TenantTask
        app.__dict__.pop("Task", None)
    if not issubclass(app.Task, TenantTask):
        raise ConfigError(f"task_cls of {app!r}: your class must derive from TenantTask")
    others = [
        name
        for name, task in dict.items(app._tasks)  # noqa: SLF001 - `app.tasks` would finalize it
        if not name.startswith("celery.") and not isinstance(task, TenantTask)
    ]
    if others:
        raise ConfigError(f"task {others[0]} is defined already: call carry_tenants(app) before it")
    _known[app] = _Settings(strict, frozenset(exempt), rules or Rules())
    for signal, receiver in (
        (signals.before_task_publish, _sent),
        (signals.task_prerun, _begun),
        (signals.task_postrun, _ended),
    ):
        signal.connect(receiver, weak=False, dispatch_uid=f"tenantmetrics.{receiver.__name__}")


def _sent(headers: dict[str, Any] | None = None, **_: Any) -> None:
    """The tenant of the moment; where there is none, a header that was given stays."""
    name = current_tenant()
    if headers is not None and name is not None:
        headers[HEADER] = name


def _begun(task: Any, **_: Any) -> None:
    if task.request.is_eager:
        return
    _leave()
    name = task.request.get(HEADER)
    # What is no name is refused by `TenantTask`; nothing runs in it until then.
    block = inside(name if isinstance(name, str) and name else None)
    block.__enter__()
    _block.set(block)


def _ended(task: Any, **_: Any) -> None:
    if not task.request.is_eager:
        _leave()


def _leave() -> None:
    block = _block.get()
    if block is not None:
        block.__exit__(None, None, None)
        _block.set(None)
