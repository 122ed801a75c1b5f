"""The page of a tenant, in a real browser."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from tenantmetrics.cost.list_prices import TITLES
from tenantmetrics.cost.statement import Period, Usage
from tenantmetrics.cost.top_statements import TopStatement
from tenantmetrics.report.tenant_statement.html import as_html
from tenantmetrics.report.tenant_statement.model import Month, Part, TenantStatement

NASTY = "<script>document.title='owned'</script>\"'{{ 7*7 }}\u202egnp.exe"
FULL = TenantStatement(
    tenant="Grand Hotel Budapest " * 14,
    period=Period("2026-10", 1790812800, 1793491200, "Asia/Kolkata"),
    currency="USD",
    quantum=Decimal("0.01"),
    is_charge=True,
    status=("DRAFT", "ESTIMATE"),
    caveats=("Draft: the figures may still change.", "Estimate at list prices, not of a bill."),
    parts=tuple(
        Part(name, title, Decimal("1234567.89")) for name, title in list(TITLES.items())[:10]
    ),
    usage=Usage(10**9, 10**6, 10**15, 10**9, 10**12, 10**13, 10**10, 10**9),
    server_ns=10**15,
    load=0.385,
    stored_bytes=5 * 10**12,
    months=tuple(
        Month(f"20{25 + n // 12}-{n % 12 + 1:02}", Decimal("9876543.21") * (n + 1), 10**8, n == 12)
        for n in range(13)
    ),
    top_statements=tuple(
        TopStatement(f"SELECT a_rather_long_name_of_a_table_{n} other", 10**7, 10**12, 10**9)
        for n in range(10)
    ),
    method=tuple(f"{title}: by share of server time." for title in list(TITLES.values())[:10]),
)  # fmt: skip
"""Everything that a page can have, and all of it large."""


def test_the_page_asks_for_nothing_and_runs_nothing():
    """No script, no address to fetch, no comment; and a policy that forbids the first two."""
    page = as_html(FULL)
    assert "default-src 'none'" in page
    assert not re.search(r"<script|javascript:|https?://|@import|url\(|<!--", page)


def test_texts_come_out_as_text(chromium, tmp_path):
    """Markup in names and statements is shown, not obeyed."""
    page = tmp_path / "page.html"
    one = replace(
        FULL, tenant=NASTY, parts=(Part("x", NASTY, Decimal(1)),), method=(NASTY,),
        top_statements=(TopStatement(NASTY, 1, 1, 1),),
    )  # fmt: skip
    text = as_html(one)
    assert "<script>" not in text
    assert "\u202e" not in text
    assert text.count("{{ 7*7 }}") == 5
    page.write_text(text)
    done = chromium("--enable-logging=stderr", "--v=0", "--dump-dom", page.as_uri())
    assert "<title>Database statement, 2026-10: &lt;script&gt;" in done.stdout
    assert "CONSOLE" not in done.stderr


def test_nothing_is_wider_than_the_page(chromium, tmp_path):
    """At 400 and 1,200 px no sideways scrolling, with 13 months of millions and a long name."""
    page = tmp_path / "page.html"
    # The test's own script must run, so the page's policy, tested elsewhere, is taken out.
    html = re.sub(r"<meta http-equiv.*?>", "", as_html(FULL))
    frame = html.replace("&", "&amp;").replace('"', "&quot;")
    frames = "".join(
        f'<iframe style="width:{width}px;height:900px" srcdoc="{frame}"></iframe>'
        for width in (400, 1200)
    )
    page.write_text(
        f"<!doctype html>{frames}<script>onload=()=>{{"
        "document.title=[...document.querySelectorAll('iframe')].map(f=>{"
        "const d=f.contentDocument;const wide=[...d.querySelectorAll('.trend li')]"
        ".filter(e=>e.scrollWidth>e.clientWidth).length;"
        "return [d.documentElement.scrollWidth,d.documentElement.clientWidth,wide]}).join()"
        "}</script>"
    )
    done = chromium("--window-size=1400,1000", "--dump-dom", page.as_uri())
    title = re.search(r"<title>([\d,]+)</title>", done.stdout)
    assert title is not None
    scroll, client, wide, scroll_2, client_2, wide_2 = map(int, title[1].split(","))
    assert scroll <= client <= 400
    assert scroll_2 <= client_2 <= 1200
    assert (wide, wide_2) == (0, 0)


def test_it_prints_on_one_page_of_a4(chromium, tmp_path):
    """With ten pools, thirteen months and ten statements."""
    page, pdf = tmp_path / "page.html", tmp_path / "page.pdf"
    page.write_text(as_html(FULL))
    chromium("--no-pdf-header-footer", f"--print-to-pdf={pdf}", page.as_uri())
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf.read_bytes())
    assert [(round(float(width)), round(float(height))) for width, height in boxes] in (
        [(595, 842)], [(596, 842)], [(595, 841)],
    )  # fmt: skip
