"""A skewed load of many tenants, which keeps its own record of what it did.

The record is kept apart from everything that is metered: one counter a thread, written beside each
call, so that the ledger can be held against it.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

import tenantmetrics
from tenantmetrics.demo.schema import TENANTS
from tenantmetrics.records import UNATTRIBUTED

__all__ = ["Workload"]

_PHOTO_BYTES = 50_000
"""More than the 32 KB that one billed request holds."""


class Workload:
    """Threads that book, search, upload and fail on behalf of tenants.

    Args:
        client: An instrumented `rds-data` client.
        target: `resourceArn`, `secretArn` and `database` of every call.
        threads: How many work at once.
        seed: Makes the choices, not their number, the same each time.
    """

    def __init__(
        self, client: Any, target: dict[str, str], *, threads: int = 6, seed: int = 1
    ) -> None:
        self._client = client
        self._target = target
        self._seeds = [seed * 1_000 + n for n in range(threads)]
        self._stop = threading.Event()
        self._records = [Counter[tuple[str, str]]() for _ in self._seeds]
        self._errors: list[BaseException] = []
        self.rows_checked = [0] * threads
        self.rows_of_others = [0] * threads
        # The first tenant makes about a quarter of the calls, the last about a hundredth of that.
        self._weights = [1 / (rank + 1) ** 1.1 for rank in range(len(TENANTS))]

    def run(self, duration_s: float, progress: Callable[[float, int], None]) -> None:
        """Work for a while; stops early and cleanly on Ctrl-C.

        Args:
            duration_s: Seconds.
            progress: Called several times a second with the share done (0 to 1) and the calls.

        Raises:
            Exception: What a thread met that it did not cause on purpose.
        """
        threads = [
            threading.Thread(target=self._work, args=(n,), name=f"demo-{n}", daemon=True)
            for n in range(len(self._seeds))
        ]
        started = time.monotonic()
        try:
            for thread in threads:
                thread.start()
            while (elapsed := time.monotonic() - started) < duration_s and not self._errors:
                progress(elapsed / duration_s, self.calls())
                self._stop.wait(0.1)
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(10)
        if self._errors:
            raise self._errors[0]
        progress(1.0, self.calls())

    def calls(self) -> int:
        """API calls made so far."""
        return sum(sum(record.copy().values()) for record in self._records)

    def record(self) -> Counter[tuple[str, str]]:
        """(tenant, API operation) → calls, as the threads wrote it down."""
        return sum(self._records, Counter())

    def _work(self, number: int) -> None:
        rng = random.Random(self._seeds[number])  # noqa: S311 - a load, not a secret
        worker = _Worker(self, number, rng)
        steps = [
            (worker.search_rooms, 40),
            (worker.book, 22),
            (worker.list_bookings, 14),
            (worker.log_events, 8),
            (worker.browse_in_context, 8),
            (worker.book_for_no_nights, 3),
            (worker.misspell, 2),
            (worker.upload_photo, 1),
            (worker.check_health, 2),
        ]
        actions = [action for action, _ in steps]
        weights = [weight for _, weight in steps]
        try:
            while not self._stop.is_set():
                (tenant,) = rng.choices(TENANTS, self._weights)
                (action,) = rng.choices(actions, weights)
                action(tenant)
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            self._errors.append(error)


class _Worker:
    """One thread's steps. `_call` writes the record; whose call it is stands beside each step."""

    def __init__(self, workload: Workload, number: int, rng: random.Random) -> None:
        self._workload = workload
        self._number = number
        self._rng = rng
        self._client = workload._client  # noqa: SLF001 - two halves of one class
        self._target = workload._target  # noqa: SLF001
        self._record = workload._records[number]  # noqa: SLF001

    def search_rooms(self, tenant: str) -> None:
        """A plain query: the tenant is in its predicate."""
        self._execute(
            tenant,
            "SELECT room, price_per_night FROM rooms WHERE tenant_id = :tenant AND room <= :most",
            tenant=tenant,
            most=self._rng.randint(1, 30),
        )

    def browse_in_context(self, tenant: str) -> None:
        """A query on a shared table: only the application knows for whom."""
        with tenantmetrics.tenant(tenant):
            self._execute(tenant, "SELECT id, name FROM amenities ORDER BY name")

    def book(self, tenant: str) -> None:
        """A transaction under row-level security: its BEGIN comes before the tenant is known."""
        transaction = self._begin(tenant)
        self._execute(
            tenant,
            "INSERT INTO bookings (room, guest, nights, total) VALUES (:room, :guest, :nights, 99)",
            transaction,
            room=self._rng.randint(1, 30),
            guest=f"guest {self._rng.randint(1, 10_000)}",
            nights=self._rng.randint(1, 14),
        )
        self._end("commit_transaction", tenant, transaction)

    def list_bookings(self, tenant: str) -> None:
        """Row-level security alone decides which rows come back; each is checked."""
        transaction = self._begin(tenant)
        answer = self._execute(
            tenant,
            "SELECT tenant_id, guest, total FROM bookings ORDER BY created_at DESC LIMIT 20",
            transaction,
        )
        owners = [row[0]["stringValue"] for row in answer["records"]]
        self._workload.rows_checked[self._number] += len(owners)
        self._workload.rows_of_others[self._number] += sum(owner != tenant for owner in owners)
        self._end("commit_transaction", tenant, transaction)

    def book_for_no_nights(self, tenant: str) -> None:
        """A statement that breaks a CHECK, and the rollback after it."""
        transaction = self._begin(tenant)
        self._failing(
            tenant,
            "INSERT INTO bookings (room, guest, nights, total) VALUES (1, 'nobody', 0, 0)",
            transaction,
        )
        self._end("rollback_transaction", tenant, transaction)

    def misspell(self, tenant: str) -> None:
        """A statement that PostgreSQL refuses, its tenant in plain sight."""
        self._failing(tenant, "SELECT pirce FROM rooms WHERE tenant_id = :tenant", tenant=tenant)

    def log_events(self, tenant: str) -> None:
        """A batch: one call, several rows."""
        self._call(
            tenant,
            "batch_execute_statement",
            sql="INSERT INTO events (tenant_id, kind, detail) VALUES (:tenant, :kind, :detail)",
            parameterSets=[
                _parameters(tenant=tenant, kind="page_view", detail=f"room {n}")
                for n in range(self._rng.randint(1, 10))
            ],
        )

    def upload_photo(self, tenant: str) -> None:
        """A call of more than 32 KB: AWS bills several requests for it."""
        self._execute(
            tenant,
            "INSERT INTO photos (tenant_id, image) VALUES (:tenant, :image)",
            tenant=tenant,
            image=self._rng.randbytes(_PHOTO_BYTES),
        )

    def check_health(self, _: str) -> None:
        """A call on nobody's behalf."""
        self._execute(UNATTRIBUTED, "SELECT count(*) FROM amenities")

    def _begin(self, tenant: str) -> str:
        transaction: str = self._call(tenant, "begin_transaction")["transactionId"]
        self._execute(
            tenant,
            "SELECT set_config('app.current_tenant_id', :tenant, true)",
            transaction,
            tenant=tenant,
        )
        return transaction

    def _end(self, operation: str, tenant: str, transaction: str) -> None:
        target = {name: self._target[name] for name in ("resourceArn", "secretArn")}
        self._record[tenant, _api_name(operation)] += 1
        getattr(self._client, operation)(**target, transactionId=transaction)

    def _execute(self, tenant: str, sql: str, transaction: str = "", /, **values: Any) -> Any:
        extra = {"transactionId": transaction} if transaction else {}
        return self._call(
            tenant, "execute_statement", sql=sql, parameters=_parameters(**values), **extra
        )

    def _failing(self, tenant: str, sql: str, transaction: str = "", /, **values: Any) -> None:
        try:
            self._execute(tenant, sql, transaction, **values)
        except ClientError:
            return
        raise AssertionError(f"PostgreSQL accepted what it should refuse: {sql}")

    def _call(self, tenant: str, operation: str, **arguments: Any) -> Any:
        self._record[tenant, _api_name(operation)] += 1
        return getattr(self._client, operation)(**self._target, **arguments)


def _parameters(**values: Any) -> list[dict[str, Any]]:
    field = {str: "stringValue", int: "longValue", bytes: "blobValue"}
    return [{"name": name, "value": {field[type(value)]: value}} for name, value in values.items()]


def _api_name(operation: str) -> str:
    """`execute_statement` → `ExecuteStatement`, as the ledger has it."""
    return operation.title().replace("_", "")
