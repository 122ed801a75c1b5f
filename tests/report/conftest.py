"""Statements to show."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest

from tenantmetrics.cost.statement import Line, LineKind, Period, Pool, Statement, Usage
from tenantmetrics.records import IDLE, UNATTRIBUTED


@pytest.fixture
def make_statement() -> Callable[..., Statement]:
    """A statement of `{tenant: (data_api, compute)}` in cents, idle and unattributed lines too."""

    def make(tenants: dict[str, tuple[int, int]], **changes: object) -> Statement:
        cent = Decimal("0.01")
        lines = [
            Line(
                name,
                LineKind.TENANT,
                Usage(
                    1000 * abs(api),
                    abs(api),
                    5_000_000_000 * abs(compute),
                    1000 * abs(api),
                    10,
                    20,
                    30,
                    40,
                ),
                (api * cent, compute * cent),
            )
            for name, (api, compute) in tenants.items()
        ]
        lines.append(Line(UNATTRIBUTED, LineKind.UNATTRIBUTED, Usage(7), (cent, cent)))
        lines.append(Line(IDLE, LineKind.IDLE, Usage(), (Decimal(0), 250 * cent)))
        sums = [sum((line.amounts[i] for line in lines), Decimal(0)) for i in range(2)]
        fields: dict[str, object] = {
            "period": Period("2026-11", 1793491200, 1796083200),
            "currency": "USD",
            "quantum": cent,
            "basis": "list prices of 2026-03-31, us-east-1",
            "estimate": True,
            "pools": (
                Pool("data_api", "Data API", sums[0], "billed requests", "1,000 requests"),
                Pool("compute", "Compute", sums[1], "share of server time", "1 ACU for 3 h"),
            ),
            "lines": tuple(lines),
            "notes": ("A note on the data.",),
        }
        return Statement(**{**fields, **changes})

    return make


NS = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


@pytest.fixture
def sheets():
    """Cells by sheet and place: (value, formula)."""

    def read(content):
        book = zipfile.ZipFile(io.BytesIO(content))
        shared = []
        if "xl/sharedStrings.xml" in book.namelist():
            root = ET.fromstring(book.read("xl/sharedStrings.xml"))
            shared = ["".join(item.itertext()) for item in root.iterfind("m:si", NS)]
        result = {}
        for number, name in enumerate(("Summary", "Lines", "Method", "Trend"), start=1):
            if f"xl/worksheets/sheet{number}.xml" not in book.namelist():
                continue
            root = ET.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))
            cells = {}
            for cell in root.iterfind(".//m:c", NS):
                value = cell.findtext("m:v", None, NS)
                if cell.get("t") == "s":
                    value = shared[int(value)]
                elif cell.get("t") == "inlineStr":
                    value = "".join(cell.find("m:is", NS).itertext())
                cells[cell.get("r")] = (value, cell.findtext("m:f", None, NS))
            result[name] = cells
            result[name + ".xml"] = ET.tostring(root, encoding="unicode")
        return result

    return read
