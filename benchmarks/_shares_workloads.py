"""The workloads of `shares`: who calls what, how often, from where, and what stands in the way."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

__all__ = ["OVERHEAD", "WORKLOADS", "Workload", "tenants"]

OVERHEAD = "overhead:median=0.02:p99=0.08"
NEAR = "overhead:median=0.01:p99=0.03"
FAR = "overhead:median=0.06:p99=0.2"
FAR_REGION = "overhead:median=0.1:p99=0.16"
HEAVY_TAIL = "overhead:median=0.03:p99=0.4"

CHATTY = {"look_up": 70, "range": 20, "change": 5, "add": 5}
MIXED = {"look_up": 40, "range": 20, "sum": 25, "change": 10, "add": 5}
HEAVY = {"sum": 40, "rank": 50, "look_up": 10}
KINDS = ("chatty", "mixed", "heavy")
IDLE = {"nothing": 1}


@dataclass(frozen=True)
class Workload:
    """One mix of tenants.

    Attributes:
        name: What the table calls it.
        tenants: How many.
        transactions: Part of the steps that are transactions with set_config.
        cold: Part of the steps before which a tenant closes its connections, for every other one.
        export: Weight of large answers, for every third tenant.
        attach: Weight of large requests, for every third tenant.
        faults: Faults of the endpoint besides the overhead.
        unmetered_s: What a client that nobody meters waits between two statements; None: none.
        places: The overhead of each process; tenants are dealt out to them in turn.
        silent: The last place has hardly any transactions, so hardly a call without work.
        drift: How many times the overhead is at the end what it was at the beginning.
        pace: Divides every pause.
        large: How many times the rows of one heavy tenant are what they would be.
        rows: How many times the rows of every tenant are what they would be.
        idle: How many tenants make calls without work only.
        busy: Processes that only burn CPU meanwhile.
        times: How long it lasts, in lengths of a workload.
        habits: What is different of each tenant, in turn.
        failover: After half of it nothing answers for two seconds, connections are lost, and what
            the server counted up to then is gone.
        plan_flips: After half of it an index is gone, so the same statement takes long.
    """

    name: str
    tenants: int = 14
    transactions: float = 0.33
    cold: float = 0.0
    export: int = 0
    attach: int = 0
    faults: tuple[str, ...] = ()
    unmetered_s: float | None = None
    places: tuple[str, ...] = (OVERHEAD,)
    silent: bool = False
    drift: float = 1.0
    pace: float = 1.0
    large: float = 1.0
    rows: float = 1.0
    idle: int = 0
    busy: int = 0
    times: float = 1.0
    habits: tuple[dict[str, Any], ...] = ()
    failover: bool = False
    plan_flips: bool = False


WORKLOADS = (
    Workload("mixed"),
    Workload("no transactions", transactions=0.0),
    Workload("all in transactions", transactions=1.0),
    Workload("cold connections", cold=0.1),
    Workload("large responses", export=15),
    Workload("large requests", attach=15),
    Workload("throttling", faults=("ThrottlingException:rate=0.08",)),
    Workload("paused database", faults=("DatabaseResumingException:count=40",)),
    Workload("unmetered client", unmetered_s=0.15),
    Workload("more unmetered", unmetered_s=0.0),
    Workload("two places", places=(OVERHEAD, FAR)),
    Workload("three places", places=(NEAR, OVERHEAD, HEAVY_TAIL), silent=True),
    Workload("overhead trebles", drift=3.0),
    Workload("one large tenant", large=12.0),
    Workload("100 tenants", tenants=100, pace=0.12),
    Workload("idle tenants", idle=4),
    Workload("busy machine", pace=2.0, busy=4),
    Workload(
        "three of a kind each",
        tenants=6,
        habits=(
            {"mix": {"sum": 1}, "pause_s": 0.2},
            {"mix": {"look_up": 1}, "pause_s": 0.01},
            {"mix": {"rank": 1, "export": 1}, "pause_s": 0.4},
        ),
    ),
    Workload("batches", tenants=12, habits=({"mix": {"load": 1}, "pause_s": 0.3}, *({},) * 5)),
    Workload(
        "answers of 3 to 3,000 rows",
        tenants=12,
        habits=tuple(
            {"mix": {"export": 40, "sum": 20, "look_up": 40}, "answer": (n, 2 * n)}
            for n in (2, 15, 150, 1500)
        ),
    ),
    Workload("bursts", habits=({"bursts": True, "pause_s": 0.02}, {}, {"bursts": True})),
    Workload("one comes late", tenants=12, habits=(*({},) * 5, {"start": 0.75, "pause_s": 0.05})),
    Workload(
        "lock waits",
        tenants=12,
        transactions=0.6,
        habits=({}, {"mix": {"hot": 30, "sum": 20, "look_up": 50}}, {}),
    ),
    Workload(
        "deadlocks",
        tenants=12,
        transactions=0.8,
        habits=({}, {"mix": {"cross": 80, "sum": 20}, "pause_s": 0.05}, {}),
    ),
    Workload(
        "ad hoc texts",
        tenants=12,
        transactions=1.0,
        habits=({"mix": {"ad_hoc": 1}, "pause_s": 0.1}, {"mix": {"ad_hoc": 1}}, {}),
    ),
    Workload("light work", rows=0.1),
    Workload("two places, cold", places=(OVERHEAD, FAR), cold=0.1),
    Workload("a few seconds", times=0.15),
    Workload("hardly a call without work", transactions=0.004),
    Workload(
        "calls that fail",
        tenants=12,
        habits=({"mix": CHATTY | {"fail": 60}}, {}, {}, {"mix": {"fail": 1}, "pause_s": 0.1}),
    ),
    Workload(
        "nothing quick",
        tenants=12,
        habits=tuple(
            {"mix": {"part": 80, "sum": 20}, "part": rows, "pause_s": 0.1}
            for rows in (2_000, 10_000, 5_000)
        ),
    ),
    Workload(
        "one statement, 1 to 100",
        tenants=12,
        habits=tuple(
            {"mix": {"sum": 80, "look_up": 20}, "rows": rows, "pause_s": 0.15, "transactions": 0.2}
            for rows in (1_000, 10_000, 100_000)
        ),
    ),
    Workload(
        "one burst each",
        tenants=12,
        habits=tuple(
            {"start": n / 12, "until": (n + 1.5) / 12, "pause_s": 0.02} for n in range(12)
        ),
    ),
    Workload("one long call", habits=({"mix": {"long": 1}, "calls": 1, "start": 0.3}, *({},) * 13)),
    Workload(
        "batches large and small",
        tenants=12,
        transactions=0.5,
        habits=(
            {"mix": {"load": 60, "look_up": 40}, "pause_s": 0.2, "batch": (2, 20)},
            {"mix": {"load": 80, "sum": 20}, "pause_s": 0.4, "batch": (300, 1000)},
            {},
        ),
    ),
    Workload("idle in transactions", transactions=0.7, habits=({"idle_s": 0.3}, {})),
    Workload("half from far away", places=(OVERHEAD, FAR_REGION)),
    Workload(
        "overhead trebles, bursts",
        drift=3.0,
        habits=tuple({"start": n / 14, "until": (n + 5) / 14} for n in range(0, 14, 2)),
    ),
    Workload("failover", failover=True),
    Workload(
        "plan flips",
        tenants=12,
        plan_flips=True,
        habits=(
            {"mix": {"item": 80, "look_up": 20}, "until": 0.5, "pause_s": 0.05},
            {"mix": {"item": 80, "look_up": 20}, "start": 0.5, "pause_s": 0.05},
            {},
            {"mix": {"item": 60, "sum": 5, "look_up": 35}, "pause_s": 0.05},
        ),
    ),
    Workload(
        "overhead trebles over minutes",
        drift=3.0,
        times=4.0,
        habits=tuple({"start": n / 14, "until": (n + 5) / 14} for n in range(0, 14, 2)),
    ),
)


def tenants(workload: Workload, seed: int) -> list[dict[str, Any]]:
    """Habits of the tenants: chatty, heavy and mixed ones of many sizes."""
    source = random.Random(seed)
    found = []
    last = len(workload.places) - 1
    for number in range(workload.tenants):
        kind = KINDS[number % 3]
        mix = dict({"chatty": CHATTY, "mixed": MIXED, "heavy": HEAVY}[kind])
        if kind == "mixed":
            mix |= {"export": workload.export, "attach": workload.attach}
        pause_s = {"chatty": 0.05, "mixed": 0.12, "heavy": 0.5}[kind]
        rows = 20_000 * workload.rows * 2 ** source.uniform(0, 4)
        silent = workload.silent and number % len(workload.places) == last
        found.append(
            {
                "name": f"t{number:02}",
                "kind": kind,
                "rows": int(rows * (workload.large if number == KINDS.index("heavy") else 1)),
                "mix": mix if number < workload.tenants - workload.idle else IDLE,
                "pause_s": pause_s * source.uniform(0.5, 2) / workload.pace,
                "transactions": 0.02 if silent else workload.transactions,
                "cold": workload.cold if number % 2 else 0.0,
                "start": 0.0,
                "until": 1.0,
                "calls": None,
                "idle_s": 0.0,
                "batch": (50, 500),
                "bursts": False,
                "answer": (500, 3000),
                "part": 0,
            }
            | (workload.habits[number % len(workload.habits)] if workload.habits else {})
        )
    return found
