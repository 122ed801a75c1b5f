"""The bill's one pass over its files agrees with a reader that anybody can check by eye."""

from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from decimal import Decimal

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tenantmetrics.cost.bill import load
from tenantmetrics.cost.bill.classify import is_other_database, pool_of
from tenantmetrics.cost.period import parse_month

NOVEMBER = parse_month("2026-11")

texts = st.sampled_from(
    [
        "",
        "a",
        'say "hi"',
        "one, two",
        "line\nbreak",
        "line\r\nbreak",
        "ÄÖ 東",
        "'",
        '"',
        "NULL",
        " ",
    ]
)
charges = st.fixed_dictionaries(
    {
        "line_item_line_item_type": st.sampled_from(["Usage", "Tax", "Credit", "RIFee"]),
        "line_item_usage_type": st.sampled_from(
            ["Data-API-Usage", "EUW2-Aurora:ServerlessV2Usage", "Aurora:StorageUsage", "", "X, Y"]
        ),
        "line_item_unblended_cost": st.decimals(-(10**6), 10**6, places=12).map(lambda d: f"{d:f}"),
        "line_item_usage_amount": st.sampled_from(["", "0", "1.000000000001", "12345678.9"]),
        "line_item_usage_start_date": st.integers(1, 30).map(lambda d: f"2026-11-{d:02}T05:00:00Z"),
        "line_item_product_code": st.sampled_from(["AmazonRDS", "AmazonEC2", "AmazonDocDB"]),
        "bill_billing_period_start_date": st.sampled_from(["2026-11-01", "2026-10-01T00:00:00Z"]),
        "line_item_line_item_description": texts,
        "product_product_name": texts,
    }
)


def simple(rows):
    """Amount and rows by pool, row by row."""
    pools = defaultdict(lambda: [Decimal(0), 0])
    for row in rows:
        usage_type, service = row["line_item_usage_type"], row["line_item_product_code"]
        if row["bill_billing_period_start_date"][:7] != "2026-11":
            continue
        if is_other_database(service, "", "", usage_type):
            continue
        pool = pools[pool_of(row["line_item_line_item_type"], usage_type, service)]
        pool[0] += Decimal(row["line_item_unblended_cost"])
        pool[1] += 1
    return {name: tuple(pool) for name, pool in pools.items()}


def write(path, rows, columns, *, bom, end):
    """A CSV as some exporter may have written it."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    content = ("\ufeff" if bom else "").encode() + out.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@settings(
    max_examples=settings.default.max_examples // 3,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],
)
@given(st.lists(charges, min_size=1, max_size=12), st.randoms(use_true_random=False), st.data())
def test_one_pass_and_row_by_row_agree(tmp_path, rows, shuffle, data):
    """Quotes, line ends in fields, a byte order mark, gzip, any order of columns, several files."""
    for number, row in enumerate(rows):
        row |= {"identity_line_item_id": f"id{number}", "line_item_currency_code": "USD"}
    rows[0]["bill_billing_period_start_date"] = "2026-11-01"
    rows[0]["line_item_product_code"] = "AmazonRDS"
    columns = list(rows[0])
    shuffle.shuffle(columns)
    cut = data.draw(st.integers(1, len(rows)))
    paths = [
        write(
            tmp_path / f"part{number}{data.draw(st.sampled_from(['.csv', '.csv.gz']))}",
            part, columns, bom=data.draw(st.booleans()),
            end=data.draw(st.sampled_from(["\n", "\r\n"])),
        )
        for number, part in enumerate(filter(None, (rows[:cut], rows[cut:])))
    ]  # fmt: skip
    bill = load(paths, NOVEMBER)
    found = {name: (pool.amount, pool.rows) for name, pool in bill.pools.items()}
    assert found == simple(rows)
