"""List prices from the AWS Price List API (GetProducts): which product is which entry.

Needs `pricing:GetProducts`. The API lives in three regions and knows the prices of all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from tenantmetrics.cost.prices import FLAT, OPTIONAL, TIERED, Instance, PriceList, Tier
from tenantmetrics.errors import PriceError

__all__ = ["fetch"]

API_REGION = "us-east-1"
"""One of the API's regions (AWS general reference, Price List endpoints)."""

_ENGINE = "Aurora PostgreSQL"
_ENGINES = (_ENGINE, "Any", "")
"""Whose price counts, the first that is there; storage and requests are sold to any engine."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An entry: its service, how its usage type ends, and how many units one price buys."""

    service: str
    usage_type: str
    units: int = 1


_WANTED = {
    "acu_hour": _Wanted("AmazonRDS", "Aurora:ServerlessV2Usage"),
    "acu_hour_io_optimized": _Wanted("AmazonRDS", "Aurora:ServerlessV2IOOptimizedUsage"),
    "storage_gb_month": _Wanted("AmazonRDS", "Aurora:StorageUsage"),
    "storage_gb_month_io_optimized": _Wanted("AmazonRDS", "Aurora:IO-OptimizedStorageUsage"),
    "io_million": _Wanted("AmazonRDS", "Aurora:StorageIOUsage", 1_000_000),
    "backup_gb_month": _Wanted("AmazonRDS", "Aurora:BackupUsage"),
    "secret_month": _Wanted("AWSSecretsManager", "AWSSecretsManager-Secrets"),
    "secret_calls_10k": _Wanted("AWSSecretsManager", "AWSSecretsManagerAPIRequest", 10_000),
    "nat_gateway_hour": _Wanted("AmazonEC2", "NatGateway-Hours"),
    "nat_gateway_gb": _Wanted("AmazonEC2", "NatGateway-Bytes"),
    "public_ipv4_hour": _Wanted("AmazonVPC", "PublicIPv4:InUseAddress"),
    "data_api_million": _Wanted("AmazonRDS", "Data-API-Usage", 1_000_000),
    "metric_month": _Wanted("AmazonCloudWatch", "CW:MetricMonitorUsage"),
}

_INSTANCE = re.compile(r"(?:[A-Za-z0-9]+-)?InstanceUsage(IOOptimized)?:(db\..+)")
_Tiers = tuple[Tier, ...]


def fetch(
    client: Any, region: str, *, base: PriceList | None, today: date
) -> tuple[PriceList, list[str]]:
    """Ask for all prices of a region.

    Args:
        client: A boto3 `pricing` client.
        region: Whose prices.
        base: Where entries come from that AWS did not answer; None refuses to go on without them.
        today: The day to date the list with.

    Returns:
        The prices, and the entries that are not AWS's answer.

    Raises:
        PriceError: The API cannot be asked, answers two prices for one entry, or none for one that
            a report needs and `base` is not given.
    """
    found: dict[str, _Tiers] = {}
    currencies: set[str] = set()
    for name, wanted in _WANTED.items():
        tiers = _tiers_of(client, region, name, wanted, currencies)
        if tiers is not None:
            found[name] = tiers
    instances = _instances(client, region, currencies)
    missing = [name for name in (*FLAT, *TIERED) if name not in found]
    if missing and base is None:
        raise PriceError(
            f"AWS answered no price of {region} for {', '.join(missing)}: those of "
            "another price file can be kept"
        ).about("base")
    if base is not None and currencies and base.currency not in currencies:
        raise PriceError(f"{base.origin} is in {base.currency}, AWS answered {min(currencies)}")
    if len(currencies) > 1:
        raise PriceError(f"AWS answered in several currencies: {', '.join(sorted(currencies))}")
    kept = [*missing, *(name for name in OPTIONAL if name not in found)]
    flat = {name: tiers[0].price for name, tiers in found.items() if name not in TIERED}
    steps = {name: tiers for name, tiers in found.items() if name in TIERED}
    if base is not None:
        flat = {**{name: base.flat[name] for name in kept if name in base.flat}, **flat}
        steps = {**{name: base.tiers[name] for name in missing if name in TIERED}, **steps}
    listed = PriceList(
        origin=f"the AWS Price List of {region}",
        region=region,
        currency=min(currencies, default=base.currency if base else "USD"),
        dated=today,
        flat=flat,
        tiers=steps,
        instances=instances or (base.instances if base else {}),
    )
    return listed, kept


def _products(client: Any, service: str, filters: Sequence[tuple[str, str, str]]) -> Iterator[Any]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - with boto3

    try:
        pages = client.get_paginator("get_products").paginate(
            ServiceCode=service,
            FormatVersion="aws_v1",
            Filters=[{"Type": t, "Field": f, "Value": v} for t, f, v in filters],
        )
        for page in pages:
            for text in page["PriceList"]:
                yield json.loads(text)
    except (BotoCoreError, ClientError) as error:
        reason = " ".join(str(error).split())
        raise PriceError(f"the AWS Price List cannot be asked for {service}: {reason}") from None
    except ValueError:
        raise PriceError(f"the AWS Price List answered no JSON for {service}") from None


def _tiers_of(
    client: Any, region: str, name: str, wanted: _Wanted, currencies: set[str]
) -> _Tiers | None:
    """An entry's price by tiers; None where AWS sells no such thing in the region."""
    filters = [
        ("TERM_MATCH", "regionCode", region),
        ("CONTAINS", "usagetype", wanted.usage_type),
    ]
    by_engine: dict[str, set[_Tiers]] = {}
    # Previews and other variants go on behind the same words.
    pattern = re.compile(rf"(?:[A-Za-z0-9]+-)?{re.escape(wanted.usage_type)}")
    for product in _products(client, wanted.service, filters):
        attributes = product["product"]["attributes"]
        if not pattern.fullmatch(attributes.get("usagetype", "")):
            continue
        tiers = _tiers(product, wanted.units, currencies)
        if tiers is not None:
            by_engine.setdefault(attributes.get("databaseEngine", ""), set()).add(tiers)
    for engine in _ENGINES:
        offers = by_engine.get(engine, set())
        # What is given away to some (the first requests of a new account) is no list price.
        paid = {tiers for tiers in offers if any(tier.price for tier in tiers)} or offers
        if len(paid) > 1 or (name not in TIERED and any(len(tiers) > 1 for tiers in paid)):
            raise PriceError(
                f"AWS answered several prices of {region} for {name} ({wanted.usage_type}): write "
                "it into a price file yourself"
            )
        if paid:
            return paid.pop()
    return None


def _tiers(product: Any, units: int, currencies: set[str]) -> _Tiers | None:
    """The on-demand price of a product, the cheapest quantities last."""
    dimensions = [
        dimension
        for term in product.get("terms", {}).get("OnDemand", {}).values()
        for dimension in term["priceDimensions"].values()
    ]
    steps = []
    for dimension in dimensions:
        ((currency, text),) = dimension["pricePerUnit"].items()
        try:
            price = Decimal(text) * units
            upper = dimension.get("endRange", "Inf")
            up_to = None if upper == "Inf" else int(Decimal(upper))
            start = Decimal(dimension.get("beginRange", "0"))
        except (InvalidOperation, ValueError):
            raise PriceError(f"the AWS Price List answered {text!r} as a price") from None
        currencies.add(currency)
        steps.append((start, Tier(up_to, price.normalize())))
    return tuple(tier for _, tier in sorted(steps, key=lambda step: step[0])) or None


def _instances(client: Any, region: str, currencies: set[str]) -> dict[str, Instance]:
    """Every class that is sold with both kinds of storage."""
    hours: dict[str, dict[bool, Decimal]] = {}
    memory: dict[str, Decimal] = {}
    filters = [
        ("TERM_MATCH", "regionCode", region),
        ("TERM_MATCH", "databaseEngine", _ENGINE),
        ("CONTAINS", "usagetype", "InstanceUsage"),
    ]
    for product in _products(client, "AmazonRDS", filters):
        attributes = product["product"]["attributes"]
        match = _INSTANCE.fullmatch(attributes.get("usagetype", ""))
        tiers = _tiers(product, 1, currencies) if match else None
        size = re.fullmatch(r"([\d,.]+) GiB", attributes.get("memory", ""))
        if match and tiers and size:
            hours.setdefault(match[2], {})[bool(match[1])] = tiers[0].price
            memory[match[2]] = Decimal(size[1].replace(",", ""))
    return {
        name: Instance(memory[name], both[False], both[True])
        for name, both in sorted(hours.items(), key=lambda one: (one[1].get(False, 0), one[0]))
        if len(both) == 2  # noqa: PLR2004 - standard and I/O-Optimized
    }
