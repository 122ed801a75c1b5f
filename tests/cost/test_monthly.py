"""From a real ledger through DuckDB to a statement."""

from __future__ import annotations

import random
import shutil
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenantmetrics.cost import Capacity, Idle, monthly, read_capacity
from tenantmetrics.cost.statement import LineKind, Usage
from tenantmetrics.errors import LedgerError, PriceError, ReportError
from tenantmetrics.records import IDLE, OVERFLOW, UNATTRIBUTED
from tenantmetrics.report.terminal import as_text

ONE_ACU = Capacity(acu=Decimal(1))


def totals(statement):
    return {line.tenant: line.total for line in statement.lines}


def test_usage_is_summed_exactly_and_prices_are_list_prices(ledger, write_hour):
    """Two windows of one tenant: every number adds up, and the money is usage times price."""
    write_hour("2026-11-20T21:00", {"acme": (3, 40)})
    write_hour("2026-11-20T21:01", {"acme": (2, 60)}, outcome="BadRequestException")
    statement = monthly(ledger, month="2026-11", capacity=ONE_ACU)
    acme = statement.lines[0]
    assert acme.usage == Usage(
        calls=5, failed_calls=2, duration_ns=100_000_000, billed_requests=5, request_bytes=500,
        response_bytes=5000, rows_returned=50, rows_written=5,
    )  # fmt: skip
    assert [pool.amount for pool in statement.pools] == [Decimal("0.00"), Decimal("0.12")]
    assert totals(statement) == {"acme": Decimal("0.12"), UNATTRIBUTED: 0}
    assert statement.estimate
    assert statement.currency == "USD"


def test_compute_is_divided_hour_by_hour(ledger, write_hour):
    """Being alone in an hour costs the whole hour, however little it was used."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1), "bee": (1, 3)})
    write_hour("2026-11-20T11:00", {"bee": (1, 500)})
    statement = monthly(ledger, month="2026-11", capacity=Capacity(acu=Decimal(100)))
    compute = {line.tenant: line.amounts[1] for line in statement.lines}
    assert compute == {"acme": Decimal(3), "bee": Decimal(21), UNATTRIBUTED: 0}


def test_of_a_known_total_each_nanosecond_costs_the_same(ledger, write_hour):
    """With only the bill's ACU-hours, compute is divided by database time over the month."""
    write_hour("2026-11-20T10:00", {"acme": (1, 100), "bee": (1, 100)})
    write_hour("2026-11-20T11:00", {"bee": (1, 200)})
    statement = monthly(ledger, month="2026-11", capacity=Capacity(acu_hours=Decimal(1000)))
    compute = {line.tenant: line.amounts[1] for line in statement.lines}
    assert compute == {"acme": Decimal(30), "bee": Decimal(90), UNATTRIBUTED: 0}


def test_hours_without_a_call_are_idle(ledger, write_hour):
    """Between the first and the last call two of four hours had none."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    write_hour("2026-11-20T13:00", {"acme": (1, 1)})
    statement = monthly(ledger, month="2026-11", capacity=ONE_ACU)
    assert {line.tenant: line.amounts[1] for line in statement.lines} == {
        "acme": Decimal("0.24"), UNATTRIBUTED: 0, IDLE: Decimal("0.24"),
    }  # fmt: skip
    even = monthly(ledger, month="2026-11", capacity=ONE_ACU, idle=Idle.EVEN)
    assert {line.tenant: line.amounts[1] for line in even.lines} == {
        "acme": Decimal("0.48"), UNATTRIBUTED: 0,
    }  # fmt: skip


def test_calls_without_a_tenant_and_past_the_cap_have_lines_of_their_own(ledger, write_hour):
    """They are never spread over tenants, and the notes say what they are."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1), UNATTRIBUTED: (2, 2), OVERFLOW: (1, 1)})
    statement = monthly(ledger, month="2026-11", capacity=ONE_ACU)
    assert [line.kind for line in statement.lines] == [
        LineKind.TENANT, LineKind.UNATTRIBUTED, LineKind.OVERFLOW,
    ]  # fmt: skip
    assert statement.lines[1].amounts[1] == Decimal("0.06")
    assert any(OVERFLOW in note for note in statement.notes)


@pytest.mark.parametrize(
    ("acu_hours", "tenants", "quantum", "total"),
    [
        ("1440", {"acme": (1, 1)}, "0.01", "172.80"),
        ("1", {"acme": (1, 1)}, "0.01", "0.12"),
        # One digit may be half of an amount.
        ("0.5", {"acme": (1, 1), "bee": (1, 1)}, "0.0001", "0.0600"),
        ("0.5", {"acme": (1, 100), "bee": (1, 1)}, "0.0001", "0.0600"),
        ("0.1", {"acme": (1, 1)}, "0.0001", "0.0120"),
        ("0.005", {"acme": (1, 1)}, "0.000001", "0.000600"),
        ("0", {"acme": (90, 1), "bee": (1, 1)}, "0.000001", "0.000032"),
        # Millionths are the finest, and say something with one digit.
        ("0", {"acme": (9, 1), "bee": (1, 1)}, "0.000001", "0.000004"),
        # A tenth of what tenants cost may be zeros, and more than that may not.
        ("1", {"acme": (1, 90), "bee": (1, 1)}, "0.01", "0.12"),
        ("10", {f"t{n}": (1, 1) for n in range(200)}, "0.0001", "1.2001"),
        # What others' lines have says nothing of tenants.
        ("10", {"acme": (1, 1), UNATTRIBUTED: (1, 9999)}, "0.000001", "1.200001"),
        # Nothing to see in millionths either.
        ("0", {UNATTRIBUTED: (1, 1)}, "0.01", "0.00"),
    ],
)
def test_an_estimate_has_more_decimals_only_where_tenants_cents_would_say_little(
    ledger, write_hour, acu_hours, tenants, quantum, total
):
    """And then it says so; tenants of nine tenths of the cost have two digits each."""
    write_hour("2026-11-20T10:00", tenants)
    capacity = Capacity(acu_hours=Decimal(acu_hours))
    statement = monthly(ledger, month="2026-11", capacity=capacity)
    assert (f"{statement.quantum}", f"{statement.total}") == (quantum, total)
    text = as_text(statement)
    decimals = len(quantum) - len("0.")
    assert (f"Amounts have {decimals} decimals" in text) == (decimals > len("01"))
    assert f"total {total} USD" in text.lower() or total in text


def test_many_tenants_and_hours_add_up_to_the_cent(ledger, write_hour):
    """500 tenants with random usage over six hours: lines, pools and total agree."""
    rnd = random.Random(7)
    requests = 0
    for hour in range(6):
        usage = {f"t{n}": (rnd.randrange(1, 99), rnd.randrange(1, 9999)) for n in range(500)}
        write_hour(f"2026-11-20T{hour:02}:00", usage)
        requests += sum(calls for calls, _ in usage.values())
    statement = monthly(ledger, month="2026-11", capacity=Capacity(acu=Decimal("171.3")))
    assert statement.quantum == Decimal("0.01")
    exact = Decimal("171.3") * 6 * Decimal("0.12") + requests * Decimal("0.35") / 1_000_000
    assert sum(totals(statement).values()) == statement.total == round(exact, 2)


def test_only_windows_of_the_month_count_and_the_zone_moves_its_borders(ledger, write_hour):
    """23:30 UTC on 31 October is November in Berlin."""
    write_hour("2026-10-31T22:30", {"acme": (1, 1)})
    write_hour("2026-10-31T23:30", {"acme": (2, 1)})
    write_hour("2026-11-30T23:30", {"acme": (4, 1)})
    write_hour("2026-12-01T00:30", {"acme": (8, 1)})

    def calls(month, timezone):
        return monthly(ledger, month=month, timezone=timezone).lines[0].usage.calls

    assert calls("2026-11", "UTC") == 4
    assert calls("2026-11", "Europe/Berlin") == 2
    assert calls("2026-10", "UTC") == 3


def test_without_a_month_the_last_one_in_the_ledger_is_taken(ledger, write_hour):
    """The newest window says which."""
    write_hour("2026-10-31T22:30", {"acme": (1, 1)})
    write_hour("2026-11-01T00:30", {"acme": (1, 1)})
    assert monthly(ledger).period.label == "2026-11"


def test_a_month_that_is_not_over_is_a_draft(ledger, write_hour):
    """Until its last second has passed there may be more to come."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    end_s = monthly(ledger).period.end_s
    assert monthly(ledger, now_s=end_s - 1).draft == ("the month is not over",)
    assert monthly(ledger, now_s=end_s).draft == ()


def test_losses_are_noted_and_change_no_figure(ledger, write_hour):
    """What the writers say they lost stands in the notes."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)}, losses={"queue_full": 1234})
    statement = monthly(ledger, month="2026-11")
    assert any("lost 1,234 (queue_full)" in note for note in statement.notes)
    assert statement.lines[0].usage.calls == 1


def test_a_folder_that_is_missing_empty_or_no_folder_is_one_clear_error(tmp_path):
    """Each names the path."""
    with pytest.raises(LedgerError, match="nowhere' does not exist"):
        monthly(tmp_path / "nowhere")
    with pytest.raises(LedgerError, match="is empty"):
        monthly(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match=r"file. holds neither a ledger"):
        monthly(tmp_path / "file")
    (tmp_path / "file").rename(tmp_path / "one.parquet")
    with pytest.raises(LedgerError, match=r"one.parquet' is not a folder"):
        monthly(tmp_path / "one.parquet")


def test_a_month_without_data_says_what_is_there(ledger, write_hour):
    """The error names the month and the days that the ledger covers."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    with pytest.raises(ReportError, match=r"nothing for 2026-09 .*2026-11-20 to 2026-11-20"):
        monthly(ledger, month="2026-09")


def truncated(path):
    path.write_bytes(path.read_bytes()[:-20])


def garbled(path):
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(content)


def emptied(path):
    path.write_bytes(b"")


def other_columns(path):
    pq.write_table(pa.table({"tenant": ["acme"]}), path)


@pytest.mark.parametrize("spoil", [truncated, garbled, emptied, other_columns])
def test_a_corrupt_file_among_good_ones_is_refused_by_name(ledger, write_hour, spoil):
    """By default there is no report: the file is named, and the window that is missing without."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    bad = write_hour("2026-11-20T10:07", {"acme": (10, 1)})
    spoil(bad)
    with pytest.raises(LedgerError) as caught:
        monthly(ledger, month="2026-11")
    text = str(caught.value)
    assert text.startswith("1 ledger file cannot be read")
    assert str(bad.relative_to(ledger)) in text
    assert "2026-11-20 10:07:00 UTC of writer host-1" in text
    assert "\n" not in text


@pytest.mark.parametrize("spoil", [truncated, garbled, emptied, other_columns])
def test_asked_to_skip_the_rest_is_billed_and_what_was_left_out_is_said(ledger, write_hour, spoil):
    """The good file counts; the statement is a draft that names the bad one."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    bad = write_hour("2026-11-20T10:07", {"acme": (10, 1)})
    spoil(bad)
    statement = monthly(ledger, month="2026-11", skip_corrupt=True)
    assert statement.lines[0].usage.calls == 1
    assert str(bad.relative_to(ledger)) in statement.left_out
    assert any(bad.name in note for note in statement.notes)
    assert "usage that cannot be read was left out" in statement.draft


def test_a_stray_parquet_file_is_refused_by_name(ledger, write_hour):
    """A file that no exporter wrote is neither read nor passed over."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    other_columns(ledger / "bill.parquet")
    with pytest.raises(LedgerError, match=r"bill.parquet \(not named as the ledger exporter"):
        monthly(ledger, month="2026-11")


def test_with_every_file_corrupt_there_is_no_report_even_when_skipping(ledger, write_hour):
    """Nothing left is an error, and it still names the file."""
    bad = write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    truncated(bad)
    with pytest.raises(ReportError, match=f"nothing for 2026-11.*{bad.name}"):
        monthly(ledger, month="2026-11", skip_corrupt=True)


def test_temporary_and_foreign_files_are_passed_over(ledger, write_hour):
    """What a crashed writer left behind, and files that are no Parquet, are no part of it."""
    good = write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    (good.parent / f".{good.name}.tmp").write_bytes(b"PAR1")
    (ledger / "README.txt").write_text("hello")
    assert monthly(ledger, month="2026-11").lines[0].usage.calls == 1


def test_a_copy_of_a_file_counts_once_and_is_noted(ledger, write_hour):
    """Overlapping copies of a ledger do not bill anyone twice."""
    good = write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    (ledger / "backup").mkdir()
    shutil.copy(good, ledger / "backup")
    statement = monthly(ledger, month="2026-11")
    assert statement.lines[0].usage.calls == 1
    assert any("copies" in note for note in statement.notes)


def test_two_files_that_claim_the_same_window_and_differ_are_refused(ledger, write_hour):
    """Nobody can know which is right, so both are named."""
    first = write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    second = write_hour("2026-11-20T10:01", {"acme": (2, 1)})
    (ledger / "other").mkdir()
    second.rename(ledger / "other" / first.name)
    with pytest.raises(LedgerError, match="claim to be the same window and differ"):
        monthly(ledger, month="2026-11")


def test_a_file_of_a_newer_version_is_refused(ledger, write_hour):
    """Its columns may mean something else."""
    path = write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    path.rename(path.with_name(path.name.replace(".v2.", ".v3.")))
    with pytest.raises(LedgerError, match="newer tenantmetrics"):
        monthly(ledger, month="2026-11")


def test_a_price_file_replaces_the_list_prices(ledger, write_hour, tmp_path):
    """Another currency and price are used as they stand."""
    write_hour("2026-11-20T10:00", {"acme": (1_000_000, 1)})
    names = (
        "acu_hour acu_hour_io_optimized storage_gb_month storage_gb_month_io_optimized io_million "
        "backup_gb_month secret_month secret_calls_10k metric_month"
    )
    path = tmp_path / "prices.toml"
    path.write_text(
        'region = "eu-central-1"\ncurrency = "EUR"\ndated = 2026-01-01\n[prices]\n'
        + "".join(f"{name} = 2\n" for name in names.split())
        + "data_api_million = 500\n"
    )
    statement = monthly(ledger, month="2026-11", prices=path, capacity=ONE_ACU)
    assert (statement.currency, statement.total) == ("EUR", Decimal(502))
    path.write_text(path.read_text().replace("data_api_million = 500\n", ""))
    with pytest.raises(PriceError, match="data_api_million is missing"):
        monthly(ledger, month="2026-11", prices=path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"acu": Decimal(-1)},
        {"acu": Decimal("NaN")},
        {"acu_hours": Decimal("Infinity")},
        {"acu": Decimal(1), "acu_hours": Decimal(1)},
    ],
)
def test_an_impossible_capacity_is_refused(wrong):
    """Negative, not a number, or two answers to one question."""
    with pytest.raises(ReportError, match="capacity"):
        Capacity(**wrong)


def test_measured_capacity_divides_each_hour_by_its_own_cost_and_use(ledger, write_hour, tmp_path):
    """An hour at 10 ACU, half used; an hour at 2 ACU without a call; both from CloudWatch."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1), "bee": (1, 3)})
    path = tmp_path / "acu.csv"
    path.write_text(
        "hour,acu,utilization_percent\n2026-11-20T10:00Z,100,50\n2026-11-20T11:00Z,20,\n"
        "2026-12-01T00:00Z,1000,\n"
    )
    statement = monthly(ledger, month="2026-11", capacity=Capacity(hourly=read_capacity(path)))
    assert {line.tenant: line.amounts[1] for line in statement.lines} == {
        "acme": Decimal("1.5"), "bee": Decimal("4.5"), UNATTRIBUTED: 0, IDLE: Decimal("8.4"),
    }  # fmt: skip
    assert "120 ACU-hours in 2 measured hours" in statement.pools[1].detail


def test_hours_that_the_capacity_file_lacks_make_a_draft(ledger, write_hour, tmp_path):
    """What cannot be known is said, not guessed."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    write_hour("2026-11-20T12:00", {"acme": (1, 1)})
    path = tmp_path / "acu.csv"
    path.write_text("hour,acu\n2026-11-20T10:00Z,1\n")
    statement = monthly(ledger, month="2026-11", capacity=Capacity(hourly=read_capacity(path)))
    assert statement.total == Decimal("0.12")
    assert any("lacks 1 hour in" in reason for reason in statement.draft)
    path.write_text("hour,acu\n2026-10-20T10:00Z,1\n")
    with pytest.raises(ReportError, match="no hour of the period"):
        monthly(ledger, month="2026-11", capacity=Capacity(hourly=read_capacity(path)))


def test_the_hour_that_comes_twice_in_october_counts_twice(ledger, write_hour, tmp_path):
    """Berlin's October has 745 hours; 2:30 comes at 0:30 and at 1:30 UTC."""
    write_hour("2026-10-25T00:30", {"acme": (1, 1)})
    write_hour("2026-10-25T01:30", {"acme": (2, 1)})
    path = tmp_path / "acu.csv"
    first = 1_790_805_600  # 2026-09-30T22:00Z
    rows = (f"{datetime.fromtimestamp(first + 3600 * n, UTC).isoformat()},1\n" for n in range(745))
    path.write_text("hour,acu\n" + "".join(rows))
    statement = monthly(
        ledger,
        month="2026-10",
        timezone="Europe/Berlin",
        capacity=Capacity(hourly=read_capacity(path)),
        now_s=first + 745 * 3600,
    )
    assert statement.lines[0].usage.calls == 3
    assert "745 ACU-hours in 745 measured hours" in statement.pools[1].detail
    assert statement.draft == ()


def test_storage_is_billed_by_what_each_tenant_stores(ledger, write_hour, tmp_path):
    """A tenant that stored and did not call has a line too."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    path = tmp_path / "storage.csv"
    path.write_text(f"tenant,bytes\nacme,{30 * 2**30}\nold,{10 * 2**30}\n")
    statement = monthly(ledger, month="2026-11", storage=path)
    assert {line.tenant: line.amounts[2] for line in statement.lines} == {
        "acme": Decimal(3), "old": Decimal(1), UNATTRIBUTED: 0,
    }  # fmt: skip


def test_groups_and_revenue_come_from_a_file(ledger, write_hour, tmp_path):
    """Lines carry them; a tenant that the file does not know has none."""
    write_hour("2026-11-20T10:00", {"acme": (2, 1), "bee": (1, 1)})
    path = tmp_path / "tenants.csv"
    path.write_text("tenant,plan,revenue,region\nacme,pro,99.50,eu\nghost,free,0,us\n")
    statement = monthly(ledger, month="2026-11", tenants=path)
    assert statement.group_names == ("plan", "region")
    acme, bee, nobody = statement.lines
    assert (acme.groups, acme.revenue) == (("pro", "eu"), Decimal("99.50"))
    assert (bee.groups, bee.revenue) == (("", ""), None)
    assert nobody.tenant == UNATTRIBUTED


def test_drivers_can_be_chosen_by_pool(ledger, write_hour, tmp_path):
    """Compute by calls, Data API by fixed shares; a tenant with a share and no call has a line."""
    write_hour("2026-11-20T10:00", {"acme": (3_000_000, 1), "bee": (1_000_000, 99)})
    path = tmp_path / "tenants.csv"
    path.write_text("tenant,share\nacme,1\nghost,3\n")
    statement = monthly(
        ledger,
        month="2026-11",
        capacity=ONE_ACU,
        tenants=path,
        drivers={"compute": "calls", "data_api": "fixed"},
    )
    assert {line.tenant: line.amounts for line in statement.lines} == {
        "acme": (Decimal("0.35"), Decimal("0.09")),
        "bee": (Decimal(0), Decimal("0.03")),
        "ghost": (Decimal("1.05"), Decimal(0)),
        UNATTRIBUTED: (Decimal(0), Decimal(0)),
    }
