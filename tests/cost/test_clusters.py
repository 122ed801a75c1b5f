"""Usage and charges of several clusters: each cluster its own pools, hours and idle."""

from __future__ import annotations

import csv
import json
from decimal import Decimal

import pytest

from tenantmetrics.cost import BillFilter, Capacity, monthly
from tenantmetrics.cost.cluster_names import ClusterNames, read_clusters
from tenantmetrics.cost.of_clusters import clusters_of_capacity
from tenantmetrics.errors import ReportError
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import IDLE, SHARED, Series, SeriesKey, Source, Window

START_S = 1_795_168_800  # 2026-11-20 10:00 UTC
ARN = "arn:aws:rds:{1}:{2}:cluster:{0}"
ACCOUNT, OTHER = "111122223333", "444455556666"
ACU, API, TAX = "Aurora:ServerlessV2Usage", "Data-API-Usage", ""
NOW_S = 1_796_500_000  # December
IO = "Aurora:StorageIOUsage"


def arn(name, region="us-east-1", account=ACCOUNT):
    return ARN.format(name, region, account)


@pytest.fixture
def calls(ledger):
    """Write an hour of calls: cluster, tenant, calls, hour."""
    count = iter(range(1000))

    def write(*rows):
        for cluster, tenant, number, hour in rows:
            key = SeriesKey(tenant, "ExecuteStatement", "ok", Source.CONTEXT, cluster, "")
            series = Series(number, number * 10**8, billed_requests=number, rows_returned=number)
            window = Window(START_S + hour * 3600, 60, "w", next(count), {key: series}, {})
            LedgerExporter(ledger).export([window], float("inf"))
        return ledger

    return write


@pytest.fixture
def bill(tmp_path):
    """A FOCUS file: (amount, usage type, resource, hour or None, more columns)."""

    def make(*charges):
        path = tmp_path / "bill.csv"
        rows = []
        for amount, usage_type, resource, hour, *more in charges:
            start = "2026-11-01T00:00:00Z" if hour is None else f"2026-11-20T{10 + hour}:00:00Z"
            end = "2026-12-01T00:00:00Z" if hour is None else f"2026-11-20T{11 + hour}:00:00Z"
            rows.append({
                "BilledCost": amount, "EffectiveCost": amount, "BillingCurrency": "USD",
                "BillingAccountId": "999", "BillingPeriodStart": "2026-11-01T00:00:00Z",
                "ChargePeriodStart": start, "ChargePeriodEnd": end, "ConsumedQuantity": 1,
                "ChargeCategory": "Usage" if usage_type else "Tax", "RegionId": "us-east-1",
                "SubAccountId": ACCOUNT, "ResourceId": resource, "x_UsageType": usage_type,
                **(more[0] if more else {}),
            })  # fmt: skip
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return make


def totals(statement):
    return {line.tenant: line.total for line in statement.lines if line.total}


def of(statement, pool):
    place = [one.name for one in statement.pools].index(pool)
    return {line.tenant: line.amounts[place] for line in statement.lines if line.amounts[place]}


@pytest.mark.parametrize("resource", ["{}", "arn"])
def test_each_cluster_has_its_own_pools_and_hours(calls, bill, resource):
    """What one costs in an hour without its own calls is idle, though the other was called."""
    alpha, beta = (arn(n) if resource == "arn" else n for n in ("alpha", "beta"))
    usage = calls((arn("alpha"), "a", 5, 0), (arn("beta"), "b", 1, 0), (arn("beta"), "c", 3, 1))
    path = bill(
        (10, ACU, alpha, 0), (20, ACU, alpha, 1), (3, ACU, beta, 0), (4, ACU, beta, 1),
        (Decimal("0.9"), "Aurora:StorageIOUsage", beta, None),
    )  # fmt: skip
    statement = monthly(usage, month="2026-11", bill=path)
    assert of(statement, "compute") == {"a": 10, IDLE: 20, "b": 3, "c": 4}
    assert of(statement, "io") == {"b": Decimal("0.23"), "c": Decimal("0.67")}
    assert any("alpha: 30; beta: 7.9" in note for note in statement.notes)
    weighted = monthly(usage, month="2026-11", bill=path, idle="weighted")
    assert of(weighted, "compute") == {"a": 30, "b": 3, "c": 4}
    even = monthly(usage, month="2026-11", bill=path, idle="even")
    assert of(even, "compute") == {"a": 30, "b": 3, "c": 4}


def test_a_tenant_of_two_clusters_pays_in_each(calls, bill):
    """Its share of one says nothing of the other."""
    usage = calls((arn("alpha"), "a", 1, 0), (arn("beta"), "a", 1, 0), (arn("beta"), "b", 3, 0))
    path = bill((10, ACU, arn("alpha"), None), (8, ACU, arn("beta"), None))
    assert totals(monthly(usage, month="2026-11", bill=path)) == {"a": 12, "b": 6}


@pytest.mark.parametrize(
    ("resource", "more", "named"),
    [
        (arn("gamma"), {}, "gamma (7 USD)"),
        (arn("alpha", account=OTHER), {"SubAccountId": OTHER}, "alpha (7 USD)"),
        (arn("alpha", region="eu-west-1"), {"RegionId": "eu-west-1"}, "alpha (7 USD)"),
        ("", {"SubAccountId": OTHER}, "444455556666 us-east-1 (7 USD)"),
        ("", {"RegionId": "eu-west-1"}, "eu-west-1 (7 USD)"),
    ],
)
def test_charges_whose_cluster_has_no_usage_are_on_no_tenants_line(
    calls, bill, resource, more, named
):
    """And are named with their amount."""
    usage = calls((arn("alpha"), "a", 1, 0))
    path = bill((10, ACU, arn("alpha"), None), (7, ACU, resource, None, more))
    statement = monthly(usage, month="2026-11", bill=path)
    assert totals(statement) == {"a": 10, IDLE: 7}
    assert any(named in note for note in statement.notes)
    even = monthly(usage, month="2026-11", bill=path, idle="even")
    assert totals(even) == {"a": 10, IDLE: 7}


def test_usage_whose_cluster_has_no_charge_pays_nothing_and_is_named(calls, bill):
    """With its calls."""
    usage = calls((arn("alpha"), "a", 1, 0), (arn("beta"), "b", 1234, 0))
    statement = monthly(usage, month="2026-11", bill=bill((10, ACU, arn("alpha"), None)))
    assert totals(statement) == {"a": 10}
    assert any(f"{arn('beta')} (1,234 calls)" in note for note in statement.notes)


def test_what_names_no_cluster_is_of_its_accounts_clusters(calls, bill):
    """Requests of an account are divided among its clusters, taxes among what they are on."""
    other = arn("gamma", account=OTHER)
    usage = calls((arn("alpha"), "a", 1, 0), (arn("beta"), "b", 1, 0), (other, "c", 1, 0))
    path = bill(
        (30, ACU, arn("alpha"), None), (10, ACU, arn("beta"), None),
        (5, ACU, other, None, {"SubAccountId": OTHER}),
        (2, API, "", None, {"ConsumedQuantity": 2}),
        (Decimal("4.20"), TAX, "", None), (1, TAX, "", None, {"SubAccountId": OTHER}),
        (Decimal("0.47"), TAX, "", None, {"SubAccountId": "999"}),
    )  # fmt: skip
    statement = monthly(usage, month="2026-11", bill=path)
    assert of(statement, "data_api") == {"a": 1, "b": 1}
    assert of(statement, "taxes") == {
        "a": Decimal("3.10") + Decimal("0.31"), "b": Decimal("1.10") + Decimal("0.11"),
        "c": Decimal("1.05"),
    }  # fmt: skip


def test_a_tax_of_an_account_is_on_its_idle_clusters_too(calls, bill):
    """Half of what it is on belongs to a cluster that nobody called."""
    usage = calls((arn("alpha"), "a", 1, 0))
    path = bill((10, ACU, arn("alpha"), None), (10, ACU, arn("gamma"), None), (2, TAX, "", None))
    assert of(monthly(usage, month="2026-11", bill=path), "taxes") == {"a": 1, IDLE: 1}


NAMES = {
    "csv": "cluster,resource\nalpha,cluster-AAA1\nalpha,alpha-1\nbeta,cluster-BBB2\n",
    "json": json.dumps({"DBClusters": [
        {"DBClusterArn": arn("alpha"), "DbClusterResourceId": "cluster-AAA1",
         "DBClusterMembers": [{"DBInstanceIdentifier": "alpha-1"}]},
        {"DBClusterArn": arn("beta"), "DbClusterResourceId": "cluster-BBB2"},
    ]}),
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMES)
def test_a_file_says_which_resource_is_of_which_cluster(calls, bill, tmp_path, kind):
    """Resource ids and instances, which no ARN of a cluster tells."""
    names = tmp_path / f"names.{kind}"
    names.write_text(NAMES[kind])
    usage = calls((arn("alpha"), "a", 1, 0), (arn("beta"), "b", 1, 0))
    path = bill(
        (10, ACU, arn("cluster-AAA1"), None), (5, ACU, "cluster-BBB2", None),
        (2, "InstanceUsage:db.r6g.large", f"arn:aws:rds:us-east-1:{ACCOUNT}:db:alpha-1", None),
    )  # fmt: skip
    statement = monthly(usage, month="2026-11", bill=path, clusters=names, now_s=START_S)
    assert totals(statement) == {"a": 12, "b": 5}
    assert statement.draft == ("the month is not over",)
    only = BillFilter(cluster="alpha")
    filtered = monthly(usage, month="2026-11", bill=path, clusters=names, bill_filter=only)
    assert totals(filtered) == {"a": 12}


def test_resource_ids_that_no_file_explains_make_a_draft(calls, bill):
    """They are divided as if they were of one cluster, and that is no final bill."""
    usage = calls((arn("alpha"), "a", 1, 0), (arn("beta"), "b", 1, 0))
    path = bill((10, ACU, "cluster-AAA1", None), (6, ACU, "cluster-BBB2", None))
    statement = monthly(usage, month="2026-11", bill=path)
    assert totals(statement) == {"a": 8, "b": 8}
    assert any("cluster-AAA1 (10 USD), cluster-BBB2 (6 USD)" in why for why in statement.draft)
    named = monthly(usage, month="2026-11", bill=bill((10, ACU, "alpha", None),
                                                      (6, ACU, "cluster-BBB2", None)))  # fmt: skip
    assert totals(named) == {"a": 10, "b": 6}
    assert any("cluster-BBB2 (6 USD) are taken for those of beta" in n for n in named.notes)


@pytest.mark.parametrize("cluster", ["", arn("alpha"), "arn:x", "local"])
def test_usage_of_fewer_clusters_than_the_bills_needs_one_named(calls, bill, cluster):
    """Logs and metrics name no cluster, and resource ids say nothing: which one is it?"""
    usage = calls((cluster, "a", 1, 0))
    path = bill((10, ACU, "cluster-AAA1", None), (6, ACU, "cluster-BBB2", None))
    with pytest.raises(ReportError, match=r"cluster-AAA1 \(10 USD\), cluster-BBB2") as caught:
        monthly(usage, month="2026-11", bill=path)
    assert "bill_cluster" in caught.value.fields
    only = BillFilter(cluster="cluster-AAA1")
    assert totals(monthly(usage, month="2026-11", bill=path, bill_filter=only)) == {"a": 10}


def test_usage_that_names_no_cluster_says_so(calls, bill):
    """As exported logs and metrics do."""
    usage = calls(("", "a", 1, 0))
    statement = monthly(usage, month="2026-11", bill=bill((10, ACU, arn("alpha"), None)))
    assert totals(statement) == {"a": 10}
    assert any("names no cluster" in note for note in statement.notes)


def test_what_files_say_of_tenants_is_of_all_clusters(calls, bill, tmp_path):
    """No file says on which cluster a tenant stores its bytes: storage is divided as one."""
    stored = tmp_path / "storage.csv"
    stored.write_text("tenant,bytes\na,1000\nb,3000\n")
    usage = calls((arn("alpha"), "a", 1, 0), (arn("beta"), "b", 1, 0))
    path = bill(
        (10, ACU, arn("alpha"), None), (6, ACU, arn("beta"), None),
        (4, "Aurora:StorageUsage", arn("alpha"), None),
        (4, "Aurora:StorageUsage", arn("gamma"), None),
    )  # fmt: skip
    statement = monthly(usage, month="2026-11", bill=path, storage=stored)
    assert of(statement, "storage") == {"a": 1, "b": 3, SHARED: 4}
    assert of(statement, "compute") == {"a": 10, "b": 6}


@pytest.mark.parametrize("name", ["Prod", "PROD", ARN.format("Prod", "us-east-1", ACCOUNT), "pRo?"])
def test_a_clusters_name_is_known_in_any_case(calls, bill, name):
    """RDS stores it in lower case, whatever it was given."""
    ledger = calls((arn("prod"), "a", 1, 0))
    path = bill((10, IO, arn("prod"), 0), (5, IO, arn("product"), 0))
    statement = monthly(
        ledger, month="2026-11", bill=path, bill_filter=BillFilter(cluster=name), now_s=NOW_S
    )
    assert totals(statement) == {"a": 10}


@pytest.mark.parametrize(
    ("kind", "pool", "amount"), [("Credit", "credits", -8), ("Tax", "taxes", 8)]
)
def test_credits_and_taxes_are_not_of_services_without_a_pool(calls, bill, kind, pool, amount):
    """Those of RDS are RDS's: what EC2 costs on the same bill bears nothing of them."""
    ledger = calls((arn("prod"), "a", 3, 0), (arn("prod"), "b", 1, 0))
    rds = {"ServiceName": "Amazon Relational Database Service"}
    ec2 = {"ServiceName": "Amazon Elastic Compute Cloud"}
    path = bill(
        (40, IO, arn("prod"), 0, rds), (4, "Aurora:Unknown", arn("prod"), 0, rds),
        (amount, "", "", None, {**rds, "ChargeCategory": kind}),
        (500, "BoxUsage:m5.large", "", 0, ec2),
        (amount, "", "", None, {**ec2, "ChargeCategory": kind}),
    )  # fmt: skip
    statement = monthly(ledger, month="2026-11", bill=path, now_s=NOW_S)
    # What of RDS's own is in no pool bears its part.
    sign = 1 if amount > 0 else -1
    assert of(statement, pool) == {
        "a": Decimal("5.45") * sign, "b": Decimal("1.82") * sign,
        "unclassified": Decimal("0.73") * sign,
    }  # fmt: skip
    assert of(statement, "unclassified") == {"unclassified": 504 + amount}


@pytest.mark.parametrize(
    ("amount", "more", "expected"),
    [
        # A late charge, and a refund: in proportion to this month's hours, whatever hour it names.
        (5, {"ChargeClass": "Correction"}, {"a": 12, IDLE: 3}),
        (-5, {"ChargeClass": "Correction"}, {"a": 4, IDLE: 1}),
        (5, {}, {"a": 12, IDLE: 3}),
    ],
)
def test_a_correction_of_an_earlier_month_is_no_hour_of_this_one(
    calls, bill, amount, more, expected
):
    """It is named, and makes no hour idle in which nobody could have called."""
    ledger = calls((arn("prod"), "a", 1, 0))
    earlier = {
        "ChargePeriodStart": "2026-10-10T10:00:00Z", "ChargePeriodEnd": "2026-10-11T10:00:00Z",
        **more,
    }  # fmt: skip
    path = bill(
        (8, ACU, arn("prod"), 0, dict.fromkeys(more, "")),
        (2, ACU, arn("prod"), 1, dict.fromkeys(more, "")),
        (amount, ACU, arn("prod"), 0, earlier),
    )
    statement = monthly(
        ledger, month="2026-11", bill=path, drivers={"compute": "wall_time"}, now_s=NOW_S
    )
    assert of(statement, "compute") == expected
    assert any(f"of no hour: {amount} of compute" in note for note in statement.notes)


@pytest.mark.parametrize("kind", ["Refund", "Adjustment"])
def test_a_refund_is_named_and_is_a_credit(calls, bill, kind):
    """What it refunds is known to AWS only; it lowers no hour."""
    ledger = calls((arn("prod"), "a", 1, 0))
    path = bill(
        (8, ACU, arn("prod"), 0), (2, ACU, arn("prod"), 1),
        (-5, ACU, arn("prod"), 1, {"ChargeCategory": kind}),
    )  # fmt: skip
    statement = monthly(
        ledger, month="2026-11", bill=path, drivers={"compute": "wall_time"}, now_s=NOW_S
    )
    assert of(statement, "compute") == {"a": 8, IDLE: 2}
    assert of(statement, "credits") == {"a": -4, IDLE: -1}
    assert any("of earlier charges are among the credits: -5." in note for note in statement.notes)


def test_clusters_of_the_file_that_nobody_called_are_named(calls, bill, tmp_path):
    """Every row of it is used or named."""
    path = tmp_path / "clusters.csv"
    path.write_text("cluster,resource\nprod,cluster-ABC\nghost,cluster-XYZ\n")
    statement = monthly(
        calls((arn("prod"), "a", 1, 0)), month="2026-11", bill=bill((10, IO, "cluster-ABC", 0)),
        clusters=path, now_s=NOW_S,
    )  # fmt: skip
    assert totals(statement) == {"a": 10}
    assert any("neither called nor charged for: ghost." in note for note in statement.notes)


def test_names_of_clusters_and_instances_are_known_in_any_case(calls, bill, tmp_path):
    """RDS keeps them in lower case, whatever a list by hand says; a resource id is no name."""
    path = tmp_path / "clusters.csv"
    path.write_text("cluster,resource\nProd,PROD-1\nprod2,cluster-ABC\n")
    usage = calls(
        (arn("prod"), "a", 1, 0), (arn("prod2"), "b", 1, 0), (arn("cluster-abc"), "c", 1, 0)
    )
    instance = f"arn:aws:rds:us-east-1:{ACCOUNT}:db:prod-1"
    statement = monthly(
        usage, month="2026-11", clusters=path, now_s=NOW_S,
        bill=bill((10, "InstanceUsage:db.r6g.large", instance, 0), (5, ACU, "cluster-ABC", 0)),
    )  # fmt: skip
    assert totals(statement) == {"a": 10, "b": 5}
    assert not any("neither called" in note for note in statement.notes)


def test_a_name_in_another_case_is_of_a_cluster_only_where_it_is_of_one():
    """The last of a list would win in silence; and a resource id has one case."""
    names = ClusterNames({
        "DB1": "c1", "db1": "c2", "DB2": "c1", "db2": "C1", "cluster-ABC": "c1", "cluster-xyz": "c2"
    })  # fmt: skip
    wanted = {
        "DB1": "c1", "db1": "c2", "Db1": "", "Db2": "C1", "Cluster-Xyz": "c2",
        "cluster-ABC": "c1", "cluster-abc": "", "cluster-XYZ": "",
    }  # fmt: skip
    assert {name: names.cluster_of(name) for name in wanted} == wanted


def test_a_bill_of_cost_explorer_is_of_all_clusters(calls, tmp_path):
    """It knows neither resources nor accounts."""
    group = {"Keys": [API], "Metrics": {"UnblendedCost": {"Amount": "8", "Unit": "USD"}}}
    path = tmp_path / "ce.json"
    path.write_text(json.dumps({
        "GroupDefinitions": [{"Type": "DIMENSION", "Key": "USAGE_TYPE"}],
        "ResultsByTime": [{"TimePeriod": {"Start": "2026-11-01"}, "Groups": [group]}],
    }))  # fmt: skip
    usage = calls((arn("alpha"), "a", 1, 0), (arn("beta"), "b", 3, 0))
    assert totals(monthly(usage, month="2026-11", bill=path)) == {"a": 2, "b": 6}


@pytest.mark.parametrize(
    "text", ["cluster,resource\na,x\nb,x\n", "cluster\na\n", "cluster,resource\n,x\n"]
)
def test_a_file_of_names_that_says_two_things_is_refused(tmp_path, text):
    """A resource has one cluster."""
    path = tmp_path / "names.csv"
    path.write_text(text)
    with pytest.raises(ReportError):
        read_clusters(path)
    other = tmp_path / "names.json"
    no_name = '{"DBClusters": [{"DBClusterArn": null, "DbClusterResourceId": "cluster-A"}]}'
    for answer in ('{"DBInstances": []}', no_name):
        other.write_text(answer)
        with pytest.raises(ReportError, match="describe-db-clusters"):
            read_clusters(other)


@pytest.mark.parametrize(
    ("clusters", "named", "kept"),
    [
        ([arn("alpha"), arn("beta")], "alpha", [arn("alpha")]),
        ([arn("alpha"), arn("alpha-2")], "alpha", [arn("alpha")]),
        ([arn("alpha"), arn("beta")], arn("beta"), [arn("beta")]),
        ([arn("alpha"), arn("beta")], None, [arn("alpha"), arn("beta")]),
        ([""], "alpha", [""]),
    ],
)
def test_capacity_of_a_cluster_is_of_its_usage_only(clusters, named, kept):
    """Nobody else's calls are in its hours."""
    assert clusters_of_capacity(clusters, Capacity(cluster=named)) == kept


def test_capacity_of_a_cluster_that_was_not_called_is_refused():
    """Its hours are of none of those."""
    with pytest.raises(ReportError, match="the capacity is of cluster 'gamma'"):
        clusters_of_capacity([arn("alpha"), arn("beta")], Capacity(cluster="gamma"))
