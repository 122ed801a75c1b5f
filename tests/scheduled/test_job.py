"""The scheduled report: from a ledger and a bill on S3 to files and a notification, over HTTP."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import boto3
import pytest

from tenantmetrics.errors import ConfigError, LedgerError, ReportError
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import Series, SeriesKey, Source, Window
from tenantmetrics.scheduled import handler


class Account:
    """An AWS account on moto's server: a bucket, a topic, and a queue that hears it."""

    def __init__(self, post):
        self.post = post
        self.s3 = boto3.client("s3")
        self.s3.create_bucket(Bucket="books")
        self._sqs = boto3.client("sqs")
        self._queue = self._sqs.create_queue(QueueName="heard")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        sns = boto3.client("sns")
        self.topic = sns.create_topic(Name="reports")["TopicArn"]
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
        sns.close()

    def heard(self):
        """The notifications, as (subject, text)."""
        # What is not deleted is heard again half a minute later.
        found = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
        messages = found.get("Messages", [])
        for message in messages:
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        bodies = [json.loads(message["Body"]) for message in messages]
        return [(body["Subject"], body["Message"]) for body in bodies]

    def keys(self, prefix):
        found = self.s3.list_objects_v2(Bucket="books", Prefix=prefix).get("Contents", [])
        return sorted(one["Key"] for one in found)

    def close(self):
        self.s3.close()
        self._sqs.close()


@pytest.fixture
def account(aws_account, monkeypatch):
    """The account, and an environment as the stack sets it."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("REPORT_LEDGER", "s3://books/ledger")
    monkeypatch.setenv("REPORT_OUTPUT", "s3://books/reports")
    made = Account(aws_account)
    monkeypatch.setenv("REPORT_TOPIC_ARN", made.topic)
    yield made
    made.close()


@pytest.fixture
def usage(account, tmp_path):
    """Write an hour of two tenants into the ledger on S3."""

    def write(start):
        series = {
            SeriesKey(name, "ExecuteStatement", "ok", Source.SESSION, "arn:x", "app"): Series(
                calls=calls, duration_ns=calls * 10**6, attempts=calls, billed_requests=calls
            )
            for name, calls in (("acme", 3), ("bee\x1b", 1))
        }
        start_s = int(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp())
        LedgerExporter(tmp_path).export([Window(start_s, 60, "w", 0, series, {})], float("inf"))
        for file in tmp_path.rglob("*.parquet"):
            key = f"ledger/{file.relative_to(tmp_path)}"
            account.s3.upload_file(str(file), "books", key)

    return write


def explorer(account, *months):
    """What Cost Explorer answers, one after another."""
    results = [
        {
            "ResultsByTime": [
                {
                    "TimePeriod": {"Start": f"{month}-01"},
                    "Estimated": estimated,
                    "Groups": [
                        {
                            "Keys": ["Data-API-Usage", "Usage"],
                            "Metrics": {
                                "UnblendedCost": {"Amount": amount, "Unit": "USD"},
                                "UsageQuantity": {"Amount": "4", "Unit": "Requests"},
                            },
                        }
                    ],
                }
            ],
            "DimensionValueAttributes": [],
        }
        for month, amount, estimated in months
    ]
    account.post("/moto-api/static/ce/cost-and-usage-results", {"results": results})


def export(account, label, amount, invoice):
    """What AWS writes to S3 of a month."""
    row = f"{amount},Usage,Data-API-Usage,USD,{label}-01,{label}-20,{label}-20,4,{invoice}"
    columns = (
        "line_item_unblended_cost,line_item_line_item_type,line_item_usage_type,"
        "line_item_currency_code,bill_billing_period_start_date,line_item_usage_start_date,"
        "line_item_usage_end_date,line_item_usage_amount,bill_invoice_id"
    )
    body = f"{columns}\n{row}\n".encode()
    account.s3.put_object(Bucket="books", Key="cur/cur.csv", Body=body)


def test_a_month_is_reported_stored_and_told(account, usage, monkeypatch):
    """Cost Explorer's bill beside the month before: five files, one notification, the sums."""
    monkeypatch.setenv("REPORT_BILL", "cost-explorer")
    usage("2026-09-20T10:00")
    usage("2026-10-20T10:00")
    explorer(account, ("2026-10", "8.00", False), ("2026-09", "6.00", False))
    answer = handler({"month": "2026-10"}, None)
    assert (answer["total"], answer["currency"], answer["status"]) == ("8.00", "USD", ["FINAL"])
    assert account.keys("reports/") == [
        f"reports/2026-10/cost-per-tenant-2026-10{suffix}"
        for suffix in (".csv", ".focus.csv", ".html", ".json", ".xlsx")
    ] + ["reports/2026-10/status.json"]
    page = account.s3.get_object(Bucket="books", Key=account.keys("reports/")[2])
    assert page["ContentType"] == "text/html; charset=utf-8"
    assert b"Against 2026-09" in page["Body"].read()
    ((subject, text),) = account.heard()
    assert subject == "Cost per tenant 2026-10: 8.00 USD (FINAL)"
    assert "Total: 8.00 USD for 2 tenants" in text
    assert "Against 2026-09: 2.00 USD" in text
    assert "acme: 6.00 USD" in text
    assert "\x1b" not in text
    assert "s3://books/reports/2026-10/cost-per-tenant-2026-10.html" in text


def test_a_bill_that_aws_calls_estimated_is_told_as_a_draft(account, usage, monkeypatch):
    """The first month has none before it, which is no error."""
    monkeypatch.setenv("REPORT_BILL", "cost-explorer")
    monkeypatch.setenv("REPORT_FORMATS", "json")
    usage("2026-10-20T10:00")
    explorer(account, ("2026-10", "8.00", True))
    assert handler({"month": "2026-10"}, None)["status"] == ["DRAFT"]
    ((subject, text),) = account.heard()
    assert subject.endswith("(DRAFT)")
    assert "AWS says that the bill is estimated" in text


def test_an_open_month_is_made_again_until_it_is_closed(account, usage, monkeypatch):
    """A draft is told once; the final report when the bill is closed; then none."""
    monkeypatch.setenv("REPORT_BILL", "s3://books/cur/cur.csv")
    monkeypatch.setenv("REPORT_FORMATS", "json")
    now = datetime.now(UTC)
    year, month = (now.year, now.month - 1) if now.month > 1 else (now.year - 1, 12)
    label = f"{year}-{month:02}"
    usage(f"{label}-20T10:00")

    told = []
    for amount, estimated in (("8.00", True), ("8.00", True), ("8.50", True), ("9.00", False)):
        # AWS writes an export anew until the month is closed; its charges have no invoice before.
        export(account, label, amount, "" if estimated else "INV-1")
        assert handler({}, None)["status"] == (["DRAFT"] if estimated else ["FINAL"])
        told += account.heard()
    assert handler({}, None)["total"] == "9.00"
    assert account.heard() == []
    assert [subject for subject, _ in told] == [
        f"Cost per tenant {label}: {said}"
        for said in ("8.00 USD (DRAFT)", "8.50 USD (DRAFT)", "9.00 USD (FINAL)")
    ]
    assert told[1][1].startswith("Made again; before: DRAFT, 8.00 USD.")
    assert told[2][1].startswith("The month is closed: this report takes the place of a draft")
    export(account, label, "9.10", "INV-1")
    assert handler({"month": label}, None)["total"] == "9.10"
    assert account.heard()[0][0].endswith("9.10 USD (FINAL)")


def test_without_a_month_the_last_full_one_is_made(account, usage):
    """At list prices where no bill is named; an empty event is what the schedule sends."""
    now = datetime.now(UTC)
    year, month = (now.year, now.month - 1) if now.month > 1 else (now.year - 1, 12)
    usage(f"{year}-{month:02}-20T10:00")
    answer = handler({}, None)
    assert answer["month"] == f"{year}-{month:02}"
    assert answer["status"] == ["ESTIMATE"]


def test_facts_of_tenants_and_measured_storage_are_read_from_s3(account, usage, monkeypatch):
    """Revenue makes a margin, measured bytes divide storage; a missing file is named."""
    usage("2026-10-20T10:00")
    account.s3.put_object(Bucket="books", Key="t.csv", Body=b"tenant,revenue\nacme,10\n")
    account.s3.put_object(Bucket="books", Key="s.csv", Body=b"tenant,bytes\nacme,1073741824\n")
    monkeypatch.setenv("REPORT_TENANTS", "s3://books/t.csv")
    monkeypatch.setenv("REPORT_STORAGE", "s3://books/s.csv")
    monkeypatch.setenv("REPORT_FORMATS", "json")
    handler({"month": "2026-10"}, None)
    key, _ = account.keys("reports/")
    document = json.loads(account.s3.get_object(Bucket="books", Key=key)["Body"].read())
    (acme,) = [line for line in document["lines"] if line["tenant"] == "acme"]
    assert acme["revenue"] == "10"
    assert acme["amounts"]["storage"] == "0.10"
    monkeypatch.setenv("REPORT_STORAGE", "s3://books/none.csv")
    with pytest.raises(ReportError, match=r"'s3://books/none.csv' cannot be read: .*404"):
        handler({"month": "2026-10"}, None)


def test_a_failure_is_told_and_raised(account):
    """No ledger, no report: somebody hears of it, and Lambda counts an error."""
    with pytest.raises(LedgerError):
        handler({"month": "2026-10"}, None)
    ((subject, text),) = account.heard()
    assert subject == "Cost per tenant 2026-10: no report"
    assert "ledger 's3://books/ledger'" in text
    assert account.keys("reports/") == []


def test_the_month_is_converted_at_the_rate_of_a_file_on_s3(account, usage, monkeypatch):
    """The rate and its file stand in the notification; without a rate nothing is made."""
    monkeypatch.setenv("REPORT_BILL", "cost-explorer")
    monkeypatch.setenv("REPORT_FORMATS", "json")
    monkeypatch.setenv("REPORT_CURRENCY", "EUR")
    usage("2026-10-20T10:00")
    explorer(account, ("2026-10", "8.00", False))
    with pytest.raises(ReportError, match="a file of rates is needed for EUR"):
        handler({"month": "2026-10"}, None)
    account.heard()
    body = b"date,from,to,rate\n2026-10-31,USD,EUR,0.5\n"
    account.s3.put_object(Bucket="books", Key="fx/ecb.csv", Body=body)
    monkeypatch.setenv("REPORT_RATES", "s3://books/fx/ecb.csv")
    explorer(account, ("2026-10", "8.00", False))
    answer = handler({"month": "2026-10"}, None)
    assert (answer["total"], answer["currency"]) == ("4.00", "EUR")
    ((subject, text),) = account.heard()
    assert subject == "Cost per tenant 2026-10: 4.00 EUR (FINAL)"
    assert "Converted from 8.00 USD at 1 USD = 0.5 EUR, the rate of 2026-10-31 (ecb.csv)" in text


def test_budgets_of_the_month_that_runs_are_told_when_one_comes_to_be_over(
    account, usage, monkeypatch
):
    """A day on which nothing changed in that is no news, whatever was spent."""
    monkeypatch.setenv("REPORT_BILL", "s3://books/cur/cur.csv")
    monkeypatch.setenv("REPORT_FORMATS", "json")
    monkeypatch.setenv("REPORT_TENANTS", "s3://books/t.csv")
    body = b"tenant,budget\nacme,5\n,100\n"
    account.s3.put_object(Bucket="books", Key="t.csv", Body=body)
    label = f"{datetime.now(UTC):%Y-%m}"
    usage(f"{label}-01T00:00")
    told = []
    for amount in ("8.00", "9.00"):
        export(account, label, amount, "")
        answer = handler({"month": "current"}, None)
        told.append(account.heard())
    assert (answer["month"], answer["total"]) == (label, "9.00")
    assert answer["budgets"] == {"tenant acme": "over"}
    ((subject, text),), no_news = told
    assert no_news == []
    assert subject == f"Cost per tenant {label}: 8.00 USD (DRAFT), 1 budget over"
    assert "tenant acme: 6.00 of 5.00 USD spent (120.0 %), over by 1.00" in text
    assert "No forecast of the month" in text


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("REPORT_LEDGER", "/tmp/x", "REPORT_LEDGER = '/tmp/x': must be s3://bucket/..."),
        ("REPORT_TENANTS", "x.csv", "REPORT_TENANTS = 'x.csv': must be s3://bucket/..."),
        ("REPORT_FORMATS", "html,pdf", "REPORT_FORMATS = 'html,pdf'"),
        ("REPORT_RATES", "ecb.csv", "REPORT_RATES = 'ecb.csv': must be s3://bucket/..."),
        ("REPORT_FORECAST", "maybe", "REPORT_FORECAST = 'maybe': must be yes or no"),
        ("REPORT_IDLE", "x", "REPORT_IDLE must be one of separate, weighted, even"),
    ],
)
def test_a_wrong_setting_is_named(account, monkeypatch, name, value, error):
    """Before anything is read."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=error):
        handler({}, None)
