"""The HTML page, in a real browser."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tenantmetrics.cost.list_prices import TITLES
from tenantmetrics.cost.statement import Line, LineKind, Pool, Usage
from tenantmetrics.report.html import TOP_ROWS, write
from tenantmetrics.report.html import as_html as render

NASTY = [
    "<script>document.title='owned'</script>",
    "\"><img src=x onerror=document.title='owned'>",
    "{{ 7*7 }}",
    "' onmouseover='alert(1)",
    "שלום עולם",
    "🏨 Grand Hôtel",
    "\u202egnp.exe",
]


def test_the_page_asks_for_nothing_and_runs_nothing(make_statement):
    """No script, no address to fetch, and a policy that forbids both."""
    page = render(make_statement({"acme": (100, 200)}))
    assert "default-src 'none'" in page
    assert not re.search(r"<script|javascript:|https?://|@import|url\(", page)


def test_names_come_out_as_text(make_statement):
    """Markup in a tenant's name is shown, not obeyed; template syntax too."""
    page = render(make_statement(dict.fromkeys(NASTY, (1, 1))))
    assert "<script>" not in page
    assert "<img" not in page
    assert "{{ 7*7 }}" in page
    assert "\u202e" not in page
    assert "<bdi>שלום עולם</bdi>" in page


def test_the_page_of_ten_thousand_tenants_names_the_dearest_and_folds_the_rest(make_statement):
    """A browser can still open it, and the rows still add up."""
    page = render(make_statement({f"t{n:05}": (20_000 - n, 1) for n in range(10_000)}))
    assert page.count("<tr ") < TOP_ROWS + 20
    assert "9,000 more tenants" in page
    assert len(page) < 2_000_000


def test_draft_is_stamped_across_the_page_and_a_final_page_has_no_stamp(make_statement):
    """Nobody can take a draft for a bill."""
    draft = render(make_statement({"a": (1, 1)}, draft=("the month is not over",)))
    assert 'class="stamp"' in draft
    assert 'class="stamp"' not in render(make_statement({"a": (1, 1)}))


def test_every_pool_has_a_colour_of_its_own(make_statement):
    """As many as a bill can have, in light and in dark."""
    statement = make_statement({"a": (1, 1)})
    pools = tuple(Pool(name, title, Decimal(1), "calls") for name, title in TITLES.items())
    line = Line("a", LineKind.TENANT, Usage(1), (Decimal(1),) * len(pools))
    page = render(replace(statement, pools=pools, lines=(line,)))
    legend = re.findall(r'<rect width="10" height="10" rx="2" class="(p\d+)"', page)
    assert len(set(legend)) == len(TITLES)
    for name in legend:
        colours = re.findall(rf"--{name}: (#\w+)", page)
        assert len(colours) == 3, name
        assert f".{name} {{ fill: var(--{name}); }}" in page


def test_the_page_says_which_bill_and_which_month_it_is_of(make_statement):
    """At the top, with the zone of the month's borders."""
    told = {"basis": "CUR <a>.csv", "account": "111122223333"}
    page = render(make_statement({"a": (1, 1)}, estimate=False, **told))
    assert "2026-11 (UTC), CUR &lt;a&gt;.csv, account 111122223333" in page


def test_an_estimate_says_once_where_its_prices_are_from(make_statement):
    """In the sentence that says it is one."""
    page = render(make_statement({"a": (1, 1)}, basis="list prices of a day"))
    assert page.count("list prices of a day") == 1
    assert "Estimate, not a bill: usage at list prices of a day." in page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [500, 1280])
def test_a_browser_shows_every_line_without_an_error(
    make_statement, chromium, tmp_path, scheme, width
):
    """The names are in the page as text, nothing ran, and the console is silent."""
    page = tmp_path / "bill.html"
    write(make_statement(dict.fromkeys(NASTY, (1, 1)), draft=("x",)), page)
    flags = [f"--window-size={width},900", "--enable-logging=stderr", "--v=0"]
    if scheme == "dark":
        flags.append("--blink-settings=preferredColorScheme=0")
    done = chromium(*flags, "--dump-dom", page.as_uri())
    assert "<title>Cost per tenant, 2026-11</title>" in done.stdout
    assert "&lt;script&gt;document.title" in done.stdout
    assert "CONSOLE" not in done.stderr


def test_at_400_pixels_nothing_is_wider_than_the_page(make_statement, chromium, tmp_path):
    """A frame of 400 px needs no sideways scrolling, with long names and large amounts."""
    page = tmp_path / "bill.html"
    names = {"a-very-long-tenant-name-without-any-space-" * 3: (10**9, 10**9), "b": (1, 1)}
    # The test's own script must run, so the page's policy, tested elsewhere, is taken out.
    html = re.sub(r"<meta http-equiv.*?>", "", render(make_statement(names)))
    frame = html.replace("&", "&amp;").replace('"', "&quot;")
    page.write_text(
        f'<!doctype html><iframe style="width:400px;height:900px" srcdoc="{frame}"></iframe>'
        "<script>onload=()=>{const d=document.querySelector('iframe').contentDocument;"
        "document.title=d.documentElement.scrollWidth+'/'+d.documentElement.clientWidth}</script>"
    )
    done = chromium("--window-size=800,1000", "--dump-dom", page.as_uri())
    title = re.search(r"<title>(\d+)/(\d+)</title>", done.stdout)
    assert title is not None
    assert int(title[1]) <= int(title[2]) <= 400


def many_pools(make_statement):
    """Every pool there is, with long names of what divides it, revenue and large amounts."""
    amount = Decimal("1234567.89")
    pools = tuple(
        Pool(name, title, amount, "tenants with metrics of their own, equally", "1 charge (x)")
        for name, title in TITLES.items()
    )
    lines = tuple(
        Line(name, LineKind.TENANT, Usage(10**9, 10**6), (amount / 3,) * len(pools), revenue=amount)
        for name in ("hotel-a", "hotel-b", "hotel-c")
    )
    made = make_statement({"a": (1, 1)})
    return replace(made, pools=pools, lines=lines)


def told_by(chromium, page, html, script):
    """What a script says of a page; its policy, tested elsewhere, is taken out."""
    html = re.sub(r"<meta http-equiv.*?>", "", html)
    page.write_text(
        html.replace("</body>", f"<script>onload=()=>{{document.title={script}}}</script>")
    )
    found = re.search(r"<title>(.*?)</title>", chromium("--window-size=700,900", "--dump-dom",
                                                        page.as_uri()).stdout)  # fmt: skip
    assert found is not None
    return found[1]


def test_what_a_pool_is_divided_by_is_never_broken_inside_a_word(
    make_statement, chromium, tmp_path
):
    """In a narrow window, beside a long explanation: every word stands on one line."""
    statement = many_pools(make_statement)
    detail = "28 charges (APN1-Aurora:ServerlessV2IOOptimizedUsage); " * 5
    pools = tuple(replace(pool, detail=detail) for pool in statement.pools)
    broken = """(()=>{let all=0,broken=0;for(const cell of document.querySelectorAll('td.driver')){
      const text=cell.firstChild;if(!text)continue;
      for(const word of text.data.matchAll(/\\S+/g)){const range=document.createRange();
        range.setStart(text,word.index);range.setEnd(text,word.index+word[0].length);
        all++;broken+=range.getClientRects().length>1}}return broken+' of '+all})()"""
    html = render(replace(statement, pools=pools))
    assert told_by(chromium, tmp_path / "x.html", html, broken) == f"0 of {7 * len(pools)}"


def test_on_paper_no_column_is_cut_off_however_many_pools(make_statement, chromium, tmp_path):
    """Sixteen pools of millions, with revenue: the table is no wider than A4 across."""
    html = render(many_pools(make_statement))
    for old, new in (
        ("@media print", "@media all"),
        ("@media screen", "@media not all"),
        ("<main>", "<main style='width:273mm'>"),
    ):
        html = html.replace(old, new)
    part = "document.querySelector('table.lines').scrollWidth/document.querySelector('main')"
    assert float(told_by(chromium, tmp_path / "x.html", html, f"{part}.clientWidth")) <= 1


def test_tenants_bars_are_to_scale_beside_a_line_that_dwarfs_them(make_statement):
    """Idle capacity of a hundred times the largest tenant fills its bar and says so."""
    page = render(make_statement({"a": (2, 0), "b": (1, 0)}))
    chart = page[page.index('id="chart"') : page.index('id="reconciliation"')]
    assert re.search(r'<bdi>a</bdi>.*?width="1000.00"', chart, re.DOTALL)
    assert re.search(r'<bdi>b</bdi>.*?width="500.00"', chart, re.DOTALL)
    assert re.search(r"<bdi>__idle__</bdi> <small[^>]*>shortened", chart)
    assert "shortened" not in render(make_statement({"a": (200, 0), "b": (1, 0)}))


def test_it_prints_to_a4(make_statement, chromium, tmp_path):
    """The PDF has pages of A4, with the total on them."""
    page, pdf = tmp_path / "bill.html", tmp_path / "bill.pdf"
    write(make_statement({f"t{n:02}": (n, n) for n in range(1, 60)}), page)
    chromium("--no-pdf-header-footer", f"--print-to-pdf={pdf}", page.as_uri())
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf.read_bytes())
    assert boxes
    for width, height in boxes:
        assert abs(float(width) - 595) < 2
        assert abs(float(height) - 842) < 2


def test_printed_names_are_not_broken_into_letters(make_statement, chromium, tmp_path):
    """With revenue the table lies across the page, and 60 tenants need few pages, not dozens."""
    page, pdf = tmp_path / "bill.html", tmp_path / "bill.pdf"
    statement = make_statement({f"hotel-number-{n:02}": (n * 10**5, n) for n in range(1, 60)})
    lines = tuple(replace(line, revenue=Decimal("1234.56")) for line in statement.lines)
    write(replace(statement, lines=lines), page)
    chromium("--no-pdf-header-footer", f"--print-to-pdf={pdf}", page.as_uri())
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf.read_bytes())
    assert any(float(width) > float(height) for width, height in boxes)
    assert len(boxes) <= 6


def test_served_over_http_it_makes_no_second_request(make_statement, chromium):
    """Behind a web server too: one request for the page, none for anything else."""
    body = render(make_statement({"acme": (1, 1)})).encode()
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            chromium("--dump-dom", f"http://127.0.0.1:{server.server_port}/bill.html")
        finally:
            server.shutdown()
            thread.join()
    assert asked == ["/bill.html"]


def test_tenants_that_cost_more_than_they_pay_come_first(make_statement):
    """Before everything else, the largest loss first; whoever earns something is not among them."""
    statement = make_statement({"a": (100, 10), "b": (200, 20), "c": (300, 30)})
    paid = {"a": Decimal(0), "b": Decimal(0), "c": Decimal(10**6)}
    lines = tuple(replace(line, revenue=paid.get(line.tenant)) for line in statement.lines)
    page = render(replace(statement, lines=lines))
    section = page[page.index('id="losses"') : page.index('id="chart"')]
    assert "2 tenants cost more than they pay" in section
    assert section.index("<bdi>b</bdi>") < section.index("<bdi>a</bdi>")
    assert "<bdi>c</bdi>" not in section


def test_total_and_share_stand_beside_the_tenant(make_statement):
    """Where they stay in sight, whatever stands to the right of them."""
    page = render(make_statement({"a": (1, 1)}))
    row = page[page.index('id="lines"') :]
    heads = re.findall(r'<th role="columnheader" scope="col">([^<]*)</th>', row)
    assert heads[0] == "Tenant"
    assert heads[1].startswith("Total")
    assert heads[2] == "Share"


def test_a_name_from_right_to_left_turns_nothing_beside_it(make_statement):
    """In sentences, too: +1.00 after it would be read as 1.00+."""
    name = "שלום בע״מ <b>"
    before, now = (make_statement({name: (cents, 0), "bee": (1, 0)}) for cents in (200, 300))
    page = render(replace(now, previous=before, notes=(name,)))
    assert "<bdi>שלום בע״מ</bdi> &lt;b&gt; +1.00 (to 3.00)" in page
    assert "<li><bdi>שלום בע״מ</bdi> &lt;b&gt;</li>" in page
