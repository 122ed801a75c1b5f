"""Calls of known truth: overhead that does not depend on the tenant, and server time that does."""

import math
import random
from dataclasses import dataclass, field

from tenantmetrics.servertime import Moments

MEDIAN_NS = 20e6
SIGMA = 0.6
"""Of the overhead's logarithm: its 99th percentile is four times its median, as measured."""
MEAN_NS = MEDIAN_NS * math.exp(SIGMA**2 / 2)
VARIANCE = MEAN_NS**2 * math.expm1(SIGMA**2)


@dataclass
class Sums:
    """What the record holds of one tenant and statement, and the truth beside it."""

    calls: int = 0
    wall_ns: float = 0.0
    us2: float = 0.0
    server_ns: float = 0.0

    def add(self, wall_ns, server_ns):
        self.calls += 1
        self.wall_ns += wall_ns
        self.us2 += (wall_ns / 1000) ** 2
        self.server_ns += server_ns

    @property
    def moments(self):
        return Moments(self.calls, self.wall_ns, self.us2)


@dataclass
class World:
    """Tenants of many sizes that run a handful of statements.

    Statements reach from a look-up to an aggregate; a tenant's size multiplies what one takes.
    """

    seed: int
    tenants: int = 12
    calls: int = 200
    workless: int = 300
    source: random.Random = field(init=False)
    cells: dict = field(default_factory=dict)
    idle: Sums = field(default_factory=Sums)

    def __post_init__(self):
        self.source = random.Random(self.seed)
        costs = [0.05e6, 0.2e6, 1e6, 20e6, 150e6]
        sizes = [self.source.lognormvariate(0, 1) for _ in range(self.tenants)]
        for tenant, size in enumerate(sizes):
            chatty = self.source.random()
            for statement, cost in enumerate(costs):
                # Chatty tenants look up, heavy ones aggregate.
                tilt = (1 - chatty) ** 2 if statement >= 3 else chatty
                count = int(self.calls * tilt / (1 + statement))
                sums = self.cells.setdefault((tenant, statement), Sums())
                for _ in range(count):
                    server = cost * size * self.source.lognormvariate(0, 0.3)
                    sums.add(self.overhead() + server, server)
        for _ in range(self.workless):
            self.idle.add(self.overhead(), 0.0)

    def overhead(self):
        return self.source.lognormvariate(math.log(MEDIAN_NS), SIGMA)

    def of_statement(self, statement):
        """(tenant, sums) of a statement, in the tenants' order."""
        return [(t, sums) for (t, s), sums in self.cells.items() if s == statement]

    @property
    def statements(self):
        return sorted({statement for _, statement in self.cells})

    def truth(self):
        """Server time by tenant."""
        return [
            sum(sums.server_ns for (t, _), sums in self.cells.items() if t == tenant)
            for tenant in range(self.tenants)
        ]


def moved(estimate, truth):
    """Half the sum of the absolute differences of shares."""
    total, true_total = sum(estimate), sum(truth)
    pairs = zip(estimate, truth, strict=True)
    return sum(abs(a / total - b / true_total) for a, b in pairs) / 2
