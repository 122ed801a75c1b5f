"""`tenantmetrics prices refresh` against a Price List API over HTTP.

The server answers in the API's own form: products as JSON texts, in pages, by its filters.
"""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources

import pytest
from typer.testing import CliRunner

from tenantmetrics.cli.app import app
from tenantmetrics.cost.prices import built_in, load
from tenantmetrics.errors import PriceError

_PAGE = 2


def product(service, usage_type, *prices, region="eu-west-1", **attributes):
    """One product; prices are (from, to, price)."""
    dimensions = {
        f"RATE.{number}": {
            "unit": "x", "beginRange": start, "endRange": end, "pricePerUnit": {"USD": price},
        }
        for number, (start, end, price) in enumerate(prices)
    }  # fmt: skip
    return {
        "serviceCode": service,
        "product": {"attributes": {"regionCode": region, "usagetype": usage_type, **attributes}},
        "terms": {"OnDemand": {"T": {"priceDimensions": dimensions}}},
    }


def flat(service, usage_type, price, **attributes):
    return product(service, usage_type, ("0", "Inf", price), **attributes)


PRODUCTS = [
    flat("AmazonRDS", "EU-Aurora:ServerlessV2Usage", "0.14", databaseEngine="Aurora PostgreSQL"),
    flat("AmazonRDS", "EU-Aurora:ServerlessV2Usage", "0.99", databaseEngine="Aurora MySQL"),
    flat("AmazonRDS", "EU-Aurora:ServerlessV2IOOptimizedUsage", "0.182",
         databaseEngine="Aurora PostgreSQL"),
    flat("AmazonRDS", "EU-Aurora:StorageUsage", "0.11", databaseEngine="Any"),
    flat("AmazonRDS", "EU-Aurora:IO-OptimizedStorageUsage", "0.248", databaseEngine="Any"),
    flat("AmazonRDS", "EU-Aurora:IO-OptimizedStorageUsage-LimitlessPreview", "0",
         databaseEngine="Any"),
    flat("AmazonRDS", "EU-Aurora:StorageIOUsage", "0.00000022", databaseEngine="Any"),
    flat("AmazonRDS", "EU-Aurora:BackupUsage", "0.022", databaseEngine="Any"),
    product("AmazonRDS", "EU-Data-API-Usage", ("1000000000", "Inf", "0.00000022"),
            ("0", "1000000000", "0.00000039")),
    flat("AWSSecretsManager", "EU-AWSSecretsManager-Secrets", "0.4"),
    flat("AWSSecretsManager", "EU-AWSSecretsManagerAPIRequest", "0.000005"),
    product("AmazonCloudWatch", "EU-CW:MetricMonitorUsage", ("0", "10000", "0.3"),
            ("10000", "Inf", "0.1")),
    flat("AmazonEC2", "EU-NatGateway-Hours", "0.048"),
    flat("AmazonEC2", "EU-NatGateway-Bytes", "0.048"),
    flat("AmazonRDS", "EU-InstanceUsage:db.r6g.large", "0.29",
         databaseEngine="Aurora PostgreSQL", memory="16 GiB"),
    flat("AmazonRDS", "EU-InstanceUsageIOOptimized:db.r6g.large", "0.377",
         databaseEngine="Aurora PostgreSQL", memory="16 GiB"),
    flat("AmazonRDS", "EU-InstanceUsage:db.r5.large", "0.32",
         databaseEngine="Aurora PostgreSQL", memory="16 GiB"),
]  # fmt: skip


@pytest.fixture
def price_list(monkeypatch):
    """The API over HTTP; tests change the list of products that it sells."""
    products = list(PRODUCTS)

    class Api(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["X-Amz-Target"] == "AWSPriceListService.GetProducts"
            found = [one for one in products if passes(one, asked)]
            start = int(asked.get("NextToken", 0))
            page = {"FormatVersion": "aws_v1", "PriceList": [
                json.dumps(one) for one in found[start : start + _PAGE]
            ]}  # fmt: skip
            if start + _PAGE < len(found):
                page["NextToken"] = str(start + _PAGE)
            body = json.dumps(page).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    for name, value in {
        "AWS_ENDPOINT_URL_PRICING": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }.items():
        monkeypatch.setenv(name, value)
    yield products
    server.shutdown()
    thread.join()
    server.server_close()


def passes(one, asked):
    attributes = one["product"]["attributes"]
    return one["serviceCode"] == asked["ServiceCode"] and all(
        f["Value"] in attributes.get(f["Field"], "")
        if f["Type"] == "CONTAINS"
        else attributes.get(f["Field"]) == f["Value"]
        for f in asked["Filters"]
    )


def run(*arguments):
    return CliRunner().invoke(app, ["prices", "refresh", *map(str, arguments)])


def test_a_regions_prices_are_written_as_a_file_that_loads(price_list, tmp_path):
    """Aurora PostgreSQL's price, not another engine's or a preview's; tiers in order."""
    path = tmp_path / "eu.toml"
    result = run("--region", "eu-west-1", "-o", path)
    assert result.exit_code == 0, result.output
    found = load(path)
    assert (found.region, found.currency) == ("eu-west-1", "USD")
    assert found.flat == {
        "acu_hour": Decimal("0.14"), "acu_hour_io_optimized": Decimal("0.182"),
        "storage_gb_month": Decimal("0.11"), "storage_gb_month_io_optimized": Decimal("0.248"),
        "io_million": Decimal("0.22"), "backup_gb_month": Decimal("0.022"),
        "secret_month": Decimal("0.4"), "secret_calls_10k": Decimal("0.05"),
        "nat_gateway_hour": Decimal("0.048"), "nat_gateway_gb": Decimal("0.048"),
    }  # fmt: skip
    assert found.tiered_cost("data_api_million", 1_001_000_000) == Decimal("390.22")
    assert list(found.instances) == ["db.r6g.large"]
    assert "AWS lists no public_ipv4_hour: left out" in result.output


def test_a_file_is_written_over_with_force_only_and_says_what_changed(price_list, tmp_path):
    """Somebody's own prices are not lost without a word."""
    path = tmp_path / "eu.toml"
    run("--region", "eu-west-1", "-o", path)
    before = path.read_text()
    refused = run("--region", "eu-west-1", "-o", path)
    assert isinstance(refused.exception, PriceError)
    assert "--force" in str(refused.exception)
    assert path.read_text() == before
    price_list[0] = flat(
        "AmazonRDS", "EU-Aurora:ServerlessV2Usage", "0.15", databaseEngine="Aurora PostgreSQL"
    )
    forced = run("--region", "eu-west-1", "-o", path, "--force")
    assert "changed acu_hour: 0.14 to 0.15" in forced.output
    assert load(path).flat["acu_hour"] == Decimal("0.15")


def test_what_aws_does_not_sell_is_refused_or_kept_from_a_base_file(price_list, tmp_path):
    """A price list is complete or not written; what is kept is marked in the file."""
    price_list[:] = [one for one in PRODUCTS if "Data-API" not in str(one)]
    path = tmp_path / "eu.toml"
    refused = run("--region", "eu-west-1", "-o", path)
    assert str(refused.exception) == (
        "AWS answered no price of eu-west-1 for data_api_million: those of another price file "
        "can be kept"
    )
    assert refused.exception.fields == ("base",)
    assert not path.exists()
    base = tmp_path / "base.toml"
    source = resources.files("tenantmetrics.cost.prices")
    base.write_text((source / "us-east-1.toml").read_text())
    result = run("--region", "eu-west-1", "-o", path, "--base", base)
    assert "AWS lists no data_api_million: kept from the base file" in result.output
    assert load(path).tiers == {
        **load(path).tiers,
        "data_api_million": built_in("us-east-1").tiers["data_api_million"],
    }
    assert "data_api_million = [  # not AWS's answer" in path.read_text()


def test_two_prices_for_one_entry_are_an_error_not_a_choice(price_list, tmp_path):
    """Which of two is right cannot be known."""
    price_list.append(flat("AmazonEC2", "EU-NatGateway-Hours", "0.05"))
    result = run("--region", "eu-west-1", "-o", tmp_path / "eu.toml")
    assert "several prices of eu-west-1 for nat_gateway_hour" in str(result.exception)


def test_an_api_that_refuses_is_one_line(tmp_path, monkeypatch, unused_port):
    """The service and the reason."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", f"http://127.0.0.1:{unused_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    result = run("-o", tmp_path / "x.toml")
    assert isinstance(result.exception, PriceError)
    assert "the AWS Price List cannot be asked for AmazonRDS" in str(result.exception)
    assert "\n" not in str(result.exception)
