"""An allocator written from docs/report.md alone agrees with the report on every cell."""

from __future__ import annotations

import csv
import random
import sys
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from allocator import allocate

from tenantmetrics.cost import Capacity, monthly
from tenantmetrics.cost.inputs import HourlyCapacity
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import Series, SeriesKey, Source, Window

HOUR = 1_795_168_800 // 3600  # 2026-11-20 10:00 UTC
ACCOUNTS = ("111122223333", "444455556666")
POOLS = {
    "data_api": ("Data-API-Usage", "requests"), "compute": ("Aurora:ServerlessV2Usage", "time"),
    "io": ("Aurora:StorageIOUsage", "rows"), "storage": ("Aurora:StorageUsage", "stored"),
    "credits": ("Aurora:ServerlessV2Usage", "proportional"), "taxes": ("", "proportional"),
}  # fmt: skip
COLUMNS = (
    "BilledCost", "EffectiveCost", "BillingAccountId", "SubAccountId", "BillingCurrency",
    "BillingPeriodStart", "ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd",
    "ConsumedQuantity", "RegionId", "ResourceId", "x_UsageType",
)  # fmt: skip


def arn(account, name):
    return f"arn:aws:rds:us-east-1:{account}:cluster:{name}"


class World:
    """A random month: clusters of two accounts, their calls, their bill."""

    def __init__(self, seed, folder):
        self.source = random.Random(seed)
        self.folder = folder
        self.called = [arn(self.source.choice(ACCOUNTS), f"c{n}") for n in range(4)]
        self.quiet = arn(ACCOUNTS[0], "nobody-calls")
        self.calls = defaultdict(lambda: defaultdict(dict))
        self.sums = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
        self.charges = []
        self.has_commitments = self.source.random() < 0.6
        self.is_amortized = self.source.random() < 0.5
        self.zone = self.source.choice(["UTC", "Asia/Kolkata", "America/New_York"])

    def ledger(self):
        """Every cluster has tenants of its own and shared ones."""
        number = 0
        for cluster in self.called:
            for hour in range(HOUR, HOUR + 6):
                tenants = self.source.sample(range(9), self.source.randint(0, 4))
                if not tenants and hour > HOUR:
                    continue
                series = {}
                for tenant in tenants or [1]:
                    ns, count = self.source.randint(10**6, 10**10), self.source.randint(1, 999)
                    name = f"t{tenant}"
                    series[
                        SeriesKey(name, "ExecuteStatement", "ok", Source.CONTEXT, cluster, "")
                    ] = Series(count, ns, billed_requests=count * 2, rows_returned=count * 7)
                    self.calls[cluster][hour][name] = ns
                    self.sums[cluster][name]["requests"] += count * 2
                    self.sums[cluster][name]["rows"] += count * 7
                window = Window(hour * 3600, 60, "w", number, series, {})
                LedgerExporter(self.folder / "ledger").export([window], float("inf"))
                number += 1
        return self.folder / "ledger"

    def bill(self):
        """Compute by the hour, I/O, storage and credits by cluster; the rest by account."""
        random_ = self.source
        for cluster in [*self.called, self.quiet]:
            account = cluster.split(":")[4]
            for hour in range(HOUR, HOUR + 6):
                self._charge("compute", account, cluster, hour, 0, 90000)
            self._charge("io", account, cluster, HOUR, 0, 50000)
            self._charge("storage", account, cluster, HOUR, 0, 50000)
            if random_.random() < 0.5:
                self._charge("credits", account, cluster, HOUR, -20000, 0)
        for account in {cluster.split(":")[4] for cluster in [*self.called, self.quiet]}:
            self._charge("data_api", account, "", HOUR, 0, 40000, random_.randint(0, 60000))
            self._charge("taxes", account, "", HOUR, 0, 70000)
        path = self.folder / "bill.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            # A zone's month needs the files of both of AWS's.
            for month in ("2026-10", "2026-11", "2026-12"):
                first, middle = f"{month}-01T00:00:00Z", f"{month}-15T00:00:00Z"
                nothing = [0, "us-east-1", "", "Data-API-Usage"]
                writer.writerow([0, 0, "9", ACCOUNTS[0], "USD", first, "Usage", middle, middle,
                                 *nothing])  # fmt: skip
            for pool, account, cluster, hour, amount, worth, quantity in self.charges:
                at = f"2026-11-20T{hour - HOUR + 10:02}:00:00Z"
                end = f"2026-11-20T{hour - HOUR + 11:02}:00:00Z"
                kind = {"credits": "Credit", "taxes": "Tax"}.get(pool, "Usage")
                money = [amount, worth, "9", account, "USD", "2026-11-01T00:00:00Z"]
                more = [quantity, "us-east-1", cluster, POOLS[pool][0]]
                writer.writerow([*money, kind, at, end, *more])
        return path

    def _charge(self, pool, account, cluster, hour, low, high, quantity=0):
        amount = worth = Decimal(self.source.randint(low, high)) / 1000
        if pool == "compute":
            # An hour of exactly half a cent is a tie in fractions, and none in weights of 10^-15.
            amount = worth = amount + Decimal(self.source.randint(1, 9999)) / 10**8
        if pool == "compute" and self.has_commitments:
            # Paid ahead, or a fee for what was used at another time.
            worth = Decimal(self.source.choice([0, low, self.source.randint(low, high)])) / 1000
            amount = self.source.choice([amount, Decimal(0)])
        self.charges.append((pool, account, cluster, hour, amount, worth, quantity))

    def parts(self):
        """What the page says of which charge is divided among whom."""
        found = defaultdict(lambda: [Fraction(0), Fraction(0), {}, 0])
        for pool, account, cluster, hour, billed, worth, quantity in self.charges:
            amount, other = (worth, billed) if self.is_amortized else (billed, worth)
            one = found[pool, account, cluster]
            one[0] += Fraction(amount) * 100
            one[1] += Fraction(other) * 100
            one[3] += quantity
            if pool == "compute" and amount:
                one[2][hour] = Fraction(amount)
        parts = [self._part(*key, *one) for key, one in found.items()]
        order = list(POOLS)
        return sorted(parts, key=lambda part: (order.index(part.pool), sorted(part.cells)))

    def _part(self, pool, account, cluster, cents, other, hours, quantity):
        known = [*self.called, self.quiet]
        within = [cluster] if cluster else [one for one in known if one.split(":")[4] == account]
        sums, calls = defaultdict(lambda: defaultdict(int)), defaultdict(lambda: defaultdict(int))
        for one in within:
            for tenant, of in self.sums.get(one, {}).items():
                for what, number in of.items():
                    sums[tenant][what] += number
            for hour, of_hour in self.calls.get(one, {}).items():
                for tenant, ns in of_hour.items():
                    calls[hour][tenant] += ns
        measured = sum(of["requests"] for of in sums.values())
        unmeasured = max(0, quantity - measured) if pool == "data_api" else 0
        return SimpleNamespace(
            cells=frozenset(within), pool=pool, driver=POOLS[pool][1], cents=cents, other=other,
            hours=hours, calls=calls, sums=sums, unmeasured=unmeasured,
        )  # fmt: skip


def agrees(seed, folder):
    """The number of cells that were compared."""
    world = World(seed, folder)
    usage, bill = world.ledger(), world.bill()
    mode = world.source.choice(["separate", "weighted", "even"])
    used = {
        hour: Decimal(world.source.randint(0, 100)) / 100 for hour in range(HOUR, HOUR + 6)
    } if world.source.random() < 0.5 else {}  # fmt: skip
    statement = monthly(
        usage, month="2026-11", bill=bill, idle=mode, drivers={"compute": "wall_time"},
        amortized=world.is_amortized,
        timezone=world.zone, capacity=Capacity(hourly=HourlyCapacity(used=used)),
    )  # fmt: skip
    names = [pool.name for pool in statement.pools]
    report = tuple(
        {
            (name, line.tenant): int(amount * 100)
            for line in statement.lines
            for name, amount in zip(names, of(line), strict=True)
            if amount
        }
        for of in (lambda line: line.amounts, lambda line: line.others or line.amounts)
    )
    expected = allocate(
        world.parts(), idle_mode=mode, used={hour: Fraction(part) for hour, part in used.items()}
    )
    assert report == expected, (seed, world.zone, mode)
    return sum(map(len, expected))


@pytest.mark.parametrize("seed", range(3))
def test_the_report_agrees_with_an_allocator_written_from_the_page(seed, tmp_path):
    """Clusters, accounts, zones, credits, commitments, idle modes: no cell differs."""
    assert agrees(seed, tmp_path) > 20


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 140))
def test_the_report_agrees_with_the_allocator_at_length(seed, tmp_path):
    """The same of more months."""
    assert agrees(seed, tmp_path) > 20
