"""Usage from CloudWatch metrics that our own exporter put there."""

from __future__ import annotations

from datetime import UTC, datetime

import boto3
import pytest
from botocore.config import Config

from tenantmetrics.catalog import OTHER, Level
from tenantmetrics.cost import monthly
from tenantmetrics.cost.period import parse_month
from tenantmetrics.cost.sources.metrics import step_of
from tenantmetrics.errors import ReportError
from tenantmetrics.export.cloudwatch import requests
from tenantmetrics.export.ledger import LedgerExporter
from tenantmetrics.records import OVERFLOW, UNATTRIBUTED


def at(moment):
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()


NOW_S = at("2026-12-03T00:00")


@pytest.fixture
def publish(cloudwatch, tmp_path):
    """Put into CloudWatch what our exporter sends of windows, and write their ledger; its folder.

    Without the exporter's own deadlines: a busy machine answers late, and is no subject here.
    """
    patience = Config(read_timeout=60, retries={"total_max_attempts": 1})
    client = boto3.client("cloudwatch", config=patience)

    def put(*windows, level=Level.DETAILED, max_tenants=500):
        for one in windows:
            for data in requests(one, level=level, max_tenants=max_tenants):
                client.put_metric_data(Namespace="Shop", MetricData=data)
        LedgerExporter(tmp_path / "ledger").export(windows, float("inf"))
        return tmp_path / "ledger"

    yield put
    client.close()


@pytest.fixture
def put_hour(cloudwatch):
    """Put one value of a metric of the namespace Shop, as no exporter of ours would."""
    client = boto3.client("cloudwatch")

    def put(metric, value, moment="2026-11-20T10:00", **dimensions):
        named = [{"Name": name, "Value": text} for name, text in dimensions.items()]
        datum = {"MetricName": metric, "Value": value, "Timestamp": at(moment), "Dimensions": named}
        client.put_metric_data(Namespace="Shop", MetricData=[datum])

    yield put
    client.close()


def metrics(**more):
    return monthly("cloudwatch:Shop", **{"month": "2026-11", "now_s": NOW_S, **more})


def usage(statement):
    return {line.tenant: line.usage for line in statement.lines if line.usage.calls}


@pytest.mark.parametrize("page", [100_800, 7])
def test_usage_from_metrics_is_the_ledgers(publish, cloudwatch, window, page):
    """Every sum that metrics carry, of every tenant, hour by hour, in one page or in many."""
    cloudwatch.size = page
    ledger = publish(
        window("2026-11-20T10:00", {"acme": 3, "b\u00e9e \U0001f41d": 5}, losses={"queue_full": 4}),
        window("2026-11-20T10:01", {"acme": 4}, writer="v", losses={"series_cap": 2}),
        window("2026-11-20T11:59", {"acme": 1, UNATTRIBUTED: 3, OVERFLOW: 2}),
        window("2026-12-01T00:00", {"acme": 9}),
    )
    found, wanted = metrics(), monthly(ledger, month="2026-11", now_s=NOW_S)
    assert found.lines == wanted.lines
    assert found.pools == wanted.pools
    lost = [note for note in wanted.notes if "Writers lost" in note]
    assert [note for note in found.notes if "Writers lost" in note] == lost
    assert len(lost) == 2
    assert any("an approximation" in note for note in found.notes)
    assert not any("essential" in note or "no tenant" in note for note in found.notes)


def test_hundreds_of_tenants_are_asked_for_500_series_at_a_time(publish, cloudwatch, window):
    """260 tenants have 2,340 series and the fleet 6."""
    tenants = {f"t{number:03}": 1 for number in range(260)}
    ledger = publish(window("2026-11-01T01:00", tenants, failed=0))
    found = metrics(now_s=at("2026-11-01T02:00"))
    assert usage(found) == usage(monthly(ledger, month="2026-11"))
    assert "the month is not over" in found.draft
    assert max(cloudwatch.requests) == 500
    assert sum(cloudwatch.requests) <= 2_346


def test_what_metrics_cannot_tell_is_in_the_notes(publish, window):
    """The essential level has no bytes and rows; the cap folds the smallest tenant."""
    one = window("2026-11-20T10:00", {"acme": 30, "bee": 2})
    publish(one, level=Level.ESSENTIAL, max_tenants=1)
    statement = metrics()
    assert {name: used.calls for name, used in usage(statement).items()} == {"acme": 31, OTHER: 3}
    assert usage(statement)["acme"].response_bytes == 0
    assert any("essential metric level" in note for note in statement.notes)
    assert any(f"{OTHER} holds" in note for note in statement.notes)


def test_a_tenant_that_is_listed_no_more_is_unattributed_or_named(
    publish, cloudwatch, window, tmp_path
):
    """ListMetrics forgets after two weeks; the fleet does not, and --tenants brings it back."""
    ledger = publish(window("2026-11-02T10:00", {"acme": 3, "gone": 5}))
    cloudwatch.forgotten = {"gone"}
    wanted = usage(monthly(ledger, month="2026-11"))
    statement = metrics()
    found = usage(statement)
    assert found["acme"] == wanted["acme"]
    for name in ("calls", "failed_calls", "duration_ns", "billed_requests"):
        assert getattr(found[UNATTRIBUTED], name) == getattr(wanted["gone"], name)
    assert any("6 calls that no tenant's hold" in note for note in statement.notes)
    facts = tmp_path / "tenants.csv"
    facts.write_text("tenant,plan\ngone,free\nnever,free\n")
    assert usage(metrics(tenants=facts)) == wanted


def test_requests_that_no_tenants_metrics_hold_are_unattributed(put_hour):
    """As where one of two requests of a window was lost: nothing vanishes."""
    for dimensions, billed in (({}, 9), ({"TenantId": "acme"}, 4)):
        put_hour("DatabaseErrors", 0, **dimensions)
        put_hour("BilledRequests", billed, **dimensions)
    used = {line.tenant: line.usage.billed_requests for line in metrics().lines}
    billed = {tenant: requests for tenant, requests in used.items() if requests}
    assert billed == {"acme": 4, UNATTRIBUTED: 5}


def test_a_zone_off_by_half_an_hour_cuts_no_step(publish, window):
    """18:29 UTC on the last of October is October in Kolkata, 18:30 November."""
    publish(
        window("2026-10-31T18:29", {"acme": 1}, failed=0),
        window("2026-10-31T18:30", {"acme": 2}, failed=0),
        window("2026-11-30T18:29", {"acme": 4}, failed=0),
        window("2026-11-30T18:30", {"acme": 8}, failed=0),
    )
    statement = metrics(timezone="Asia/Kolkata")
    assert usage(statement)["acme"].calls == 6
    assert not any("borders" in note for note in statement.notes)
    late = monthly(
        "cloudwatch:Shop", month="2026-11", timezone="Asia/Kolkata", now_s=at("2027-02-01")
    )
    # An hour is all that is kept of it, and it belongs to the month before.
    assert usage(late)["acme"].calls == 4 + 8
    assert any("borders lie within an hour" in note for note in late.notes)


@pytest.mark.parametrize(
    ("month", "timezone", "now", "step"),
    [
        ("2026-11", "UTC", "2026-12-03", (3600, 0)),
        ("2026-10", "Europe/Berlin", "2026-12-03", (3600, 0)),
        ("2026-11", "Asia/Kathmandu", "2026-12-03", (900, 0)),
        ("2026-11", "Asia/Kathmandu", "2027-01-30", (3600, 2700)),
        ("2026-11", "Australia/Lord_Howe", "2026-12-03", (3600, 0)),
    ],
)
def test_a_step_is_an_hour_unless_the_zone_needs_less_and_cloudwatch_has_it(
    month, timezone, now, step
):
    """The borders of a month lie on steps; what is too old begins with the next hour."""
    period = parse_month(month, timezone)
    found, start_s = step_of(period, at(now))
    assert (found, start_s - period.start_s) == step
    assert start_s % found == 0


@pytest.mark.parametrize(
    ("usage_", "more", "error"),
    [
        ("cloudwatch:Shop", {"month": "2026-10"}, "'Shop' has no metrics of tenants in 2026-10"),
        ("cloudwatch:Nowhere", {"month": "2026-11"}, "'Nowhere' has no metrics"),
        ("cloudwatch:", {"month": "2026-11"}, "write cloudwatch:NAMESPACE"),
        ("cloudwatch:AWS/RDS", {"month": "2026-11"}, "write cloudwatch:NAMESPACE"),
        ("cloudwatch:Shop", {}, "needs a month"),
        ("cloudwatch:Shop", {"month": "2025-08"}, "keeps metrics for 455 days, since 2025-09-04"),
        ("gs://bucket/x", {}, "is of no known kind: give a ledger's folder"),
    ],
)
def test_what_is_not_there_is_one_clear_error(publish, window, usage_, more, error):
    """No such month, no such namespace, too long ago, no kind of usage at all."""
    publish(window("2026-11-20T10:00", {"acme": 3}))
    with pytest.raises(ReportError, match=error) as caught:
        monthly(usage_, now_s=NOW_S, **more)
    assert "\n" not in str(caught.value)


def test_an_answer_that_stays_incomplete_is_refused(publish, cloudwatch, window):
    """Half a tenant's numbers would be a wrong bill."""
    publish(window("2026-11-20T10:00", {"acme": 3}))
    cloudwatch.status = "InternalError"
    with pytest.raises(ReportError, match=r"'Shop' came incomplete \(InternalError\): try"):
        metrics()


def test_missing_region_and_credentials_are_named(cloudwatch, monkeypatch):
    """What to set up stands in the error."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ReportError, match=r"\(NoCredentialsError\): set up AWS credentials"):
        metrics()
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(ReportError, match=r"\(NoRegionError\): set AWS_REGION"):
        metrics()
