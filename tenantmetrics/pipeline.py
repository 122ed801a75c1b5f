"""capture → tenant → aggregate → export, wired from a Config.

The one file that knows the stages' order. It loads them all, sqlglot included; who only imports
tenantmetrics does not load it (`process`). Work is divided so: the caller's thread reads what
the statement's plan asks for and appends to a queue; the background thread evaluates it, makes the
call of the request, attributes, aggregates and exports.
"""

from __future__ import annotations

import secrets
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tenantmetrics.aggregate.window import Aggregator
from tenantmetrics.aggregate.worker import Worker
from tenantmetrics.calllog import CallLog
from tenantmetrics.capture.entries import ClaimsOf, Entries, Queue, Record
from tenantmetrics.capture.finished import call_maker
from tenantmetrics.capture.recorder import Recorder
from tenantmetrics.capture.request import Request
from tenantmetrics.capture.trace import link
from tenantmetrics.config import Config
from tenantmetrics.errors import TenantRefusedError
from tenantmetrics.export.fanout import Fanout
from tenantmetrics.export.registry import build
from tenantmetrics.health import Health, Loss
from tenantmetrics.life import at_exit, in_children
from tenantmetrics.records import UNATTRIBUTED, Attribution, Call, Claims, Source, Window
from tenantmetrics.refusals import REFUSED, WARNED, Refusals
from tenantmetrics.tenant.resolve import Resolver
from tenantmetrics.tenant.session.attribution import Attributor

if TYPE_CHECKING:
    from tenantmetrics.aggregate.recent import Snapshot
    from tenantmetrics.aggregate.sink import Sink

__all__ = ["Pipeline"]

_UNKNOWN = Attribution(((UNATTRIBUTED, 1),), Source.UNATTRIBUTED)


_LOG_WITHIN_S = 0.5
"""A slow or failed call is logged while somebody may still look for it."""


class Pipeline:
    """One configuration at work: all that stands behind the recorder that adapters hold.

    Args:
        config: The settings.
        recorder: What is pointed at it; a recorder of its own if None.

    Raises:
        ConfigError: An exporter's specification is wrong.
        MissingExtraError: An exporter needs an extra that is not installed.
    """

    def __init__(self, config: Config, recorder: Recorder | None = None) -> None:
        self.config = config
        self.health = Health()
        self._build()
        self.recorder = recorder or Recorder()
        self.recorder.bind(self._entries())
        # Weak, so that a pipeline that was replaced can go.
        this = weakref.ref(self)

        def after_fork() -> None:
            if (pipeline := this()) is not None:
                pipeline._after_fork()  # noqa: SLF001 - our own, met again through the reference

        def finish() -> None:
            if (pipeline := this()) is not None:
                pipeline.recorder.abandon_all()
                pipeline.shutdown(pipeline.config.exit_timeout_s)

        in_children(after_fork)
        self._stay = at_exit(finish)

    def _build(self) -> None:
        """Make all state from the settings: at the start, and again in every forked child."""
        config = self.config
        self._fanout = Fanout(
            build(config.exporters, config),
            self.health,
            spread_s=min(config.export_spread_s, config.flush_interval_s / 2),
        )
        self._call_of = call_maker(config.billed_bytes)
        self._resolver = Resolver(config, self.health)
        self._attributor = Attributor(config, self.health)
        self._aggregator = Aggregator(
            window_s=config.window_s,
            max_series=config.max_series,
            health=self.health,
            writer=secrets.token_hex(8),
            max_statement_series=config.max_statement_series,
        )
        log = CallLog(slow_s=config.slow_call_s, errors=config.log_errors)
        self._sinks: list[Sink] = [self._aggregator, *([log] if log.wanted else [])]
        self._refusals = Refusals()
        self._state = threading.Lock()
        self._worker = Worker(
            consume=self._consume,
            export=self._export,
            interval_s=config.flush_interval_s,
            queue_size=config.queue_size,
            health=self.health,
            scheduled=self._export_on_schedule,
            drain_every_s=_LOG_WITHIN_S if log.wanted else None,
        )
        self._closing = False

    def _after_fork(self) -> None:
        """Give a child its own state: the parent's pending numbers are the parent's to send."""
        self.health.reset()
        if self._closing:
            return
        try:
            self._fanout.abandon()
            self._build()
        except Exception as error:  # noqa: BLE001 - a folder that is gone must not fail their fork
            self.health.count(Loss.EXPORT_FAILED, error=error, where="fork")
            self.config = replace(self.config, exporters=())
            self._build()
        if self.recorder.health is self.health:
            self.recorder.bind(self._entries())

    def _entries(self) -> Entries:
        """What the recorder calls into, bound once so that no call looks anything up."""
        claims: ClaimsOf = self._resolver.claims
        record: Record = self._worker.put
        examine = self._resolver.examine if self._resolver.examines else None
        queue: Queue | None = self._worker
        if self.config.strict:
            claims, record = self._strict(claims, record)
            examine = queue = None  # it judges the claims before the call is sent
        return Entries(
            claims,
            record,
            self.health,
            link if self.config.trace_link else None,
            self._forget,
            self._worker.leave,
            examine,
            queue,
        )

    def _forget(self, session: str) -> None:
        """A session is over: whoever follows it need not any more."""
        self._attributor.forget(session)
        if self.config.strict:
            self._resolver.forget(session)

    def _strict(self, claims: ClaimsOf, record: Record) -> tuple[ClaimsOf, Record]:
        """Refuse before a call is sent, and follow sessions on the caller's thread for it."""
        judge, observe = self._resolver.judge, self._resolver.observe
        refusals, start, call_of = self._refusals, self._worker.start, self._call_of
        warns = self.config.strict == "warn"

        def checked(request: Request) -> Claims:
            request.claims = claims(request)
            refusal = judge(request)
            if refusal is not None:
                refusals.note(
                    refusal,
                    operation=request.operation,
                    summary=request.claims.summary,
                    target=request.target,
                    database=request.database,
                    sent=warns,
                )
                start()  # it may be all that ever happens here, and is to be exported
                if not warns:
                    raise TenantRefusedError(refusal.message)
            return request.claims

        def observed(request: Request) -> None:
            record(request)
            observe(call_of(request))

        return checked, observed

    def _consume(self, requests: Iterator[Request]) -> None:
        """Attribute calls and add all that this settles, whole batches under one lock."""
        call_of, submit = self._call_of, self._attributor.submit
        first, *others = self._sinks
        add = first.add
        with self._state:
            for request in requests:
                try:
                    call = call_of(request)
                except Exception as error:  # noqa: BLE001 - an adapter's bug must not stop the rest
                    self.recorder.failed(error, "finish")
                    continue
                try:
                    settled = submit(call)
                except Exception as error:  # noqa: BLE001 - the call counts, without a tenant
                    self.health.count(Loss.TENANT_ERROR, error=error, where="attribute")
                    settled = ((call, _UNKNOWN),)
                # `_aggregate` without its calls: most settle one call for one sink.
                for settled_call, attribution in settled:
                    try:
                        add(settled_call, attribution)
                    except Exception as error:  # noqa: BLE001 - one call must not stop the rest
                        self._not_added(first, error)
                if others:
                    self._aggregate(settled, others)

    def _aggregate(
        self, settled: Iterable[tuple[Call, Attribution]], sinks: Sequence[Sink]
    ) -> None:
        for call, attribution in settled:
            for sink in sinks:
                try:
                    sink.add(call, attribution)
                except Exception as error:  # noqa: BLE001 - one call must not stop the rest
                    self._not_added(sink, error)

    def _not_added(self, sink: Sink, error: Exception) -> None:
        self.health.count(Loss.AGGREGATE_ERROR, error=error, where=type(sink).__name__)

    def _export(self, deadline_s: float) -> bool:
        """Close the windows and hand them over; what is swapped out under the lock goes outside it.

        Nobody waits here: the thread goes on taking calls while the exporters work.
        """
        self._fanout.offer(self._close_windows(), deadline_s)
        return True

    def _export_on_schedule(self, deadline_s: float) -> bool:
        """The same where the minute is over and nobody waits."""
        self._fanout.offer(self._close_windows(), deadline_s, scheduled=True)
        return True

    def _close_windows(self) -> list[Window]:
        with self._state:
            attributor = self._attributor
            self._aggregate(
                attributor.drain() if self._closing else attributor.expire(time.time_ns()),
                self._sinks,
            )
            self._aggregator.refuse(self._refusals.take())
            return self._aggregator.close()

    def stats(self) -> dict[str, Any]:
        """Totals since the start of the process; see `tenantmetrics.stats`."""
        self.recorder.close_abandoned()
        self._worker.drain()
        with self._state:
            self._aggregator.refuse(self._refusals.take())
            totals = self._aggregator.totals
            calls, errors, duration_ns = totals.calls, totals.errors, totals.duration_ns
            unattributed = totals.unattributed
            # Plain text: an enum's members would show their Python names where these are printed.
            misuses = {str(kind): count for kind, count in totals.misuses.items()}
            undecided = dict(totals.undecided)
        return {
            "calls": calls,
            "errors": errors,
            "error_rate": errors / calls if calls else 0.0,
            "average_duration_ms": duration_ns / calls / 1e6 if calls else 0.0,
            "unattributed_calls": unattributed,
            "misuses": misuses,
            "undecided_under_session": undecided,
            "refused": self._refusals.totals(REFUSED),
            "would_refuse": self._refusals.totals(WARNED),
            "losses": {str(reason): count for reason, count in self.health.counts().items()},
            "export_failures": self.health.export_failures(),
        }

    @property
    def has_recorded(self) -> bool:
        """Whether there may be something to export: a call was recorded in this process."""
        return self._worker.has_started

    def snapshot(self) -> Snapshot:
        """The windows that are open and those of the last minutes; closes and sends nothing."""
        self._worker.drain()
        with self._state:
            return self._aggregator.snapshot()

    def flush(self, timeout_s: float) -> bool:
        """Export everything recorded so far; see `tenantmetrics.flush`."""
        timeout_s = min(timeout_s, threading.TIMEOUT_MAX)
        deadline_s = time.monotonic() + timeout_s
        self.recorder.close_abandoned()
        return self._worker.flush(timeout_s) and self._fanout.wait(deadline_s)

    def shutdown(self, timeout_s: float) -> bool:
        """Export everything, open transactions included, and stop; see `tenantmetrics.shutdown`."""
        self._stay()
        timeout_s = min(timeout_s, threading.TIMEOUT_MAX)
        deadline_s = time.monotonic() + timeout_s
        self._closing = True
        closed = self._worker.close(timeout_s)
        return self._fanout.close(deadline_s) and closed
