"""DBLoad by instance and hour, from CloudWatch as moto serves it."""

from __future__ import annotations

from datetime import UTC, datetime

import boto3
import pytest
from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.serverside import tables
from tenantmetrics.serverside.tables import DB_LOAD

HOUR = 3_600
ARN = "arn:aws:rds:us-east-1:123456789012:cluster:shop"


@pytest.fixture
def midnight():
    """Yesterday's: all its hours are over."""
    return int(datetime.now(UTC).timestamp()) // 86_400 * 86_400 - 86_400


@pytest.fixture
def cluster(aws_account):
    """A cluster of two instances; gives what puts an instance's metrics."""
    rds = boto3.client("rds")
    login = {"MasterUsername": "root", "MasterUserPassword": "hunter2hunter2"}
    rds.create_db_cluster(DBClusterIdentifier="shop", Engine="aurora-postgresql", **login)
    for name in ("shop-1", "shop-2"):
        rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBClusterIdentifier="shop",
            DBInstanceClass="db.r6g.large",
            Engine="aurora-postgresql",
        )
    rds.close()
    client = boto3.client("cloudwatch")

    def put(instance, at_s, **values):
        client.put_metric_data(
            Namespace="AWS/RDS",
            MetricData=[
                {
                    "MetricName": metric,
                    "Value": value,
                    "Timestamp": at_s,
                    "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": instance}],
                }
                for metric, value in values.items()
            ],
        )

    yield put
    client.close()


def run(ledger, *arguments):
    command = ["server-load", "db-load", "--cluster", "shop", "--ledger", str(ledger)]
    return CliRunner().invoke(app, [*command, *arguments])


def put_hour(put, instance, at_s, load):
    for minute in (0, 30):
        at = at_s + minute * 60
        put(instance, at, DBLoad=load, DBLoadCPU=load * 0.75, DBLoadNonCPU=load * 0.25)


def test_each_instances_hours_are_averages_of_their_minutes(cluster, midnight, tmp_path):
    """Both instances, with the cluster's ARN; run again nothing is there twice."""
    put_hour(cluster, "shop-1", midnight, 2.0)
    put_hour(cluster, "shop-1", midnight + HOUR, 4.0)
    put_hour(cluster, "shop-2", midnight, 1.0)
    for _ in range(2):
        result = run(tmp_path)
        assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert "3 instance hours, " in result.stdout
    rows = tables.read(tmp_path, DB_LOAD, midnight, midnight + 24 * HOUR).to_pylist()
    assert rows == [
        {
            "start_s": start_s,
            "period_s": HOUR,
            "resource_arn": ARN,
            "instance": instance,
            "load_aas": load,
            "cpu_aas": load * 0.75,
            "non_cpu_aas": load * 0.25,
        }
        for start_s, instance, load in [
            (midnight, "shop-1", 2.0),
            (midnight, "shop-2", 1.0),
            (midnight + HOUR, "shop-1", 4.0),
        ]
    ]


def test_an_instance_without_the_metric_is_named(cluster, midnight, tmp_path):
    """The others are written: the reader may not be in Performance Insights."""
    put_hour(cluster, "shop-1", midnight, 2.0)
    result = run(tmp_path)
    assert result.exit_code == 0
    assert "CloudWatch has no DBLoad of instance 'shop-2'" in result.stderr


def test_an_hour_with_part_of_the_metrics_is_left_out(cluster, midnight, tmp_path):
    """Its division would be a guess."""
    put_hour(cluster, "shop-1", midnight, 2.0)
    cluster("shop-1", midnight + HOUR, DBLoad=3.0)
    run(tmp_path)
    rows = tables.read(tmp_path, DB_LOAD, midnight, midnight + 24 * HOUR).to_pylist()
    assert [row["start_s"] for row in rows] == [midnight]


def test_a_cluster_without_the_metric_is_told_what_to_turn_on(cluster, tmp_path):
    """One line; nothing is written."""
    result = run(tmp_path / "ledger")
    assert result.exit_code == 1
    assert "has no DBLoad of cluster 'shop' (shop-1, shop-2)" in str(result.exception)
    assert "turn on Database Insights" in str(result.exception)
    assert not (tmp_path / "ledger").exists()


def test_days_that_cloudwatch_keeps_no_more_are_refused(cluster, tmp_path):
    """455 days."""
    result = run(tmp_path, "--since", "2024-02-01", "--until", "2024-02-02")
    assert "keeps metrics for 455 days, and 2024-02-01 is longer ago" in str(result.exception)


def test_days_to_come_are_refused(cluster, tmp_path):
    """No hour of theirs is over."""
    result = run(tmp_path, "--since", "2099-01-01", "--until", "2099-01-02")
    assert "no hour is over yet" in str(result.exception)


def test_without_a_network_it_is_one_line(aws_at, unused_port, tmp_path):
    """RDS is asked first."""
    aws_at(f"http://127.0.0.1:{unused_port}")
    result = run(tmp_path)
    assert "cluster 'shop' cannot be looked up in RDS (EndpointConnectionError)" in str(
        result.exception
    )
