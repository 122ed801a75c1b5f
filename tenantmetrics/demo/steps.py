"""What the demo's tenants do: one method a step, each call written down beside it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

import tenantmetrics
from tenantmetrics.dataapi.fields import sql_parameters
from tenantmetrics.dataapi.operations import operation_of_method
from tenantmetrics.records import UNATTRIBUTED

__all__ = ["Steps"]

_PHOTO_BYTES = 50_000
"""More than the 32 KB that one billed request holds."""
_LOOK_UPS = 6
"""How many rooms a guest looks at, one call each."""


class Steps:
    """The steps of one thread.

    Args:
        client: An instrumented `rds-data` client.
        target: `resourceArn`, `secretArn` and `database` of every call.
        rng: Makes the choices within a step.
        on_call: Told the tenant before each call, on whose behalf it is.

    Attributes:
        record: (tenant, API operation) → calls.
        rows_checked: Rows read under row-level security.
        rows_of_others: Those of them that were another tenant's.
    """

    def __init__(
        self,
        client: Any,
        target: dict[str, str],
        rng: random.Random,
        on_call: Callable[[str], None],
    ) -> None:
        self._client = client
        self._target = target
        self._rng = rng
        self._on_call = on_call
        self.record: Counter[tuple[str, str]] = Counter()
        self.rows_checked = self.rows_of_others = 0

    def look_up_rooms(self, tenant: str) -> None:
        """Several calls, each for one row by its key: what a chatty application does."""
        for room in self._rng.sample(range(1, 31), _LOOK_UPS):
            self._execute(
                tenant,
                "SELECT price_per_night FROM rooms WHERE tenant_id = :tenant AND room = :room",
                tenant=tenant,
                room=room,
            )

    def evaluate_stays(self, tenant: str) -> None:
        """One call, but the whole history is read and sorted for it."""
        self._execute(
            tenant,
            """
            SELECT room, date_trunc('month', arrived) AS month, sum(nights) AS nights,
                   percentile_cont(0.9) WITHIN GROUP (ORDER BY total) AS dear
            FROM stays WHERE tenant_id = :tenant GROUP BY room, month
            ORDER BY nights DESC, month, room LIMIT 30
            """,
            tenant=tenant,
        )

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
        self.rows_checked += len(owners)
        self.rows_of_others += sum(owner != tenant for owner in owners)
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
                sql_parameters({"tenant": tenant, "kind": "page_view", "detail": f"room {room}"})
                for room in range(self._rng.randint(1, 10))
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
        self._write_down(tenant, operation)
        getattr(self._client, operation)(**target, transactionId=transaction)

    def _execute(self, tenant: str, sql: str, transaction: str = "", /, **values: Any) -> Any:
        extra = {"transactionId": transaction} if transaction else {}
        return self._call(
            tenant, "execute_statement", sql=sql, parameters=sql_parameters(values), **extra
        )

    def _failing(self, tenant: str, sql: str, transaction: str = "", /, **values: Any) -> None:
        try:
            self._execute(tenant, sql, transaction, **values)
        except ClientError:
            return
        raise AssertionError(f"PostgreSQL accepted what it should refuse: {sql}")

    def _call(self, tenant: str, operation: str, **arguments: Any) -> Any:
        self._write_down(tenant, operation)
        return getattr(self._client, operation)(**self._target, **arguments)

    def _write_down(self, tenant: str, method: str) -> None:
        self._on_call(tenant)
        self.record[tenant, operation_of_method(method).name] += 1
