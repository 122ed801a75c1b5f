"""The clients of `shares`: a process whose threads are tenants, metered by tenantmetrics.

It reads what to do as JSON from its standard input. Each tenant has a role, a thread and habits.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

import tenantmetrics

LOOK_UP = "SELECT amount, note FROM reading WHERE tenant = :tenant AND id = :id"
RANGE = (
    "SELECT id, amount FROM reading WHERE tenant = :tenant AND id BETWEEN :low AND :high "
    "ORDER BY id"
)
ADD = "INSERT INTO reading (tenant, id, amount, note) VALUES (:tenant, :id, 1.5, 'added')"
CHANGE = "UPDATE reading SET amount = amount + 1 WHERE tenant = :tenant AND id = :id"
SUM = (
    "SELECT id % 24 AS hour, sum(amount), count(*) FROM reading WHERE tenant = :tenant "
    "GROUP BY 1 ORDER BY 1"
)
RANK = (
    "SELECT max(place) FROM (SELECT rank() OVER (PARTITION BY id % 50 ORDER BY amount, note) "
    "AS place FROM reading WHERE tenant = :tenant) AS ranked"
)
EXPORT = "SELECT id, amount, note FROM reading WHERE tenant = :tenant ORDER BY id LIMIT :most"
ATTACH = "UPDATE reading SET note = left(:note, 20) WHERE tenant = :tenant AND id = :id"
NOTHING = "SELECT 1"
PART = (
    "SELECT sum(amount) FROM reading WHERE tenant = :tenant AND id BETWEEN :low AND :high "
    "AND note <> ''"
)
LOAD = "INSERT INTO reading (tenant, id, amount, note) VALUES (:tenant, :id, :amount, 'loaded')"
CROSS = "UPDATE reading SET amount = amount + 1 WHERE tenant = 'everybody' AND id = :id"
MEASURES = tuple(
    f"{function}({of})"
    for function in ("sum", "avg", "min", "max", "count")
    for of in ("amount", "id", "length(note)", "amount * id")
)
HOT = "UPDATE reading SET amount = amount + 1 WHERE tenant = 'everybody' AND id = 0"
LONG = (
    "SELECT sum(length(md5(note || more))) FROM reading, generate_series(1, 300) AS more "
    "WHERE tenant = :tenant AND id < 50000"
)
ITEM = "SELECT note FROM item WHERE tenant = :tenant AND id = :id"
ITEMS = 3_000
RARE = frozenset({"load", "fail", "hot", "nothing", "ad_hoc", "cross", "long", "item"})
NEW_IDS = 10_000_000
BURST_EVERY_S, BURST_S = 6.0, 1.5


class Tenant(threading.Thread):
    """One tenant's calls until the end.

    Args:
        settings: Of the process.
        habits: Of the tenant.
        session: What the client is made by.
    """

    def __init__(
        self, settings: dict[str, Any], habits: dict[str, Any], session: boto3.session.Session
    ) -> None:
        super().__init__(daemon=True)
        self._settings = settings
        self._session = session
        self._habits = habits
        self._random = random.Random(f"{settings['seed']}-{habits['name']}")
        self._added = NEW_IDS
        self._client = self._connect()

    def _connect(self) -> Any:
        # A client each, as processes of their own would have: connections are not shared.
        return tenantmetrics.instrument(
            self._session.client(
                "rds-data",
                endpoint_url=self._settings["endpoint"],
                region_name="us-east-1",
                aws_access_key_id="local",
                aws_secret_access_key="local",
                config=Config(retries={"mode": "standard", "total_max_attempts": 5}),
            )
        )

    def run(self) -> None:
        """Call until the time is over."""
        begin = time.monotonic()
        habits = self._habits
        end = begin + min(1.0, habits["until"]) * self._settings["seconds"]
        left = habits["calls"]
        time.sleep(habits["start"] * self._settings["seconds"])
        kinds, weights = zip(*habits["mix"].items(), strict=True)
        with tenantmetrics.tenant(habits["name"]):
            while time.monotonic() < end and left != 0:
                left = None if left is None else left - 1
                if self._random.random() < habits["cold"]:
                    # The client goes on, and has to open a connection for its next call.
                    self._client.close()
                steps = self._random.choices(kinds, weights, k=self._random.choice((1, 1, 2)))
                try:
                    if self._random.random() < habits["transactions"]:
                        self._transaction(steps)
                    else:
                        self._call(steps[0])
                except ClientError:
                    pass  # given up after five attempts
                time.sleep(self._random.expovariate(1 / habits["pause_s"]))
                into = (time.monotonic() - begin) % BURST_EVERY_S
                if habits["bursts"] and into > BURST_S:
                    time.sleep(max(0.0, min(end - time.monotonic(), BURST_EVERY_S - into)))

    @property
    def _where(self) -> dict[str, str]:
        return {"resourceArn": self._settings["cluster"], "secretArn": self._habits["secret"]}

    def _transaction(self, steps: list[str]) -> None:
        begun = self._client.begin_transaction(**self._where, database="postgres")
        more = {"transactionId": begun["transactionId"]}
        self._execute(
            "SELECT set_config('app.tenant', :tenant, true)", {"tenant": self._habits["name"]}, more
        )
        try:
            for step in steps:
                self._call(step, more)
                if self._habits["idle_s"]:
                    # As an application that asks another service while its transaction is open.
                    time.sleep(self._random.expovariate(1 / self._habits["idle_s"]))
        except ClientError:
            self._client.rollback_transaction(**self._where, **more)
            raise
        self._client.commit_transaction(**self._where, **more)

    def _call(self, kind: str, more: dict[str, str] | None = None) -> None:
        rows = self._habits["rows"]
        tenant = {"tenant": self._habits["name"]}
        if kind in RARE:
            self._rare(kind, tenant, more)
        elif kind in ("look_up", "change"):
            sql = LOOK_UP if kind == "look_up" else CHANGE
            self._execute(sql, tenant | {"id": self._random.randrange(rows)}, more)
        elif kind == "range":
            low = self._random.randrange(rows)
            self._execute(RANGE, tenant | {"low": low, "high": low + 20}, more)
        elif kind == "add":
            self._added += 1
            self._execute(ADD, tenant | {"id": self._added}, more)
        elif kind == "attach":
            values = {
                "id": self._random.randrange(rows),
                "note": "x" * self._random.randrange(900_000),
            }
            self._execute(ATTACH, tenant | values, more)
        elif kind == "export":
            least, most = self._habits["answer"]
            self._execute(EXPORT, tenant | {"most": self._random.randrange(least, most)}, more)
        elif kind == "part":
            low, high = self._random.randrange(rows), self._habits["part"]
            self._execute(PART, tenant | {"low": low, "high": low + high}, more)
        else:
            self._execute(SUM if kind == "sum" else RANK, tenant, more)

    def _rare(self, kind: str, tenant: dict[str, Any], more: dict[str, str] | None) -> None:
        if kind == "load":
            self._load(self._random.randrange(*self._habits["batch"]), more)
        elif kind == "fail":
            there = self._random.randrange(self._habits["rows"])
            self._execute(ADD, tenant | {"id": there}, more)
        elif kind == "ad_hoc":
            # Each time another text, as people and reporting tools write them.
            asked = ", ".join(self._random.sample(MEASURES, 4))
            self._execute(f"SELECT {asked} FROM reading WHERE tenant = :tenant", tenant, more)
        elif kind == "cross":
            # In a transaction of two, the second may wait for another tenant's, and it for this.
            self._execute(CROSS, {"id": self._random.randrange(1, 4)}, more)
        elif kind == "long":
            self._execute(LONG, tenant, more)
        elif kind == "item":
            self._execute(ITEM, tenant | {"id": self._random.randrange(ITEMS)}, more)
        elif kind == "hot":
            self._execute(HOT, {}, more)
        else:
            self._execute(NOTHING, {}, more)

    def _load(self, rows: int, more: dict[str, str] | None) -> None:
        self._added += rows
        self._client.batch_execute_statement(
            **self._where,
            database="postgres",
            sql=LOAD,
            parameterSets=[
                _parameters(
                    {"tenant": self._habits["name"], "id": self._added - number, "amount": number}
                )
                for number in range(rows)
            ],
            **(more or {}),
        )

    def _execute(self, sql: str, values: dict[str, Any], more: dict[str, str] | None) -> None:
        self._client.execute_statement(
            **self._where,
            database="postgres",
            sql=sql,
            parameters=_parameters(values),
            **(more or {}),
        )


def _parameters(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": name, "value": {"longValue" if isinstance(v, int) else "stringValue": v}}
        for name, v in values.items()
    ]


def main() -> None:
    """Run the tenants that standard input names."""
    settings = json.load(sys.stdin)
    tenantmetrics.configure(exporters=(f"ledger:{settings['ledger']}",))
    session = boto3.session.Session()
    threads = [Tenant(settings, habits, session) for habits in settings["tenants"]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tenantmetrics.shutdown()


if __name__ == "__main__":
    main()
