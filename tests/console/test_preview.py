"""The preview page: every widget drawn from a recording, and shown by a real browser."""

import html
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.console import dashboards
from tenantmetrics.console.chart import Line, chart, number
from tenantmetrics.console.preview import busiest, lines
from tenantmetrics.console.preview import page as draw
from tenantmetrics.console.rehearsal import recordings
from tenantmetrics.console.rehearsal.store import MetricStore
from tenantmetrics.console.settings import Settings
from tenantmetrics.errors import ConsoleError

SCENARIO = """
minutes = 60
tenants = { acme = 60, "<script>document.title='owned'</script>" = 30, 'q"u\\ote' = 10 }
error_rate = 0.1
during = [
  { from = 10, to = 20, tenant = "acme", calls = 600, error = "ThrottlingException" },
  { from = 20, to = 30, unattributed = 10, conflicts = 1, losses = { queue_full = 3 } },
  { from = 30, to = 35, losses = { series_cap = 1 }, export_failures = { cloudwatch = 1 } },
]
[cluster]
CPUUtilization = 40
ACUUtilization = 30
DatabaseConnections = 100
ServerlessDatabaseCapacity = 4
ReadLatency = 0.001
WriteLatency = 0.002
CommitLatency = 3
VolumeReadIOPs = 100
VolumeWriteIOPs = 200
"""


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "scenario.toml"
    path.write_text(SCENARIO)
    return recordings.load(path)


@pytest.fixture
def page(store):
    return draw(store, Settings(), tenant="acme", recording="scenario.toml")


def widgets(name):
    return dashboards.build(name, Settings())["widgets"]


def test_every_widget_is_drawn(store, page):
    """As many articles as widgets, and only what AWS alone knows is empty."""
    count = sum(len(widgets(name)) for name in dashboards.NAMES)
    assert page.count("<article") == count
    empty = re.findall(r'<h3>([^<]*)(?:<small>[^<]*</small>)?</h3><p class="empty">', page)
    assert [one.strip() for one in empty] == ["Export lag (EMF)", "PutMetricData requests"]


def test_the_figures_are_those_of_the_scenario(store):
    """Calls a minute, the error rate, a tenant's share, estimated costs."""
    board = {
        one["properties"]["title"]: one["properties"]
        for one in widgets("fleet")
        if one["type"] == "metric" and one["properties"]["view"] == "timeSeries"
    }
    start = store.start_s

    def figures(title):
        return {one.label: one.series for one in lines(board[title], store)}

    assert figures("Calls")["calls"][start] == 100
    assert figures("Calls")["calls"][start + 600] == 640
    assert figures("Error rate")["errors, %"][start] == pytest.approx(10)
    assert figures("Error rate by tenant")["acme"][start] == pytest.approx(10)
    share = figures("Noisy neighbour: share of the load")["acme"]
    assert share[start + 600] == pytest.approx(100 * 600 / 640, rel=0.02)
    cost = figures("Estimated cost a day")
    assert cost["compute"][start] == pytest.approx(4 * 24 * 0.12)
    assert cost["Data API"][start] == pytest.approx(100 * 1440 * 0.35 / 1e6)
    trouble = figures("Throttled, timed out, resuming (detailed metrics)")
    assert [sum(one.values()) for one in trouble.values()] == [600]
    tenant = json.loads(json.dumps(widgets("tenant")).replace(dashboards.TENANT, "acme"))
    (to_date,) = [
        one["properties"]
        for one in tenant
        if one["properties"].get("title") == "Estimated cost to date"
    ]
    api = next(one for one in lines(to_date, store) if one.label == "Data API")
    assert api.series[store.end_s - 60] == pytest.approx((50 * 60 + 10 * 600) * 0.35 / 1e6)


def test_names_come_out_as_text_and_the_page_asks_for_nothing(page):
    """Markup in a tenant's name is shown, not obeyed."""
    assert "<script" not in page
    assert "<script>document.title='owned'</script>" in html.unescape(page)
    assert "default-src 'none'" in page
    assert not re.search(r"javascript:|https?://|@import|url\(", page)


def test_the_busiest_tenant_is_shown_unless_another_is_named(store):
    """By database time; a quote in a name does not break the body."""
    assert busiest(store) == "acme"
    assert "Tenant <code>acme</code>" in draw(store, Settings(), tenant="acme", recording="x")
    odd = draw(store, Settings(), tenant='q"u\\ote', recording="x")
    assert "Tenant <code>q&quot;u\\ote</code>" in odd
    with pytest.raises(ConsoleError, match="has no tenant"):
        busiest(MetricStore())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [500, 1500])
def test_a_browser_shows_it_without_an_error(page, chromium, tmp_path, scheme, width):
    """The console is silent, nothing ran, and a picture of it is not blank."""
    path, picture = tmp_path / "page.html", tmp_path / "page.png"
    path.write_text(page, "utf-8")
    flags = ["--enable-logging=stderr", "--v=0", f"--window-size={width},1200"]
    if scheme == "dark":
        flags.append("--force-dark-mode")
    done = chromium(*flags, f"--screenshot={picture}", "--dump-dom", path.as_uri())
    assert "CONSOLE" not in done.stderr
    assert picture.stat().st_size > 20_000
    done = chromium(*flags, "--dump-dom", path.as_uri())
    assert "<title>tenantmetrics dashboards</title>" in done.stdout
    assert done.stdout.count("<svg") == page.count("<svg")


def test_a_browser_asks_for_the_page_and_nothing_else(page, chromium):
    """No font, no picture, no address of anybody."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        chromium("--dump-dom", f"http://127.0.0.1:{server.server_port}/page.html")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert [one for one in asked if one != "/favicon.ico"] == ["/page.html"]


def test_the_command_writes_one_page_and_opens_it(tmp_path, monkeypatch):
    """In the browser, unless told not to."""
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    scenario, out = tmp_path / "scenario.toml", tmp_path / "page.html"
    scenario.write_text(SCENARIO)

    def run(*arguments):
        command = ["dashboards", "preview", str(scenario), "-o", str(out), *arguments]
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output

    run("--no-open")
    assert opened == []
    first = out.read_text("utf-8")
    run()
    assert opened == [out.as_uri()]
    assert out.read_text("utf-8") == first
    with pytest.raises(ConsoleError, match="cannot be written"):
        run("-o", str(tmp_path / "no" / "page.html"))


def test_a_gap_in_the_data_is_a_gap_in_the_line():
    """An outage must not look like a slope; one datum alone is a point."""
    series = {0: 1.0, 60: 2.0, 300: 1.0, 360: 1.0, 900: 5.0}
    drawn = chart("t", [Line("a", series)], unit="u", span_s=(0, 960), stacked=False, size=(8, 6))
    assert drawn.count("<polyline") == 2
    assert drawn.count("<circle") == 1


def test_a_threshold_is_drawn_and_makes_room_for_itself():
    """Two that are close to each other have their labels above and below."""
    marks = {"cpu": 80, "acu": 75}
    series = [Line("a", {0: 1.0, 60: 2.0})]
    drawn = chart("t", series, unit="%", span_s=(0, 120), stacked=False, size=(8, 6), marks=marks)
    lines = {float(y) for y in re.findall(r'<line class="limit"[^>]* y1="([\d.]+)"', drawn)}
    labels = re.findall(r'<text class="limit"[^>]* y="([\d.]+)">(\w+) (\d+)<', drawn)
    assert ">100</text>" in drawn
    assert [(name, value) for _, name, value in labels] == [("cpu", "80"), ("acu", "75")]
    assert float(labels[0][0]) < min(lines) < max(lines) < float(labels[1][0])


def test_stacked_areas_lie_on_each_other_and_not_over_each_other():
    """The lower edge of the second is the upper edge of the first."""
    series = [Line("a", {0: 1.0, 60: 2.0}), Line("b", {0: 3.0, 60: 1.0})]
    drawn = chart("t", series, unit="u", span_s=(0, 60), stacked=True, size=(8, 6))
    first, second = (one.split() for one in re.findall(r'<polygon[^>]* points="([^"]*)"', drawn))
    assert second[2:] == first[:2][::-1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (3.146e-6, "0.00000315"), (0.0123, "0.0123"), (999, "999"), (1234, "1.23k"),
        (5e6, "5M"), (float("nan"), "-"),
    ],
)  # fmt: skip
def test_numbers_are_short(value, text):
    """Three digits and a letter; no power of ten, which is not everybody's way to read money."""
    assert number(value) == text


def test_a_recording_of_a_minute_has_a_time_and_short_ticks():
    """A demo's: one point, a few millionths of a dollar."""
    series = [Line("USD", {120: 3.6e-6})]
    drawn = chart("t", series, unit="u", span_s=(120, 180), stacked=False, size=(8, 6))
    assert ">00:02</text>" in drawn
    ticks = re.findall(r'<text class="tick"[^>]*>([^<]*)<', drawn)
    assert ticks == ["0", "1.25µ", "2.5µ", "3.75µ", "5µ"]
