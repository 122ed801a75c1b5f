"""Buckets that can hold no ledger are refused at each of its doors, in the same words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tenantmetrics.buckets import unlisted
from tenantmetrics.config import Config
from tenantmetrics.cost import AllocationRequest, monthly
from tenantmetrics.cost.athena_table import LedgerTable
from tenantmetrics.cost.engines.athena import Athena
from tenantmetrics.cost.engines.spark import Spark
from tenantmetrics.cost.period import parse_month
from tenantmetrics.errors import TenantMetricsError
from tenantmetrics.export.destinations.ledger import DESTINATION
from tenantmetrics.export.ledger_s3 import S3LedgerExporter
from tenantmetrics.scheduled.settings import load
from tenantmetrics.serverside.store import store_of

EXPRESS = "s3://usage--use1-az4--x-s3/ledger"
MONTH = parse_month("2026-11")
DOORS = {
    "exporter": lambda: DESTINATION.make(EXPRESS, Config()),
    "doctor": lambda: list(DESTINATION.check(EXPRESS, Config())),
    "exporter class": lambda: S3LedgerExporter(EXPRESS, spool_bytes=10**6),
    "report": lambda: monthly(AllocationRequest(usage=EXPRESS, month="2026-11")),
    "athena": lambda: Athena("usage").open(EXPRESS, MONTH, skip_corrupt=False),
    "spark": lambda: Spark().open(EXPRESS, MONTH, skip_corrupt=False),
    "athena-table": lambda: LedgerTable(EXPRESS),
    "server load": lambda: store_of(EXPRESS),
    "scheduled report": lambda: load({"REPORT_LEDGER": EXPRESS, "REPORT_OUTPUT": "s3://b/out"}),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_directory_bucket_is_refused_with_the_reason(door):
    """No request is made: there are no credentials here."""
    with pytest.raises(TenantMetricsError, match=re.escape(unlisted(EXPRESS))):
        DOORS[door]()


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("s3://b--use1-az4--x-s3", True),
        ("s3a://b--use1-az4--x-s3/p/q", True),
        ("s3://point--usw2-az1--xa-s3/p", True),
        ("s3://b/p--x-s3", False),
        ("s3://b--x-s3-logs/p", False),
        ("s3://x-s3/p", False),
        ("/var/lib/b--x-s3", False),
    ],
)
def test_the_name_of_the_bucket_tells(url, refused):
    """The prefix does not, and a folder is none."""
    assert bool(unlisted(url)) == refused


def test_the_documentation_says_so():
    """Where the ledger on S3 is described."""
    text = Path(__file__).parent.parent.joinpath("docs", "ledger.md").read_text()
    assert "--x-s3" in text.partition("## On S3")[2].partition("\n## ")[0]
