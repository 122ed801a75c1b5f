"""OpenTelemetry's default: sums that grow from one start, and may be sent again."""

import pytest

from tenantmetrics.export.base import ExportError
from tenantmetrics.export.otlp import OtlpExporter
from tenantmetrics.export.otlp_target import target
from tenantmetrics.records import Window
from tests.export.otlp.points import decoded, expected, exporter, in_s, points, totals


def test_cumulative_sums_grow_from_one_start(server, real_window):
    """OpenTelemetry's default: each export has everything since the first, with its start time."""
    first, second = (
        real_window(30, seed=seed, start_s=1_795_209_300 + 60 * seed) for seed in (1, 2)
    )
    first = Window(first.start_s, 60, "w", 1, first.series, {})
    second = Window(second.start_s, 60, "w", 2, second.series, {})
    sink = exporter(server.url, {})
    sink.export([first], in_s(10))
    sink.export([second], in_s(10))
    sink.close()
    requests = decoded(seen.content for seen in server.seen)
    assert totals(requests[:1]) == expected(first)
    assert totals(requests[1:]) == expected(first, second)
    for metric, _, point in points(requests[1:]):
        data = getattr(metric, metric.WhichOneof("data"))
        assert data.aggregation_temporality == 2
        assert point.start_time_unix_nano in {first.start_s * 10**9, second.start_s * 10**9}


def test_a_failed_cumulative_export_is_made_good_by_the_next(server, answer, real_window):
    """Repeats are harmless: the window is offered again and added once."""
    window, later = real_window(5, seed=1), real_window(5, seed=2)
    sink = exporter(server.url, {})
    server.answers = [answer(500)]
    with pytest.raises(ExportError) as caught:
        sink.export([window], in_s(10))
    assert caught.value.failed == (window,)
    server.seen.clear()
    sink.export([window, later], in_s(10))
    sink.close()
    assert totals(decoded(seen.content for seen in server.seen)) == expected(window, later)


def test_cumulative_state_is_bounded_by_what_was_silent_longest(server, make_window):
    """Past the bound series start anew; what came with the latest window never goes."""
    sink = OtlpExporter(target(server.url, {}), max_series=3)
    for number, tenants in enumerate((["a", "b"], ["c", "d"], ["a", *"efghi"])):
        server.seen.clear()
        sink.export([make_window(*tenants, sequence=number)], in_s(10))
        sent = totals(decoded(seen.content for seen in server.seen))
        assert set(sent) == ({"a", "b"}, {"b", "c", "d"}, {"a", *"efghi"})[number]
    assert sent["a"] == sent["e"]  # "a" went and came back
    sink.close()


def test_silent_series_stand_at_the_latest_time(server, make_window):
    """A point that does not move on is taken for one that has gone."""
    first = make_window("acme")
    second = Window(first.start_s + 600, 60, "host-1", 1, make_window("bee").series, {})
    sink = exporter(server.url, {})
    sink.export([first, second], in_s(10))
    sink.close()
    found = {
        (attributes["tenant.id"], point.start_time_unix_nano, point.time_unix_nano)
        for metric, attributes, point in points(decoded(seen.content for seen in server.seen))
        if metric.name == "db.client.operation.duration"
    }
    end_ns = (second.start_s + 60) * 10**9
    assert found == {
        ("acme", first.start_s * 10**9, end_ns),
        ("bee", second.start_s * 10**9, end_ns),
    }


@pytest.mark.parametrize("status", [400, 500])
def test_a_request_that_the_receiver_cannot_digest_holds_up_no_other(
    server, answer, real_window, status
):
    """The sums behind it arrive, with the same export."""
    window = real_window(300)
    sink = exporter(server.url, {})
    server.answers = [answer(status)]
    with pytest.raises(ExportError) as caught:
        sink.export([window], in_s(30))
    sink.close()
    assert caught.value.failed == ((window,) if status == 500 else ())
    assert caught.value.rejected == ((window,) if status == 400 else ())
    everything = totals(decoded(seen.content for seen in server.seen))
    assert everything == expected(window)
