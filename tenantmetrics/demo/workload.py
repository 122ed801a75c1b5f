"""A skewed load of many tenants, which keeps its own record of what it did.

The record is kept apart from everything that is metered: one counter a thread, written beside each
call, so that the ledger can be compared with it. Each call also carries its tenant in a header that
only the local endpoint reads, for PostgreSQL's own account of the tenants' time.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tenantmetrics.demo.schema import CHATTY, HEAVY, TENANTS
from tenantmetrics.demo.steps import Steps
from tenantmetrics.localapi import label_calls

__all__ = ["Workload"]

Step = Callable[[Steps, str], None]

_MIXED: dict[Step, int] = {
    Steps.search_rooms: 40,
    Steps.book: 22,
    Steps.list_bookings: 14,
    Steps.log_events: 8,
    Steps.browse_in_context: 8,
    Steps.book_for_no_nights: 3,
    Steps.misspell: 2,
    Steps.upload_photo: 1,
    Steps.check_health: 2,
}
"""Step → how often, of what guests do with most tenants."""
_OTHERS = [tenant for tenant in TENANTS if tenant not in (CHATTY, HEAVY)]
_CHATTY: dict[Step, int] = {Steps.look_up_rooms: 18, Steps.book: 1, Steps.list_bookings: 1}


class Workload:
    """Threads that book, search, upload, evaluate and fail on behalf of tenants.

    Args:
        client: An instrumented `rds-data` client.
        target: `resourceArn`, `secretArn` and `database` of every call.
        guests: Threads of guests: many short calls of all tenants.
        evaluations: Threads that evaluate histories: the first one that of `HEAVY`, further ones
            those of the others, but never that of `CHATTY`.
        seed: Makes the choices, not their number, the same each time.
    """

    def __init__(
        self,
        client: Any,
        target: dict[str, str],
        *,
        guests: int = 4,
        evaluations: int = 2,
        seed: int = 1,
    ) -> None:
        self._stop = threading.Event()
        self._errors: list[BaseException] = []
        self._tenant = threading.local()
        label_calls(client, self._current_tenant)
        self._threads: list[threading.Thread] = []
        self._steps: list[Steps] = []
        for number in range(guests + evaluations):
            rng = random.Random(seed * 1_000 + number)  # noqa: S311 - a load, not a secret
            steps = Steps(client, target, rng, self._set_tenant)
            self._steps.append(steps)
            choose = (
                _guest(rng, TENANTS[number::guests])
                if number < guests
                else _evaluation(rng, [HEAVY] if number == guests else _OTHERS)
            )
            self._threads.append(
                threading.Thread(
                    target=self._work, args=(steps, choose), name=f"demo-{number}", daemon=True
                )
            )

    def run(self, duration_s: float, progress: Callable[[float, int], None]) -> None:
        """Work for a while; stops early and cleanly on Ctrl-C.

        Args:
            duration_s: Seconds.
            progress: Called several times a second with the share done (0 to 1) and the calls.

        Raises:
            Exception: What a thread met that it did not cause on purpose.
        """
        started = time.monotonic()
        try:
            for thread in self._threads:
                thread.start()
            while (elapsed := time.monotonic() - started) < duration_s and not self._errors:
                progress(elapsed / duration_s, self.calls())
                self._stop.wait(0.1)
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(10)
        if self._errors:
            raise self._errors[0]
        progress(1.0, self.calls())

    def calls(self) -> int:
        """API calls made so far."""
        return sum(sum(steps.record.copy().values()) for steps in self._steps)

    def record(self) -> Counter[tuple[str, str]]:
        """(tenant, API operation) → calls, as the threads wrote it down."""
        return sum((steps.record for steps in self._steps), Counter())

    @property
    def rows_checked(self) -> int:
        """Rows read under row-level security."""
        return sum(steps.rows_checked for steps in self._steps)

    @property
    def rows_of_others(self) -> int:
        """Those of them that were another tenant's."""
        return sum(steps.rows_of_others for steps in self._steps)

    def _work(self, steps: Steps, choose: Callable[[], tuple[Step, str]]) -> None:
        try:
            while not self._stop.is_set():
                step, tenant = choose()
                step(steps, tenant)
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self._errors.append(error)

    def _set_tenant(self, tenant: str) -> None:
        self._tenant.name = tenant

    def _current_tenant(self) -> str:
        name: str = self._tenant.name
        return name


def _guest(rng: random.Random, first: Sequence[str]) -> Callable[[], tuple[Step, str]]:
    """Chooses what a guest does, and with which tenant; those of `first` once before all others.

    So even a load of a few seconds has calls of every tenant, and one of nobody's.
    """
    opening: list[tuple[Step, str]] = [(Steps.search_rooms, tenant) for tenant in first]
    opening.append((Steps.check_health, ""))
    # The first tenant has about a quarter of the guests, the last about a hundredth of that.
    weights = [1 / (rank + 1) ** 1.1 for rank in range(len(TENANTS))]

    def choose() -> tuple[Step, str]:
        if opening:
            return opening.pop()
        (tenant,) = rng.choices(TENANTS, weights)
        steps = _CHATTY if tenant == CHATTY else _MIXED
        (step,) = rng.choices([*steps], [*steps.values()])
        return step, tenant

    return choose


def _evaluation(rng: random.Random, tenants: Sequence[str]) -> Callable[[], tuple[Step, str]]:
    """Chooses whose history is evaluated."""
    return lambda: (Steps.evaluate_stays, rng.choice(tenants))
