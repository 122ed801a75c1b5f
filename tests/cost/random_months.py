"""Random months for the allocator: clusters of two accounts, their calls and load, their money.

`on_bill` and `at_list_prices` make a month's statement, and the parts that docs/report.md says it
has: which charge is divided among whom, and by what.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from allocator import tiered

from tenantmetrics.cost import AllocationRequest, Capacity, monthly
from tenantmetrics.cost.inputs import HourlyCapacity
from tenantmetrics.cost.prices import Tier, built_in
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import Series, SeriesKey, Source, Window
from tenantmetrics.serverside import tables
from tenantmetrics.statement_table import StatementTable

HOUR = 1_795_168_800 // 3600  # 2026-11-20 10:00 UTC
HOURS = range(HOUR, HOUR + 6)
ACCOUNTS = ("111122223333", "444455556666")
POOLS = {
    "data_api": ("Data-API-Usage", "requests"), "compute": ("Aurora:ServerlessV2Usage", "time"),
    "io": ("Aurora:StorageIOUsage", "rows"), "storage": ("Aurora:StorageUsage", "stored"),
    "credits": ("Aurora:ServerlessV2Usage", "proportional"), "taxes": ("", "proportional"),
    "unclassified": ("BoxUsage:m5.large", "nothing"),
}  # fmt: skip
COLUMNS = (
    "BilledCost", "EffectiveCost", "BillingAccountId", "SubAccountId", "BillingCurrency",
    "BillingPeriodStart", "ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd",
    "ConsumedQuantity", "RegionId", "ResourceId", "x_UsageType", "ServiceName",
)  # fmt: skip
MS = 10**6


def arn(account, name):
    return f"arn:aws:rds:us-east-1:{account}:cluster:{name}"


@dataclass
class Part:
    """One charge, and what it is divided by."""

    pool: str
    driver: str
    amounts: tuple[Fraction, Fraction]
    cells: frozenset[str] = frozenset()
    sums: dict = field(default_factory=dict)
    hours: dict = field(default_factory=dict)
    spent: dict = field(default_factory=dict)
    sessions: dict = field(default_factory=dict)
    used: dict = field(default_factory=dict)
    unmeasured: int = 0
    is_server_time: bool = False


class World:
    """A random month.

    Args:
        seed: What repeats it.
        folder: Where its files lie.
    """

    def __init__(self, seed, folder):
        self.source = random.Random(seed)
        self.folder = folder
        self.called = [arn(self.source.choice(ACCOUNTS), f"c{n}") for n in range(4)]
        self.quiet = arn(ACCOUNTS[0], "nobody-calls")
        self.division = self.source.choice(["wall_time", "wall", "performance-insights"])
        self.idle = self.source.choice(["separate", "weighted", "even"])
        self.has_storage = self.source.random() < 0.5
        self.stored = {}
        self.spent = defaultdict(lambda: defaultdict(dict))
        self.sums = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
        self.hours, self.used = set(), {}
        if self.source.random() < 0.3:
            # Of 9 digits: half a cent of time may fall either way, as the page says.
            parts = [Decimal(self.source.randint(0, 10**9)) / 10**9 for _ in HOURS]
            self.used = dict(zip(HOURS, [Decimal(0), Decimal(1), *parts[2:]], strict=True))
        self._ledger()
        self._storage()

    def request(self, **more):
        """What is asked for, but the money."""
        return AllocationRequest(
            usage=self.folder / "ledger", month="2026-11", idle=self.idle,
            drivers={"compute": "wall_time"} if self.division == "wall_time" else None,
            server_time="auto" if self.division == "wall_time" else self.division,
            storage=self.folder / "storage.csv" if self.has_storage else None, **more,
        )  # fmt: skip

    def _ledger(self):
        """Every cluster has tenants of its own and shared ones, and hours that nobody calls."""
        number = 0
        for cluster in self.called:
            for hour in HOURS:
                tenants = self.source.sample(range(9), self.source.randint(0, 4))
                if not tenants and hour == HOUR:
                    tenants = [1]
                names = [f"t{tenant}" for tenant in tenants]
                if names:
                    window = self._window(cluster, hour, names, number)
                    LedgerExporter(self.folder / "ledger").export([window], float("inf"))
                    number += 1
                    self.hours.add(hour)
                if self.division == "performance-insights":
                    self._load(cluster, hour, names)

    def _window(self, cluster, hour, names, number):
        series, table = {}, StatementTable()
        for name in names:
            if self.division == "performance-insights":
                # All of them overhead: of what the server says nothing is left for the record.
                count = 2 * self.source.randint(30, 400)
                ns, waited = count * 20 * MS, 0
                for fingerprint, kind in enumerate(("work", "workless"), start=1):
                    each = count // 2
                    half, us2 = each // 2, 1000**2
                    mixed = half * (19**2 + 21**2) * us2 + (each % 2) * 20**2 * us2
                    key = (cluster, "app", fingerprint, f"SELECT {kind}", kind)
                    table.add(name, key, each, each * 20 * MS, mixed, 0, each, each, each, 0)
            else:
                ns, count = self.source.randint(10**6, 10**10), self.source.randint(1, 999)
                waited = self.source.choice([0, ns // 3])
                self.spent[cluster][hour][name] = ns - waited * (self.division == "wall")
            key = SeriesKey(name, "ExecuteStatement", "ok", Source.CONTEXT, cluster, "app")
            series[key] = Series(
                count, ns, waited_ns=waited, billed_requests=count * 2, rows_returned=count * 7
            )
            self.sums[cluster][name]["requests"] += count * 2
            self.sums[cluster][name]["rows"] += count * 7
        return Window(hour * 3600, 3600, "w", number, series, {}, statements=table)

    def _load(self, cluster, hour, names):
        """Performance Insights: each tenant's load, and load of nobody's."""
        loads = {name: self.source.randint(2, 700) / 3600 for name in names}
        nobodys = self.source.choice([0, self.source.randint(300, 3000) / 3600])
        rows = [
            {
                "start_s": hour * 3600, "period_s": 3600, "resource_arn": cluster, "instance": "i",
                "dimension": "application", "name": name, "load_aas": load,
            }
            for name, load in {"": sum(loads.values()) + nobodys, **loads}.items()
        ]  # fmt: skip
        source = tables.source_id(cluster)
        tables.write(self.folder / "ledger", tables.PERFORMANCE_INSIGHTS, hour * 3600, source, rows)
        of_hour = loads | ({"__unmetered__": nobodys} if nobodys else {})
        self.spent[cluster][hour] = {
            name: Fraction(load) * 3600 * 10**9 for name, load in of_hour.items()
        }

    def _storage(self):
        """A file of measured bytes: tenants that call, and one that does not."""
        if self.has_storage:
            self.stored = {f"t{n}": self.source.randint(0, 10**12) for n in (*range(9), 77)}
            rows = "".join(f"{name},{size}\n" for name, size in self.stored.items())
            (self.folder / "storage.csv").write_text(f"tenant,bytes\n{rows}")

    def part(self, pool, amounts, clusters, **more):
        """A charge of some clusters."""
        sums, spent = defaultdict(lambda: defaultdict(int)), defaultdict(lambda: defaultdict(int))
        everywhere = set(clusters) >= set(self.called)
        of_all = pool == "storage" and set(clusters) & set(self.called)
        for cluster in self.called if of_all else clusters:
            for tenant, of in self.sums.get(cluster, {}).items():
                for what, number in of.items():
                    sums[tenant][what] += number
            for hour, of_hour in self.spent.get(cluster, {}).items():
                for tenant, ns in of_hour.items():
                    spent[hour][tenant] += ns
        if of_all or everywhere:
            for tenant, size in self.stored.items():
                sums[tenant]["stored"] = size
        return Part(
            pool, POOLS[pool][1], amounts, sums=sums, spent=spent,
            used={hour: Fraction(part) for hour, part in self.used.items()},
            is_server_time=self.division == "performance-insights", **more,
        )  # fmt: skip


def at_list_prices(world):
    """An estimate with price tiers: its statement and its parts."""
    source = world.source
    borders = sorted(source.sample(range(1, 100_000), 2))
    tiers = [*zip(borders, (Decimal(9_000), Decimal(500)), strict=True), (None, Decimal(4_000))]
    flat = {"acu_hour": Decimal(source.randint(1, 9999)) / 7000, "io_million": Decimal(4321)}
    known = built_in("us-east-1")
    prices = replace(
        known, flat={**known.flat, **flat},
        tiers={**known.tiers, "data_api_million": tuple(Tier(*tier) for tier in tiers)},
    )  # fmt: skip
    acu = {hour: Decimal(source.randint(1, 3200)) / 100 for hour in HOURS}
    io = {hour: Decimal(source.randint(0, 5000)) for hour in HOURS}
    is_flat = source.random() < 0.5
    hourly = HourlyCapacity(acu=acu, used=world.used, io_requests=io)
    capacity = Capacity(acu=acu[HOUR]) if is_flat else Capacity(hourly=hourly)
    statement = monthly(world.request(prices=prices, capacity=capacity))
    parts = {pool: world.part(pool, (), world.called) for pool in ("data_api", "compute")}
    if is_flat:
        called = range(min(world.hours), max(world.hours) + 1)
        acu = dict.fromkeys(called, acu[HOUR])
        parts["compute"].used = {}
    else:
        parts["io"] = world.part("io", (), world.called)
        amount = Fraction(sum(io.values()) * flat["io_million"]) / 10**6
        parts["io"].amounts = (amount * 100,) * 2
    if world.has_storage:
        parts["storage"] = world.part("storage", (), world.called)
        price = known.flat["storage_gb_month"]
        amount = Fraction(sum(world.stored.values())) * Fraction(price) / 2**30
        parts["storage"].amounts = (amount * 100,) * 2
    requests = sum(of["requests"] for of in parts["data_api"].sums.values())
    per_request = [(up_to, Fraction(price) / 10**6) for up_to, price in tiers]
    parts["data_api"].amounts = (tiered(requests, per_request) * 100,) * 2
    compute = parts["compute"]
    compute.amounts = (Fraction(sum(acu.values()) * flat["acu_hour"]) * 100,) * 2
    compute.hours = {hour: Fraction(amount) for hour, amount in acu.items()}
    compute.sessions = {hour: Fraction(amount) / 4 for hour, amount in acu.items()}
    return statement, list(parts.values())


def on_bill(world):
    """A bill in FOCUS, in some zone, with commitments, credits and taxes: statement and parts."""
    bill = _Bill(world)
    statement = monthly(
        world.request(
            bill=bill.file(), amortized=bill.is_amortized,
            timezone=world.source.choice(["UTC", "Asia/Kolkata", "America/New_York"]),
            capacity=Capacity(hourly=HourlyCapacity(used=world.used)),
        )
    )  # fmt: skip
    return statement, bill.parts()


class _Bill:
    """Compute by the hour, I/O, storage and credits by cluster; the rest by account."""

    def __init__(self, world):
        self.world, self.source = world, world.source
        self.has_commitments = self.source.random() < 0.6
        self.is_amortized = self.source.random() < 0.5
        self.has_capacity = self.source.random() < 0.5
        self.charges = []
        self.clusters = [*world.called, world.quiet]
        for cluster in self.clusters:
            account = cluster.split(":")[4]
            for hour in HOURS:
                acu_hours = self.source.randint(1, 16) if self.has_capacity else 0
                self._charge("compute", account, cluster, hour, 0, 90000, acu_hours)
            self._charge("io", account, cluster, HOUR, 0, 50000)
            self._charge("storage", account, cluster, HOUR, 0, 50000)
            if self.source.random() < 0.5:
                self._charge("credits", account, cluster, HOUR, -20000, 0)
        for account in sorted({cluster.split(":")[4] for cluster in self.clusters}):
            requests = self.source.randint(0, 60000)
            self._charge("data_api", account, "", HOUR, 0, 40000, requests)
            self._charge("taxes", account, "", HOUR, 0, 70000)
            self._charge("unclassified", account, "", HOUR, 0, 60000)

    def _charge(self, pool, account, cluster, hour, low, high, quantity=0):
        amount = worth = Decimal(self.source.randint(low, high)) / 1000
        if pool == "compute":
            # An hour of exactly half a cent is a tie in fractions, and none in weights of 10^-15.
            amount = worth = amount + Decimal(self.source.randint(1, 9999)) / 10**8
        if pool == "compute" and self.has_commitments:
            # Paid ahead, or a fee for what was used at another time.
            worth = self.source.choice([Decimal(0), worth, worth / 2, worth * 3])
            amount = self.source.choice([amount, Decimal(0)])
        self.charges.append((pool, account, cluster, hour, amount, worth, quantity))

    def file(self):
        """The bill."""
        path = self.world.folder / "bill.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            # A zone's month needs the files of both of AWS's.
            for month in ("2026-10", "2026-11", "2026-12"):
                first, middle = f"{month}-01T00:00:00Z", f"{month}-15T00:00:00Z"
                nothing = [0, "us-east-1", "", "Data-API-Usage", "Amazon RDS"]
                writer.writerow([0, 0, "9", ACCOUNTS[0], "USD", first, "Usage", middle, middle,
                                 *nothing])  # fmt: skip
            for pool, account, cluster, hour, amount, worth, quantity in self.charges:
                at = f"2026-11-20T{hour - HOUR + 10:02}:00:00Z"
                end = f"2026-11-20T{hour - HOUR + 11:02}:00:00Z"
                kind = {"credits": "Credit", "taxes": "Tax"}.get(pool, "Usage")
                money = [amount, worth, "9", account, "USD", "2026-11-01T00:00:00Z"]
                service = "Amazon EC2" if pool == "unclassified" else "Amazon RDS"
                more = [quantity, "us-east-1", cluster, POOLS[pool][0], service]
                writer.writerow([*money, kind, at, end, *more])
        return path

    def parts(self):
        """What the page says of which charge is divided among whom."""
        found = defaultdict(list)
        for charge in self.charges:
            found[charge[:3]].append(charge[3:])
        parts = [self._part(*key, charges) for key, charges in found.items()]
        order = list(POOLS)
        return sorted(parts, key=lambda part: (order.index(part.pool), sorted(part.cells)))

    def _part(self, pool, account, cluster, charges):
        if pool == "unclassified":
            # Another service's: taxes and credits of RDS are none of it.
            sides = [Fraction(charges[0][side]) * 100 for side in (1, 2)]
            return Part(pool, POOLS[pool][1], tuple(sides), cells=frozenset({"elsewhere"}))
        of_account = [name for name in self.clusters if name.split(":")[4] == account]
        clusters = [cluster] if cluster else of_account
        sides = [sum(Fraction(charge[side]) * 100 for charge in charges) for side in (1, 2)]
        part = self.world.part(
            pool, tuple(reversed(sides) if self.is_amortized else sides), clusters,
            cells=frozenset(clusters),
        )  # fmt: skip
        if pool == "compute":
            chosen = 2 if self.is_amortized else 1
            part.hours = {
                charge[0]: Fraction(charge[chosen]) for charge in charges if charge[chosen]
            }
            part.sessions = {charge[0]: Fraction(charge[3]) / 4 for charge in charges}
        if pool == "data_api":
            measured = sum(of["requests"] for of in part.sums.values())
            part.unmeasured = max(0, charges[0][3] - measured)
        return part
