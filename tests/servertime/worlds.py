"""Hours of calls with known truth that break one assumption each, and how well they are divided.

The report's whole estimate is run, from the rows of the table of statements to each tenant's share
and interval. Overhead is log-normal, of a median and a spread by writer; everything else is what a
world says.
"""

import math
import random
from collections import defaultdict
from dataclasses import dataclass
from types import SimpleNamespace

from tenantmetrics.cost.server_time import ServerTimeSource, estimate
from tenantmetrics.cost.statement import Period
from tenantmetrics.serverside import tables
from tests.statement_rows import Opened

ARN = "arn:aws:rds:us-east-1:123456789012:cluster:shared"
FIRST_HOUR = 1_793_491_200 // 3600  # 2026-11-01 00:00 UTC
COSTS_NS = {1: 0.05e6, 2: 0.2e6, 3: 0.8e6, 4: 20e6, 5: 150e6}
MIXES = {
    "chatty": {1: 300, 2: 60, 3: 30},
    "mixed": {1: 120, 2: 40, 3: 20, 4: 60},
    "heavy": {1: 15, 4: 60, 5: 50},
}
WORKLESS = 9
SETS = 0.35
"""Calls without work beside each call with work."""


@dataclass(frozen=True)
class World:
    """What is not as simple as it could be.

    Attributes:
        medians_ms: Median overhead by writer; tenants take turns.
        sigmas: Deviation of its logarithm, by writer.
        sets: Calls without work beside a call with work, by writer.
        workless_part: The overhead of calls without work, as a part of that of the others.
        drift: How many times the overhead is at the hour's end what it is at its beginning.
        windows: Windows that an hour is written in.
        turns: Whether every other tenant calls in the hour's first half mostly, the others in its
            second.
        hours: Overhead of each hour, as times of the median.
        shifts: Whether every other tenant works in the first hours mostly, the others in the last.
        bursts: Times the overhead in a tenth of the minutes.
        queue: Times the overhead of calls that work long: a busy machine keeps them longer.
        request_byte_ns: What a byte of the third statement's requests of up to 300 kB costs.
        response_byte_ns: The same of its responses.
        cold: Part of the calls of every other tenant that open a connection, of 60 ms.
        waits: Part of the calls that waited a second before they were tried again.
        idle: Tenants with calls without work only.
        large: Times the calls of one heavy tenant.
        tenants: How many.
        rate: Times all calls.
        least_ms: What each statement takes at the least: none is a look-up.
        work: Times what statements work: little work has few calls to tell it from the overhead.
        guest: Executions of the tenants' fourth statement that nobody metered, as a part of
            theirs, each half as long again.
        stranger: Load that nobody metered, as a part of the tenants'.
    """

    medians_ms: tuple = (20,)
    sigmas: tuple = (0.6,)
    sets: tuple = (SETS,)
    workless_part: float = 1.0
    drift: float = 1.0
    windows: int = 1
    turns: bool = False
    hours: tuple = (1.0,)
    shifts: bool = False
    bursts: float = 1.0
    queue: float = 1.0
    request_byte_ns: float = 0.0
    response_byte_ns: float = 0.0
    cold: float = 0.0
    waits: float = 0.0
    idle: int = 0
    large: float = 1.0
    tenants: int = 12
    rate: float = 2.0
    least_ms: float = 0.0
    work: float = 1.0
    stranger: float = 0.0
    guest: float = 0.0


class Lived:
    """One run of a world.

    Args:
        world: Which.
        seed: Of all that is random.
        folder: Where the server's tables go.
    """

    def __init__(self, world, seed, folder):
        self.world, self.folder = world, folder
        self.truth = defaultdict(float)
        self.ran = defaultdict(lambda: [0, 0.0])
        self._source = random.Random(seed)
        self._cells = defaultdict(lambda: [0] * 6)
        self._busy = {n for n in range(600) if self._source.random() < 0.1}
        for number in range(world.tenants):
            self._live(number)
        hours = len(world.hours)
        self.period = Period("2026-11", FIRST_HOUR * 3600, (FIRST_HOUR + hours) * 3600)
        length_s = 3600 // world.windows
        self.rows = [
            ((FIRST_HOUR + hour) * 3600 + window * length_s, length_s, f"writer-{writer}", 0,
             tenant, ARN, "app", statement, f"SELECT s{statement}", kind, *map(int, sums), 0, 0)
            for (hour, window, writer, tenant, statement, kind), sums in self._cells.items()
        ]  # fmt: skip
        self._say()

    def _live(self, number):
        world, source = self.world, self._source
        kind = ("chatty", "mixed", "heavy")[number % 3]
        writer = number // 3 % len(world.medians_ms) if len(world.medians_ms) > 1 else 0
        size = source.lognormvariate(0, 0.7)
        times = world.rate * source.uniform(0.5, 1.5) * (world.large if number == 2 else 1)
        idle = number >= world.tenants - world.idle
        for statement, count in ({} if idle else MIXES[kind]).items():
            for _ in range(round(count * times)):
                cost = world.work * COSTS_NS[statement] * size * source.lognormvariate(0, 0.3)
                self._call(number, writer, statement, cost + world.least_ms * 1e6)
        calls = 100 if idle else sum(MIXES[kind].values())
        for _ in range(round(calls * times * (1 if idle else world.sets[writer]))):
            self._call(number, writer, WORKLESS, 0.0)

    def _call(self, number, writer, statement, server_ns):
        world, source = self.world, self._source
        last = len(world.hours) - 1
        early = source.random() < 0.8 if world.shifts and number % 2 else source.random() < 0.2
        hour = source.randrange(last + 1) if not world.shifts else (0 if early else last)
        at = source.random()
        if world.turns:
            at = (at + (source.random() < (0.2 if number % 2 else 0.8))) / 2
        median = world.medians_ms[writer] * 1e6 * world.hours[hour]
        overhead = source.lognormvariate(math.log(median), world.sigmas[writer])
        overhead *= 1 + (world.drift - 1) * at
        overhead *= world.bursts if int(at * 600) in self._busy else 1
        overhead *= world.workless_part if statement == WORKLESS else 1
        overhead *= world.queue if server_ns > 10e6 else 1
        sent = answered = 250
        if statement == 3:
            sent += source.random() * 300_000 * bool(world.request_byte_ns)
            answered += source.random() * 300_000 * bool(world.response_byte_ns)
        overhead += (sent - 250) * world.request_byte_ns
        overhead += (answered - 250) * world.response_byte_ns
        is_cold = number % 2 == 1 and source.random() < world.cold
        net = overhead + 60e6 * is_cold + server_ns
        waited = 1e9 if source.random() < world.waits else 0
        kind = ("cold_" if is_cold else "") + ("workless" if statement == WORKLESS else "work")
        window = int(at * world.windows)
        cell = self._cells[hour, window, writer, f"t{number:03}", statement, kind]
        amounts = (1, net + waited, waited, (net / 1e3) ** 2, sent, answered)
        for n, amount in enumerate(amounts):
            cell[n] += amount
        self.truth[f"t{number:03}"] += server_ns
        if statement != WORKLESS:
            self.ran[hour, statement][0] += 1
            self.ran[hour, statement][1] += server_ns

    def _say(self):
        """Write what the server says of each hour."""
        for hour in range(len(self.world.hours)):
            start_s = (FIRST_HOUR + hour) * 3600
            mine = {s: sums for (of, s), sums in self.ran.items() if of == hour}
            total = sum(ns for _, ns in mine.values())
            calls, ns = mine[4]
            mine[4] = [round(calls * (1 + self.world.guest)), ns * (1 + 1.5 * self.world.guest)]
            total += 1.5 * self.world.guest * ns
            if self.world.stranger:
                mine[77] = [50, total * self.world.stranger]
            rows = [
                {
                    "start_s": start_s, "end_s": start_s + 3600, "resource_arn": ARN,
                    "database": "app", "fingerprint": statement, "queryid": statement,
                    "summary": f"SELECT s{statement}", "calls": calls, "exec_ns": int(ns),
                    "rows": 0, "blocks_read": 0, "blocks_hit": 0, "gap": "",
                }
                for statement, (calls, ns) in mine.items()
            ]  # fmt: skip
            tables.write(self.folder, tables.STATEMENTS, start_s, "test", rows)
            load = total * (1 + self.world.stranger) / 3600e9
            row = {
                "start_s": start_s, "period_s": 3600, "resource_arn": ARN, "instance": "i",
                "load_aas": load, "cpu_aas": 0.0, "non_cpu_aas": 0.0,
            }  # fmt: skip
            tables.write(self.folder, tables.DB_LOAD, start_s, "test", [row])

    def judged(self, method):
        """What lands on the wrong tenant, whether each true share is held, and what is said."""
        tenants, made = self._divided(method)
        total, whole = sum(self.truth.values()), sum(one.weight for one in tenants.values())
        moved, held = 0.0, []
        for name, ns in self.truth.items():
            one = tenants[name]
            moved += abs(one.weight / whole - ns / total) / 2
            held.append(one.weight_low / whole <= ns / total <= one.weight_high / whole)
        return moved, held, made

    def charged_more(self, method, of):
        """The part of the bill that some tenants pay beyond their own.

        Args:
            method: By which it is divided.
            of: Whether a tenant, by number, is one of them.
        """
        tenants, _ = self._divided(method)
        total, whole = sum(self.truth.values()), sum(one.weight for one in tenants.values())
        return sum(
            tenants[name].weight / whole - ns / total
            for name, ns in self.truth.items()
            if of(int(name[1:]))
        )

    def _divided(self, method):
        """What each tenant gets, and the estimate."""
        writers = defaultdict(int)
        usage = defaultdict(lambda: SimpleNamespace(calls=0, net_ns=0, duration_ns=0))
        for row in self.rows:
            sums = usage[row[0] // 3600]
            sums.calls += row[10]
            sums.duration_ns += row[11]
            sums.net_ns += row[11] - row[12]
            writers[row[2]] += row[10]
        made = estimate(
            Opened(self.rows),
            self.folder,
            self.period,
            dict(usage),
            ServerTimeSource(method),
            writers=writers,
        )
        metered = sum(one.metered_ns for one in made.hours.values())
        names = [SimpleNamespace(tenant=name, net_ns=0, net_weight=0) for name in self.truth]
        return made.tenants(dict.fromkeys(made.hours, 1e15 / metered), names), made
