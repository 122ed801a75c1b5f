"""The catalogue is what CloudWatch and OpenTelemetry accept, and no metric is in it twice."""

import re

import boto3
import pytest

from tenantmetrics.catalog import METRICS, Form, Instrument, Level, metric, metrics

UNITS = frozenset(
    boto3.client(
        "cloudwatch", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    .meta.service_model.shape_for("StandardUnit")
    .enum
)


def test_a_name_with_its_dimensions_is_unique():
    """CloudWatch would add two of the same together."""
    keys = [(one.name, one.dimensions) for one in METRICS]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("one", METRICS, ids=lambda one: f"{one.name}-{len(one.dimensions)}")
def test_names_and_units_are_what_the_backends_accept(one):
    """CloudWatch's unit comes from its service model, the twin's name follows OTLP's grammar."""
    assert one.unit in UNITS
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_./-]{0,254}", one.twin)
    assert re.fullmatch(r"[A-Z][A-Za-z]{0,254}", one.name)
    assert one.help.endswith(".")
    assert len(one.dimensions) <= 30


def test_a_twin_has_one_unit_and_one_instrument():
    """A name that changes its type breaks every OpenTelemetry backend."""
    shapes = {}
    for one in METRICS:
        shape = (one.twin_unit, one.instrument)
        assert shapes.setdefault(one.twin, shape) == shape


def test_levels_nest():
    """Each level holds all of the one before, and a tenant costs three metrics at essential."""
    always, essential, detailed = (
        set(metrics(level)) for level in (Level.ALWAYS, Level.ESSENTIAL, Level.DETAILED)
    )
    assert always < essential < detailed
    assert detailed | set(metrics(Level.NEVER)) == set(METRICS)
    assert [one.name for one in metrics(Level.ESSENTIAL) if one.dimensions == ("TenantId",)] == [
        "DatabaseDuration",
        "DatabaseErrors",
        "DatabaseLoad",
    ]


def test_billed_requests_are_a_metric_of_opentelemetry_only():
    """CloudWatch has them as DatabaseLoad's SampleCount; a metric of their own would cost money."""
    assert [one.name for one in metrics(Level.NEVER)] == ["BilledRequests"]


def test_the_fleet_has_the_essential_three_without_dimensions():
    """One total each, of the same form as the tenants'."""
    fleet = [one for one in METRICS if one.fleet]
    assert len(fleet) == 3
    for one in fleet:
        assert one.dimensions == ()
        assert one.form is metric(one.name).form
        assert metric(one.name, fleet=True) is one
    with pytest.raises(KeyError):
        metric("RowsWritten", fleet=True)


def test_forms_fit_their_instruments():
    """Percentiles need a histogram on both sides."""
    for one in METRICS:
        assert (one.form is Form.VALUES) == (one.instrument is Instrument.EXPONENTIAL_HISTOGRAM)
