"""A month's workload for the comparison of architectures, asked of CloudWatch."""

from __future__ import annotations

from decimal import Decimal

import boto3
import pytest

from tenantmetrics.cost import Capacity
from tenantmetrics.cost.prices import built_in
from tenantmetrics.cost.workload import measure
from tenantmetrics.export.ledger import LedgerExporter

GIB = 2**30


@pytest.fixture
def metrics(cloudwatch):
    """Put one hour of the cluster `shared`."""
    client = boto3.client("cloudwatch")

    def put(start_s, **values):
        client.put_metric_data(
            Namespace="AWS/RDS",
            MetricData=[
                {
                    "MetricName": name,
                    "Value": value,
                    "Timestamp": start_s,
                    "Dimensions": [{"Name": "DBClusterIdentifier", "Value": "shared"}],
                }
                for name, value in values.items()
            ],
        )

    yield put
    client.close()


def test_a_clusters_hours_io_and_size_are_asked_of_cloudwatch(metrics, window, tmp_path):
    """Two hours of 2 and 4 ACU: the month has their mean, the instance the busiest one's memory."""
    one = window("2026-11-20T10:00", {"acme": 3})
    LedgerExporter(tmp_path / "ledger").export([one], float("inf"))
    for number, acu in enumerate((2, 4)):
        metrics(
            one.start_s + 3600 * number, ServerlessDatabaseCapacity=acu, VolumeReadIOPs=500,
            VolumeWriteIOPs=250, VolumeBytesUsed=8 * GIB,
        )  # fmt: skip
    work = measure(
        tmp_path / "ledger",
        built_in("us-east-1"),
        capacity=Capacity(cluster="shared"),
        now_s=one.start_s + 20 * 86_400,
    )
    assert work.acu_hours == 3 * 720
    assert work.peak_acu == 4
    assert work.io_requests == 1500
    assert work.storage_gb == Decimal(8)
    assert "718 of the month's 720 hours have no measured capacity" in work.assumptions[-1]
