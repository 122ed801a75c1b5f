"""Exported logs on S3, where CloudWatch Logs puts them."""

from __future__ import annotations

import gzip

import boto3
import pytest

from tenantmetrics.cost import monthly
from tenantmetrics.errors import LedgerError, ReportError


@pytest.fixture
def bucket(aws_account):
    """An empty bucket."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="books")
    yield client
    client.close()


@pytest.fixture
def exported(bucket, window, lines):
    """A window's documents as an export task leaves them; their number."""
    documents = lines(window("2026-11-20T21:45", {"acme": 3, "bee": 5}))
    text = "".join(f"2026-11-20T21:45:00.000Z {one}\n" for one in documents)
    for key, body in {
        "logs/aws-logs-write-test": b"Permission Check Successful",
        "logs/1b2c/stream/000000.gz": gzip.compress(text.encode()),
        "logs/1b2c/../../.x/000001.gz": gzip.compress(text.encode()),
    }.items():
        bucket.put_object(Bucket="books", Key=key, Body=body)
    return len(documents)


def test_an_export_on_s3_is_read_where_it_lies(exported):
    """Without a copy by hand; a key that points elsewhere stays below the folder."""
    for url in ("s3://books/logs", "s3://books/logs/", "s3://books"):
        statement = monthly(url, month="2026-11")
        calls = {line.tenant: line.usage.calls for line in statement.lines if line.usage.calls}
        assert calls == {"acme": 4, "bee": 6}
        assert any("3 documents were copies" in note for note in statement.notes)


def test_what_is_wrong_is_named_by_its_key(exported, bucket):
    """Never by the folder that it was brought to."""
    bucket.put_object(Bucket="books", Key="logs/2/a.log", Body=b'{"WindowStart": 5')
    with pytest.raises(ReportError, match=r"'s3://books/logs' has 1 broken place: '2/a.log' line"):
        monthly("s3://books/logs", month="2026-11")
    assert (
        "'2/a.log' line 1"
        in monthly("s3://books/logs", month="2026-11", skip_corrupt=True).left_out
    )
    with pytest.raises(ReportError, match=r"nothing for 2026-10 \(2026-11-20 to 2026-11-20 is"):
        monthly("s3://books/logs", month="2026-10", skip_corrupt=True)
    with pytest.raises(ReportError, match="'s3://books/logs' needs a month"):
        monthly("s3://books/logs")
    with pytest.raises(LedgerError, match="'s3://nowhere/logs' cannot be read: NoSuchBucket"):
        monthly("s3://nowhere/logs", month="2026-11")
