"""The page that Prometheus fetches: exact sums, bounded tenants, closed to web pages."""

import http.client
import socket

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tenantmetrics.config import Config, load
from tenantmetrics.errors import ConfigError
from tenantmetrics.export.prometheus import SILENT_S, PrometheusExporter
from tenantmetrics.export.registry import build
from tenantmetrics.histogram import record
from tenantmetrics.records import Series, SeriesKey, Source, Window


def window(sequence=0, outcome="ok", **calls):
    """A minute with so many calls of 20 ms by tenant."""
    series = {}
    for tenant, count in calls.items():
        key = SeriesKey(tenant, "ExecuteStatement", outcome, Source.CONTEXT, "arn", "")
        series[key] = Series(
            calls=count, duration_ns=count * 20_000_000, billed_requests=count, rows_written=2
        )
        record(series[key], 20_000_000, count)
    return Window(60 * sequence, 60, "w", sequence, series, {})


def samples(exporter):
    """Name and labels → value."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in exporter.collect()
        for sample in family.samples
    }


def test_sums_are_exact_over_windows():
    """Calls, errors, seconds, and the histogram's buckets."""
    exporter = PrometheusExporter(tenants=True)
    exporter.export([window(0, acme=3, bee=1), window(1, outcome="Oops", acme=2)], 0)
    found = samples(exporter)
    acme = (("tenant_id", "acme"),)
    assert found["db_client_operation_duration_seconds_count", acme] == 5
    assert found["db_client_operation_duration_seconds_sum", acme] == pytest.approx(0.1)
    assert found["db_client_operation_duration_seconds_bucket", (("le", "0.01"), *acme)] == 0
    assert found["db_client_operation_duration_seconds_bucket", (("le", "0.025"), *acme)] == 5
    assert found["tenantmetrics_errors_total", acme] == 2
    assert found["tenantmetrics_billed_requests_total", (("tenant_id", "bee"),)] == 1
    key = (("db_operation_name", "ExecuteStatement"), ("error_type", "Oops"))
    assert found["tenantmetrics_operations_total", key] == 2


def test_tenants_are_there_only_when_asked_for():
    """One line for all of them otherwise."""
    exporter = PrometheusExporter()
    exporter.export([window(acme=3, bee=1)], 0)
    assert samples(exporter)["db_client_operation_duration_seconds_count", ()] == 4
    assert not any("tenant_id" in dict(labels) for _, labels in samples(exporter))


def test_a_hundred_thousand_tenants_make_no_more_lines_than_allowed():
    """The rest is in __other__, and nothing is lost; the silent ones make room."""
    now = [0.0]
    exporter = PrometheusExporter(tenants=True, max_tenants=50, clock=lambda: now[0])
    for part in range(10):
        exporter.export([window(part, **{f"t{part}_{n}": 1 for n in range(10_000)})], 0)
    counts = {
        dict(labels)["tenant_id"]: value
        for (name, labels), value in samples(exporter).items()
        if name == "tenantmetrics_billed_requests_total"
    }
    assert len(counts) == 51
    assert sum(counts.values()) == 100_000
    assert counts["__other__"] == 99_950
    now[0] = SILENT_S + 1
    exporter.export([window(11, new=1)], 0)
    lines = {dict(labels).get("tenant_id") for _, labels in samples(exporter)} - {None}
    assert lines == {"__other__", "new"}


def fetch(port, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics", headers=headers)
    response = connection.getresponse()
    return response.status, response.read().decode()


def test_the_page_is_openmetrics_and_for_no_web_page(unused_port):
    """prometheus_client's own parser reads it, a tenant's odd name included."""
    (exporter,) = build([f"prometheus:{unused_port}/tenants"], Config())
    try:
        exporter.export([window(**{'a"\n\\é': 1})], 0)
        accept = "application/openmetrics-text; version=1.0.0"
        status, text = fetch(unused_port, Accept=accept)
        assert status == 200
        families = {family.name: family for family in text_string_to_metric_families(text)}
        assert "tenantmetrics_errors" in families
        assert fetch(unused_port, Host="evil.example")[0] == 403
        assert fetch(unused_port, Origin="http://evil.example")[0] == 403
    finally:
        exporter.close()
    with pytest.raises(OSError, match="refused"):
        fetch(unused_port)


def test_a_port_that_is_taken_fails_nothing_and_is_tried_again():
    """A forked child goes on adding up; its exporter serves once the port is free."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (exporter,) = build([f"prometheus:{port}"], Config())
        exporter.export([window(acme=1)], 0)
    try:
        exporter.export([window(1, acme=1)], 0)
        assert "db_client_operation_duration_seconds_count 2.0" in fetch(port)[1]
    finally:
        exporter.close()


@pytest.mark.parametrize("wrong", ["prometheus:x", "prometheus:99999", "prometheus:h:1:2"])
def test_an_address_that_is_none_is_told(wrong):
    """With how it is written."""
    with pytest.raises(ConfigError, match=r"prometheus:\[HOST:\]PORT"):
        build(load({}, exporters=[wrong]).exporters)
