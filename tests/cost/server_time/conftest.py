"""A month's table of statements with known truth, and what the server would say of it."""

from __future__ import annotations

import functools
import math
import random
from collections import defaultdict
from types import SimpleNamespace

import pytest

from tenantmetrics.cost.server_time import ServerTimeSource, estimate
from tenantmetrics.cost.statement import Period
from tenantmetrics.serverside import tables
from tests.statement_rows import Opened

ARN = "arn:aws:rds:us-east-1:123456789012:cluster:shared"
FIRST_HOUR = 1_793_491_200 // 3600  # 2026-11-01 00:00 UTC
COSTS_NS = (0.05e6, 0.2e6, 1e6, 20e6, 150e6)
SPREAD = 0.6
WORKLESS = 9


@functools.lru_cache(maxsize=4)
def opened(rows, failed):
    """A ledger of rows; methods that are compared ask the same of it."""
    return Opened(rows, failed=failed)


class Month:
    """Calls of tenants of many sizes: chatty ones that look up, heavy ones that aggregate.

    Args:
        seed: Of all that is random.
        hours: How many of the month have calls.
        rate: Calls of a chatty tenant's cheapest statement in an hour.
        medians_ms: Median overhead of each writer; tenants take turns.
        workless: Calls without work of a tenant in an hour.
        byte_ns: What a byte costs; the third statement then answers up to 400 kB.
        cold: Part of the calls that open a connection, which takes 60 ms.
        waits: Whether a tenth of the calls waited a second between attempts.
        ad_hoc: Texts of its own that a tenant sends in an hour, each once.
        fails_ms: What the server works for each of ten calls of the first tenant that then fail:
            the view counts none of them, and `truth` neither. None for no such calls.
    """

    def __init__(
        self, seed, *, hours=1, rate=150, medians_ms=(20,), workless=25, byte_ns=0, cold=0,
        waits=False, tenants=12, ad_hoc=0, fails_ms=None,
    ):  # fmt: skip
        self.folder = None
        self.failed = 0
        self.hours = range(FIRST_HOUR, FIRST_HOUR + hours)
        self.truth = defaultdict(float)
        self.ran = defaultdict(lambda: [0, 0.0])
        source = random.Random(seed)
        cells = defaultdict(lambda: [0, 0, 0, 0, 0])

        def call(hour, tenant, statement, server_ns, size, *, works=True, fails=False):
            writer = tenant % len(medians_ms)
            overhead = source.lognormvariate(math.log(medians_ms[writer] * 1e6), SPREAD)
            is_cold = source.random() < cold
            net = overhead + byte_ns * size + 60e6 * is_cold + server_ns
            waited = 1e9 if waits and source.random() < 0.1 else 0
            kind = ("cold_" if is_cold else "") + ("work" if works else "workless")
            kind = "failed" if fails else kind
            cell = cells[hour, writer, tenant, statement, kind]
            for n, amount in enumerate((1, net + waited, waited, (net / 1e3) ** 2, size)):
                cell[n] += amount

        sizes = [source.lognormvariate(0, 1) for _ in range(tenants)]
        chatty = [source.random() for _ in range(tenants)]
        for hour in self.hours:
            for tenant in range(tenants):
                for statement, cost in enumerate(COSTS_NS, 1):
                    tilt = (1 - chatty[tenant]) ** 2 if statement > 3 else chatty[tenant]
                    for _ in range(int(rate * tilt / statement)):
                        server = cost * sizes[tenant] * source.lognormvariate(0, 0.3)
                        size = 400_000 * source.random() if byte_ns and statement == 3 else 400
                        call(hour, tenant, statement, server, size)
                        self.truth[f"t{tenant:02}"] += server
                        self.ran[hour, statement][0] += 1
                        self.ran[hour, statement][1] += server
                for number in range(ad_hoc):
                    server = 20e6 * sizes[tenant] * source.lognormvariate(0, 0.3)
                    statement = 1_000 + tenant * ad_hoc + number
                    call(hour, tenant, statement, server, 400)
                    self.truth[f"t{tenant:02}"] += server
                    self.ran[hour, statement] = [1, server]
                for _ in range(10 if fails_ms is not None and tenant == 0 else 0):
                    call(hour, tenant, 4, fails_ms * 1e6, 400, fails=True)
                for _ in range(workless):
                    call(hour, tenant, WORKLESS, 0.0, 250, works=False)
        self.rows = [
            (hour * 3600 + 600, 1800, f"writer-{writer}", 0, f"t{tenant:02}", ARN, "app", statement,
             f"SELECT s{statement}", kind, *(int(one) for one in sums), 0, 0, 0)
            for (hour, writer, tenant, statement, kind), sums in cells.items()
        ]  # fmt: skip

    @property
    def period(self):
        return Period("2026-11", self.hours[0] * 3600, (self.hours[-1] + 1) * 3600)

    @property
    def usage(self):
        found = {}
        for row in self.rows:
            sums = found.setdefault(
                row[0] // 3600, SimpleNamespace(calls=0, net_ns=0, duration_ns=0)
            )
            sums.calls += row[10]
            sums.duration_ns += row[11]
            sums.net_ns += row[11] - row[12]
        return found

    def total(self, hour):
        return sum(ns for (of, _), (_, ns) in self.ran.items() if of == hour)

    def say_statements(self, *, without=(), stranger=0.0, gap="", hours=None):
        """Write snapshots' deltas: but for some statements, and with somebody else's load."""
        for hour in hours or self.hours:
            amounts = {
                s: sums for (of, s), sums in self.ran.items() if of == hour and s not in without
            }
            if stranger:
                amounts[77] = [5, self.total(hour) * stranger]
            rows = [
                {
                    "start_s": hour * 3600, "end_s": hour * 3600 + 3600, "resource_arn": ARN,
                    "database": "app", "fingerprint": statement, "queryid": statement,
                    "summary": f"SELECT s{statement}", "calls": calls, "exec_ns": int(ns),
                    "rows": 0, "blocks_read": 0, "blocks_hit": 0, "gap": gap,
                }
                for statement, (calls, ns) in amounts.items()
            ]  # fmt: skip
            tables.write(self.folder, tables.STATEMENTS, hour * 3600, "test", rows)

    def say_load(self, times=1.0):
        """Write DBLoad."""
        for hour in self.hours:
            row = {
                "start_s": hour * 3600, "period_s": 3600, "resource_arn": ARN, "instance": "i",
                "load_aas": self.total(hour) * times / 3600e9, "cpu_aas": 0.0, "non_cpu_aas": 0.0,
            }  # fmt: skip
            tables.write(self.folder, tables.DB_LOAD, hour * 3600, "test", [row])

    def say_applications(self, names):
        """Write Performance Insights' load by application: name → part of the tenants' truth."""
        seconds = 3600e9 * len(self.hours)
        for hour in self.hours:
            rows = [
                {
                    "start_s": hour * 3600, "period_s": 3600, "resource_arn": ARN, "instance": "i",
                    "dimension": "application", "name": name, "load_aas": ns / seconds,
                }
                for name, ns in names.items()
            ]  # fmt: skip
            tables.write(self.folder, tables.PERFORMANCE_INSIGHTS, hour * 3600, "test", rows)

    def say_activity(self, names, every_s=5):
        """Write samples of pg_stat_activity: name → server time, "" being nobody's."""
        samples = 3600 // every_s
        for hour in self.hours:
            rows = [
                {
                    "start_s": hour * 3600, "period_s": 3600, "resource_arn": ARN,
                    "samples": samples, "tenant": name, "fingerprint": 0,
                    "active_samples": round(ns / len(self.hours) / 1e9 / every_s),
                }
                for name, ns in names.items()
            ]  # fmt: skip
            tables.write(self.folder, tables.ACTIVITY, hour * 3600, "test", rows)

    def estimate(self, asked=ServerTimeSource.AUTO, usage=None, order=None):
        ledger = opened(tuple(self.rows), self.failed)
        ledger.order = order
        writers = defaultdict(int)
        for row in self.rows:
            writers[row[2]] += row[10]
        return estimate(
            ledger, self.folder, self.period, usage or self.usage, asked, writers=writers
        )

    def divided(self, asked=ServerTimeSource.AUTO, factors=None, order=None):
        """The estimate and its tenants, weighed so that the weights are whole numbers of size."""
        made = self.estimate(asked, order=order)
        metered = sum(one.metered_ns for one in made.hours.values())
        factors = factors or dict.fromkeys(made.hours, 1e15 / metered)
        usage = [SimpleNamespace(tenant=name, net_ns=0, net_weight=0) for name in self.truth]
        return made, made.tenants(factors, usage)

    def judged(self, asked=ServerTimeSource.AUTO):
        """The part that lands on the wrong tenant, and the part of tenants whose share is held."""
        _, tenants = self.divided(asked)
        total, whole = sum(self.truth.values()), sum(one.weight for one in tenants.values())
        moved = held = 0.0
        for name, ns in self.truth.items():
            one = tenants[name]
            moved += abs(one.weight / whole - ns / total) / 2
            held += one.weight_low / whole <= ns / total <= one.weight_high / whole
        return moved, held / len(self.truth)

    def moved_by_wall(self):
        """The part that lands on the wrong tenant by wall time."""
        wall = defaultdict(float)
        for row in self.rows:
            wall[row[4]] += row[11]
        total, whole = sum(self.truth.values()), sum(wall.values())
        return sum(abs(wall[t] / whole - ns / total) for t, ns in self.truth.items()) / 2


@pytest.fixture
def month(tmp_path_factory):
    """Make a month: `month(seed, hours=3)`; its ledger's folder holds nothing yet."""

    def make(seed, **settings):
        made = Month(seed, **settings)
        made.folder = tmp_path_factory.mktemp("ledger")
        return made

    return make
