"""Random bills: whatever is in the file is in a pool, once, exactly."""

from __future__ import annotations

import csv
import random
from decimal import Decimal

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tenantmetrics.cost.bill import load
from tenantmetrics.cost.period import parse_month

NOVEMBER = parse_month("2026-11")

amounts = st.decimals(-(10**9), 10**9, places=10) | st.decimals(-1, 1, places=18)
usage_types = st.sampled_from(
    ["Data-API-Usage", "EUW2-Aurora:ServerlessV2Usage", "Aurora:StorageUsage", "BoxUsage:x", "",
     "APS1-CW:Requests", 'odd, "quoted"\ntype']
)  # fmt: skip
rows = st.lists(
    st.tuples(amounts, usage_types, st.sampled_from(["Usage", "Tax", "Credit", "Purchase"]),
              st.integers(1, 30), st.integers(0, 23)),
    min_size=1, max_size=30,
)  # fmt: skip


def focus(number, amount, usage_type, kind, day, hour):
    start = f"2026-11-{day:02}T{hour:02}:00:00Z"
    end = f"2026-11-{day:02}T{hour + 1:02}:00:00Z" if hour < 23 else f"2026-11-{day:02}T23:59:59Z"
    return {
        "BilledCost": f"{amount}", "BillingCurrency": "USD", "BillingPeriodStart": "2026-11-01",
        "ChargeCategory": kind, "ChargePeriodStart": start, "ChargePeriodEnd": end,
        "ResourceId": f"r{number}", "x_UsageType": usage_type,
    }  # fmt: skip


def cur(number, amount, usage_type, kind, day, hour):
    return {
        "identity/LineItemId": f"id{number}", "identity/TimeInterval": "x",
        "bill/BillingPeriodStartDate": "2026-11-01T00:00:00Z",
        "lineItem/LineItemType": kind, "lineItem/UsageType": usage_type,
        "lineItem/UsageStartDate": f"2026-11-{day:02}T{hour:02}:00:00Z",
        "lineItem/UsageEndDate": f"2026-11-{day:02}T{hour:02}:59:59Z",
        "lineItem/CurrencyCode": "USD", "lineItem/UnblendedCost": f"{amount}",
    }  # fmt: skip


def write(path, lines):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


def amount_of(bill, pool):
    return bill.pools[pool].amount if pool in bill.pools else 0


def check(folder, charges, form, seed):
    lines = [form(number, *charge) for number, charge in enumerate(charges)]
    whole, shuffled, parquet = (folder / n for n in ("whole.csv", "shuffled.csv", "whole.parquet"))
    write(whole, lines)
    random.Random(seed).shuffle(lines)
    write(shuffled, lines)
    duckdb.sql(f"COPY (FROM read_csv('{whole}', all_varchar=true)) TO '{parquet}'")
    bill = load([whole], NOVEMBER)
    assert bill.total == sum(amount for amount, *_ in charges)
    assert sum(pool.rows for pool in bill.pools.values()) == len(charges)
    for kind, pool in (("Tax", "taxes"), ("Credit", "credits")):
        # A credit for what no pool takes stays with it.
        of_pools = [
            a for a, usage_type, k, *_ in charges
            if k == kind and (k == "Tax" or not usage_type or usage_type[:10] != "BoxUsage:x")
            and (k == "Tax" or not usage_type.startswith("odd"))
        ]  # fmt: skip
        assert amount_of(bill, pool) == sum(of_pools)
    by_hour = bill.compute_by_hour
    assert not by_hour or sum(by_hour.values()) == amount_of(bill, "compute")
    for other in (shuffled, parquet):
        assert load([other], NOVEMBER).pools == bill.pools
    if len(lines) > 1:
        # Parts of an export in files of their own are the same bill.
        write(folder / "part1.csv", lines[: len(lines) // 2])
        write(folder / "part2.csv", lines[len(lines) // 2 :])
        parts = [folder / "part1.csv", folder / "part2.csv"]
        assert load(parts, NOVEMBER).pools == bill.pools


# Each case reads five files; shrinking one would take minutes.
CASES = settings(
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@settings(CASES, max_examples=settings.default.max_examples // 12)
@given(rows, st.sampled_from([focus, cur]), st.integers())
def test_a_bill_holds_every_charge_of_its_file_once(tmp_path, charges, form, seed):
    """CSV or Parquet, shuffled or in parts: the same pools, and their sum is the file's."""
    check(tmp_path, charges, form, seed)


@pytest.mark.long
@settings(CASES, max_examples=150)
@given(rows, st.sampled_from([focus, cur]), st.integers())
def test_many_random_bills_hold_every_charge_once(tmp_path, charges, form, seed):
    """The same, for longer."""
    check(tmp_path, charges, form, seed)


def test_the_sum_is_exact_where_doubles_are_not(tmp_path):
    """A thousand tenths of a millionth beside a thousand millions."""
    lines = [focus(0, Decimal(10**9), "Data-API-Usage", "Usage", 1, 0)]
    lines += [focus(n, Decimal("1E-7"), "Data-API-Usage", "Usage", 1, 0) for n in range(1, 1001)]
    write(tmp_path / "a.csv", lines)
    assert load([tmp_path / "a.csv"], NOVEMBER).total == Decimal("1000000000.0001")
