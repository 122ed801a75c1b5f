"""A ledger on S3, served over HTTP by moto."""

from __future__ import annotations

import http.client

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tenantmetrics.cost import monthly
from tenantmetrics.cost.period import parse_month
from tenantmetrics.cost.s3 import S3Ledger
from tenantmetrics.errors import LedgerError


@pytest.fixture
def bucket(monkeypatch):
    """An S3 of the test's own, with an empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # Moto's state is one for the whole process, whatever the server.
    connection = http.client.HTTPConnection(host, port, timeout=30)
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.close()
    for name, value in {
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="books")
    yield client
    client.close()
    server.stop()


@pytest.fixture
def upload(bucket, ledger):
    """Put the folder's ledger under a prefix of the bucket."""

    def put(prefix="prod/ledger"):
        for file in ledger.rglob("*.parquet"):
            bucket.upload_file(str(file), "books", f"{prefix}/{file.relative_to(ledger)}")
        return f"s3://books/{prefix}"

    return put


def test_a_ledger_on_s3_makes_the_same_statement_as_in_a_folder(ledger, write_hour, upload):
    """Two months, one of them asked for: the same lines and notes."""
    write_hour("2026-10-31T23:59", {"acme": (5, 5)})
    write_hour("2026-11-01T00:00", {"acme": (1, 1), "bee": (2, 3)})
    write_hour("2026-11-20T10:00", {"acme": (1, 1)}, losses={"queue_full": 3})
    url = upload()
    assert monthly(url, month="2026-11") == monthly(ledger, month="2026-11")
    assert monthly(url + "/") == monthly(ledger)
    assert monthly(url, month="2026-10").lines[0].usage.calls == 5


def test_only_the_periods_objects_are_fetched(ledger, write_hour, upload, tmp_path):
    """A month of a year's ledger is a twelfth of the traffic; the zone's borders count."""
    for day in ("2026-10-30", "2026-11-02", "2026-12-01"):
        write_hour(f"{day}T10:00", {"acme": (1, 1)})
    with S3Ledger(upload()) as remote:
        remote.fetch(parse_month("2026-11"), tmp_path / "here")
    found = [p.parent.parent.name for p in (tmp_path / "here").rglob("*.parquet")]
    assert found == ["date=2026-11-02"]


def test_a_corrupt_object_is_named_by_its_key(ledger, write_hour, upload, bucket):
    """As in a folder: refused by name, or left out and told."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    bad = write_hour("2026-11-20T10:01", {"acme": (1, 1)})
    bad.write_bytes(bad.read_bytes()[:-9])
    url = upload()
    with pytest.raises(LedgerError, match=f"1 ledger file cannot be read: .*{bad.name}"):
        monthly(url, month="2026-11")
    assert bad.name in monthly(url, month="2026-11", skip_corrupt=True).left_out


def test_what_is_not_there_is_one_clear_error(ledger, write_hour, upload, bucket):
    """No bucket, an empty prefix, no such month, no bucket's name at all."""
    write_hour("2026-11-20T10:00", {"acme": (1, 1)})
    url = upload()
    for where, month, error in (
        ("s3://nowhere/x", "2026-11", "nowhere/x' cannot be read: NoSuchBucket"),
        ("s3://nowhere/x", None, "nowhere/x' cannot be read: NoSuchBucket"),
        ("s3://books/empty", None, "empty' is empty"),
        ("s3://books/empty", "2026-11", "nothing for 2026-11 .it is empty"),
        (url, "2026-09", "nothing for 2026-09 .2026-11-20 to 2026-11-20 is there"),
        ("s3://", "2026-11", "write s3://bucket/prefix"),
    ):
        with pytest.raises(LedgerError, match=error) as caught:
            monthly(where, month=month)
        assert "\n" not in str(caught.value)
