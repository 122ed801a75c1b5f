"""A ledger on S3, served over HTTP by moto."""

from __future__ import annotations

import pytest

from tenantmetrics.cost import monthly
from tenantmetrics.cost.period import parse_month
from tenantmetrics.cost.s3 import S3Ledger
from tenantmetrics.errors import LedgerError


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


def test_a_month_is_one_listing_of_each_table(ledger, write_hour, upload, bucket):
    """Not one of each day; folders beside the days' hold nothing of them, and hide none."""
    file = write_hour("2026-11-30T10:00", {"acme": (1, 1)})
    url = upload()
    for beside in (
        "date=2026-11-30-copy",
        "date=2026-11-30.bak",
        "date=2026-11-300",
        "date=2026-1",
    ):
        bucket.put_object(Bucket="books", Key=f"prod/ledger/{beside}/hour=10/{file.name}", Body=b"")
    with S3Ledger(url) as remote:
        asked = []
        remote._client.meta.events.register(
            "before-call.s3.ListObjectsV2", lambda params, **_: asked.append(params)
        )
        found = remote.objects(parse_month("2026-11"))
    assert [key.removeprefix("prod/ledger/") for key in found] == [
        str(file.relative_to(ledger).as_posix())
    ]
    assert len(asked) == 1


def test_a_corrupt_object_is_named_by_its_key(ledger, write_hour, upload, bucket):
    """As in a folder: refused by name, or excluded and reported."""
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
