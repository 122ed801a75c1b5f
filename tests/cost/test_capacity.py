"""How much of an hour was used: by the CPU, else by the load over the capacity."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from decimal import Decimal

import pytest

from tenantmetrics.cost import Capacity, monthly
from tenantmetrics.cost.bill.classify import sessions_of
from tenantmetrics.cost.capacity import IdleBy, Load, acu_sessions, cost_weights, used_parts
from tenantmetrics.cost.inputs import HourlyCapacity
from tenantmetrics.records import IDLE
from tenantmetrics.report.formats import Format, in_format
from tenantmetrics.serverside import tables

ARN = "arn:aws:rds:us-east-1:123456789012:cluster:shared"
START_S = 1_795_168_800  # 2026-11-20 10:00 UTC
HOUR = START_S // 3600
S = 10**9
FULL = 3600 * S


@pytest.mark.parametrize(
    ("spent_ns", "acu", "measured", "part", "by"),
    [
        # A call of 1 ms does not own the hour: 2 ACU keep half a session running.
        (10**6, 2, None, Decimal(10**6) / (1800 * S), IdleBy.LOAD),
        (900 * S, 2, None, Decimal("0.5"), IdleBy.LOAD),
        (FULL, 128, None, Decimal("0.03125"), IdleBy.LOAD),
        # A quarter of a session an ACU is what it can keep running; more is full.
        (5 * FULL, 2, None, Decimal(1), IdleBy.LOAD),
        (0, 2, None, Decimal(0), IdleBy.LOAD),
        (10**6, 2, "0.4", Decimal("0.4"), IdleBy.CPU),
        # No capacity is known: a session is the least that runs.
        (360 * S, 0, None, Decimal("0.1"), IdleBy.BUSIEST),
    ],
)
def test_the_used_part_is_measured_or_load_over_capacity(spent_ns, acu, measured, part, by):
    """The best that is known of an hour, and what it was."""
    load = Load({7: spent_ns}, told=frozenset({7}))
    used = used_parts(
        load,
        acu_sessions({7: Decimal(acu)}) if acu else {},
        {7: Decimal(measured)} if measured else {},
    )
    assert used.parts[7] == part
    assert used.by[7] is by


def test_without_a_capacity_the_busiest_hour_is_full():
    """Others are used by their part of its load."""
    load = Load({1: 8 * FULL, 2: 2 * FULL}, told=frozenset({1, 2}))
    assert used_parts(load, {}, {}).parts == {1: 1, 2: Decimal("0.25")}


def test_what_clients_waited_is_no_load():
    """Wall time leaves the hour whole, as long as nobody measured it."""
    used = used_parts(Load({1: 10**6}), {1: Decimal(1)}, {})
    weights = cost_weights({1: Decimal(1), 2: Decimal(1)}, {1: 10**6}, used)
    assert (weights.idle, weights.by) == (5 * 10**14, {IdleBy.NOTHING: 1, IdleBy.NO_CALLS: 1})


@pytest.mark.parametrize(
    ("usage_type", "sessions"),
    [
        ("Aurora:ServerlessV2Usage", "0.25"), ("EUW1-Aurora:ServerlessV2IOOptimizedUsage", "0.25"),
        ("InstanceUsage:db.r6g.large", 2), ("EUW2-InstanceUsage:db.r7g.16xlarge", 64),
        ("InstanceUsageIOOptimized:db.x2g.xlarge", 4), ("InstanceUsage:db.t4g.medium", 2),
        ("InstanceUsage:db.serverless", None), ("HeavyUsage:db.r6g.large", None), ("", None),
        ("InstanceUsage:db.r9z.metal", None),
    ],
)  # fmt: skip
def test_a_usage_type_says_what_its_capacity_can_keep_running(usage_type, sessions):
    """A quarter of a session an ACU, one a vCPU; of others it is not known."""
    assert sessions_of(usage_type) == (None if sessions is None else Decimal(sessions))


def say_load(ledger, sessions):
    """DBLoad of the two hours of `worked_ledger`."""
    for number, one in enumerate(sessions):
        start_s = START_S + number * 3600
        row = {
            "start_s": start_s, "period_s": 3600, "resource_arn": ARN, "instance": "i",
            "load_aas": one, "cpu_aas": 0.0, "non_cpu_aas": 0.0,
        }  # fmt: skip
        tables.write(ledger, tables.DB_LOAD, start_s, "test", [row])


def cur(path, usage_type, quantities, kind="Usage"):
    """A CUR of ten dollars an hour."""
    columns = (
        "line_item_unblended_cost,line_item_line_item_type,line_item_usage_type,"
        "line_item_currency_code,bill_billing_period_start_date,line_item_usage_start_date,"
        "line_item_usage_end_date,line_item_usage_amount,line_item_resource_id,bill_invoice_id"
    )
    rows = [
        f"10,{kind},{usage_type},USD,2026-11-01T00:00:00Z,2026-11-20T{10 + n}:00:00Z,"
        f"2026-11-20T{11 + n}:00:00Z,{quantity},{ARN},1"
        for n, quantity in enumerate(quantities)
    ]
    path.write_text("\n".join([columns, *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("usage_type", "quantities", "loads", "idle", "words"),
    [
        # 4 ACU keep a session running: half of the first hour, three quarters of the second.
        ("Aurora:ServerlessV2Usage", (4, 4), (0.5, 0.25), "12.50", "the capacity of 2 hours"),
        ("Aurora:ServerlessV2Usage", (16, 4), (0.5, 1), "8.75", "the capacity of 2 hours"),
        ("InstanceUsage:db.r6g.xlarge", (1, 1), (1, 2), "12.50", "the capacity of 2 hours"),
        ("InstanceUsage:db.r6g.large", (2, 1), (1, 1), "12.50", "the capacity of 2 hours"),
        # More load than the capacity can keep running leaves nothing.
        ("InstanceUsage:db.r6g.large", (1, 1), (9, 2), "0.00", "the capacity of 2 hours"),
        # An instance that says nothing of its size.
        ("InstanceUsage:db.mystery", (1, 1), (2, 0.5), "7.50", "2 hours beside the busiest one"),
    ],
)
def test_a_bill_by_the_hour_tells_its_capacity(
    worked_ledger, tmp_path, usage_type, quantities, loads, idle, words
):
    """Ten dollars an hour, of which the load leaves a part idle."""
    say_load(worked_ledger, loads)
    statement = monthly(
        worked_ledger, month="2026-11", bill=cur(tmp_path / "cur.csv", usage_type, quantities)
    )
    found = {line.tenant: line.total for line in statement.lines}
    assert found.get(IDLE, Decimal(0)) == Decimal(idle)
    assert words in statement.idle_by
    assert statement.total == 20


def test_measured_hours_and_a_file_of_capacity_go_first(worked_ledger, tmp_path):
    """The CPU's part of one hour, the file's ACUs of the other, not those on the bill."""
    say_load(worked_ledger, (0.5, 0.5))
    hourly = HourlyCapacity(
        acu={HOUR: Decimal(4), HOUR + 1: Decimal(8)}, used={HOUR: Decimal("0.9")}
    )
    statement = monthly(
        worked_ledger,
        month="2026-11",
        bill=cur(tmp_path / "cur.csv", "Aurora:ServerlessV2Usage", (4, 4)),
        capacity=Capacity(hourly=hourly),
    )
    found = {line.tenant: line.total for line in statement.lines}
    assert found[IDLE] == Decimal("1.00") + Decimal("7.50")
    assert "what the CPU did not use of 1 hour" in statement.idle_by
    assert "the capacity of 1 hour" in statement.idle_by


def test_every_format_says_what_made_the_idle_share(worked_ledger, tmp_path):
    """In words, where it shows the line or the pool."""
    say_load(worked_ledger, (0.5, 0.25))
    statement = monthly(
        worked_ledger,
        month="2026-11",
        bill=cur(tmp_path / "cur.csv", "Aurora:ServerlessV2Usage", (4, 4)),
    )
    words = "left of the capacity of 2 hours"
    for kind in (Format.HTML, Format.JSON, Format.CSV):
        assert words in in_format(statement, kind).decode()
    assert words in " ".join(in_format(statement, Format.TABLE).decode().split())
    book = zipfile.ZipFile(io.BytesIO(in_format(statement, Format.XLSX)))
    assert any(words in book.read(name).decode() for name in book.namelist() if "sheet" in name)
    rows = csv.DictReader(io.StringIO(in_format(statement, Format.FOCUS).decode()))
    (row,) = (row for row in rows if row["x_LineKind"] == "idle")
    assert words in json.loads(row["AllocatedMethodDetails"])["x_Meaning"]
