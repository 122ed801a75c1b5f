"""A window as the catalogue's metrics: all of them, in a stable order."""

import pytest

from tenantmetrics.catalog import METRICS, OTHER, Level, metrics
from tenantmetrics.export.otlp_rows import rows
from tenantmetrics.export.points import groups
from tenantmetrics.records import OVERFLOW, UNATTRIBUTED, SeriesKey, Source, Window

EVERYTHING = {
    "losses": {"queue_full": 1, "series_cap": 2},
    "misuses": {"sources_disagree": 1, "undecided_under_session": 1},
    "export_failures": {"otlp": 1},
    "refusals": {
        SeriesKey("acme", "ExecuteStatement", "refused_no_tenant", Source.CONTEXT, "", ""): 1
    },
}


def test_every_metric_of_the_catalogue_is_made_and_no_other(real_window):
    """Whoever adds a metric to the catalogue must make it, for CloudWatch and for OTLP."""
    window = real_window(5, **EVERYTHING)
    made = {
        point.metric
        for group in groups(window, level=Level.DETAILED, max_tenants=99, values_max=150)
        for point in group.points
    }
    assert made == set(metrics(Level.DETAILED))
    assert {row.twin for row in rows(window)} == {one.twin for one in METRICS}


def test_the_essential_level_leaves_the_detailed_metrics_out(real_window):
    """Three metrics a tenant."""
    window = real_window(5)
    made = list(groups(window, level=Level.ESSENTIAL, max_tenants=99, values_max=150))
    assert {len(group.points) for group in made if group.dimensions} == {3}
    assert not {point.metric for group in made for point in group.points} & {
        one for one in METRICS if one.level is Level.DETAILED
    }


def test_dimensions_fit_their_metrics(real_window):
    """As many values as names."""
    window = real_window(5, **EVERYTHING)
    for group in groups(window, level=Level.DETAILED, max_tenants=2, values_max=150):
        for point in group.points:
            assert len(point.metric.dimensions) == len(group.dimensions)


def test_the_same_window_gives_the_same_groups_in_the_same_order(real_window):
    """What is done of a window is remembered by its number."""
    window = real_window(40, **EVERYTHING)
    shuffled = Window(
        window.start_s,
        60,
        window.writer,
        0,
        dict(reversed(window.series.items())),
        window.losses,
        window.misuses,
        window.export_failures,
        window.load_ns,
        refusals=window.refusals,
    )
    first, second = (
        [
            (group.dimensions, [(point.metric.name, list(point.values)) for point in group.points])
            for group in groups(one, level=Level.DETAILED, max_tenants=7, values_max=150)
        ]
        for one in (window, shuffled)
    )
    assert first == second


@pytest.mark.parametrize("kept", [0, 1, 5])
def test_names_that_are_no_tenants_do_not_compete_for_a_place(real_window, kept):
    """`__unattributed__` and `__overflow__` are shown beside the tenants that are kept."""
    window = real_window(7)
    series = {}
    for key, one in window.series.items():
        name = {"tenant-00000": UNATTRIBUTED, "tenant-00001": OVERFLOW}.get(key.tenant, key.tenant)
        series[key._replace(tenant=name)] = one
    window = Window(window.start_s, 60, "w", 0, series, {})
    names = {
        group.dimensions[0]
        for group in groups(window, level=Level.ESSENTIAL, max_tenants=kept, values_max=150)
        if group.dimensions
    }
    assert {UNATTRIBUTED, OVERFLOW} <= names
    assert (OTHER in names) is (kept < 5)
    assert len(names - {UNATTRIBUTED, OVERFLOW, OTHER}) == kept
