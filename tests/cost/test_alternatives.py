"""Architectures priced side by side."""

from __future__ import annotations

from decimal import Decimal
from importlib import resources

import pytest

from tenantmetrics.cost.alternatives import (
    Setup,
    Workload,
    alternatives,
    clusters,
    smallest_instance,
)
from tenantmetrics.cost.period import parse_month
from tenantmetrics.cost.prices import built_in, load
from tenantmetrics.errors import PriceError

PRICES = built_in("us-east-1")
# November has 720 hours; half a unit of capacity in each is 360.
NOVEMBER = Workload(
    period=parse_month("2026-11"),
    requests=10_000_000,
    acu_hours=Decimal(360),
    peak_acu=Decimal("0.5"),
    storage_gb=Decimal(100),
    io_requests=Decimal(10_000_000),
)
SETUP = Setup(instance="db.t4g.medium")


def totals():
    return {(row.cluster, row.access): row.total for row in alternatives(NOVEMBER, SETUP, PRICES)}


def test_each_architecture_costs_what_its_parts_cost_at_list_prices():
    """Worked out by hand: ACU-hours, instance hours, GB, I/O, requests, the gateway's hours."""
    nat = 720 * (Decimal("0.045") + Decimal("0.005"))
    api = Decimal("3.50") + Decimal("0.40")
    assert totals() == {
        ("Serverless v2, standard", "Data API"): Decimal("43.20") + 10 + 2 + api,
        ("Serverless v2, standard", "PostgreSQL, NAT gateway"): Decimal("43.20") + 10 + 2 + nat,
        ("Serverless v2, I/O-Optimized", "Data API"): Decimal("56.16") + Decimal("22.5") + api,
        ("Serverless v2, I/O-Optimized", "PostgreSQL, NAT gateway"): (
            Decimal("56.16") + Decimal("22.5") + nat
        ),
        ("Provisioned db.t4g.medium, standard", "Data API"): Decimal("52.56") + 12 + api,
        ("Provisioned db.t4g.medium, standard", "PostgreSQL, NAT gateway"): (
            Decimal("52.56") + 12 + nat
        ),
        ("Provisioned db.t4g.medium, I/O-Optimized", "Data API"): (
            Decimal("68.40") + Decimal("22.5") + api
        ),
        ("Provisioned db.t4g.medium, I/O-Optimized", "PostgreSQL, NAT gateway"): (
            Decimal("68.40") + Decimal("22.5") + nat
        ),
    }


def test_the_instance_has_the_memory_of_the_busiest_hour(tmp_path):
    """The cheapest class that holds 2 GiB a unit; none that large is an error, and so is none."""
    assert smallest_instance(PRICES, Decimal("0.5")) == "db.t4g.medium"
    assert smallest_instance(PRICES, Decimal(2)) == "db.t4g.medium"
    assert smallest_instance(PRICES, Decimal("4.5")) == "db.r6g.large"
    with pytest.raises(PriceError, match="no entry in instances has the 520 GiB of 260 ACU"):
        smallest_instance(PRICES, Decimal(260))
    with pytest.raises(PriceError, match=r"no price for instance 'db.x'"):
        clusters(NOVEMBER, Setup(instance="db.x"), PRICES)


def test_a_price_file_may_leave_out_what_only_the_comparison_needs(tmp_path):
    """It still makes a report; the comparison names what is missing."""
    text = (resources.files("tenantmetrics.cost.prices") / "us-east-1.toml").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(("nat_", "public_"))]
    path = tmp_path / "prices.toml"
    path.write_text("\n".join(lines))
    short = load(path)
    with pytest.raises(PriceError, match=r"entry prices.nat_gateway_hour is missing"):
        alternatives(NOVEMBER, SETUP, short)
    path.write_text("\n".join(lines).replace("hour = 0.073,", "hour = -1,"))
    with pytest.raises(PriceError, match=r"instances.db.t4g.medium: entry hour is -1"):
        load(path)
