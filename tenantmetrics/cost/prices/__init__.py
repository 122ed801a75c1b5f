"""Price lists: dated TOML files, one a region, or the user's own.

A price list is complete or refused: a price that is missing, negative or not a number is an error
that names the file and the entry, never a zero.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

from tenantmetrics.errors import PriceError, why_unreadable

__all__ = [
    "FLAT",
    "OPTIONAL",
    "TIERED",
    "Instance",
    "PriceList",
    "Tier",
    "built_in",
    "load",
    "loads",
    "regions",
]

FLAT = (
    "acu_hour",
    "acu_hour_io_optimized",
    "storage_gb_month",
    "storage_gb_month_io_optimized",
    "io_million",
    "backup_gb_month",
    "secret_month",
    "secret_calls_10k",
)
"""Prices that are one amount."""

OPTIONAL = ("nat_gateway_hour", "nat_gateway_gb", "public_ipv4_hour")
"""Prices that a report does without: only the comparison of architectures asks for them."""

TIERED = {"data_api_million": 1_000_000, "metric_month": 1}
"""Prices that fall with the month's quantity, and how many units one price buys."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One step of a tiered price: it holds up to this quantity in the month; None means any."""

    up_to: int | None
    price: Decimal


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance class: its memory in GiB, and an hour's price with each kind of storage."""

    memory_gib: Decimal
    hour: Decimal
    hour_io_optimized: Decimal


@dataclass(frozen=True)
class PriceList:
    """Prices of one region.

    Attributes:
        origin: The file it came from, for error messages.
        region: AWS region.
        currency: ISO 4217 code.
        dated: The day the prices were read.
        flat: Prices that are one amount, by the names in `FLAT`, and in `OPTIONAL` where given.
        tiers: Prices that fall with the quantity, by the names in `TIERED`.
        instances: Provisioned instances by class; may be empty.
    """

    origin: str
    region: str
    currency: str
    dated: date
    flat: Mapping[str, Decimal]
    tiers: Mapping[str, tuple[Tier, ...]]
    instances: Mapping[str, Instance] = field(default_factory=dict)

    def price(self, name: str) -> Decimal:
        """A price that is one amount.

        Raises:
            PriceError: It is optional, and this list does without it.
        """
        if name not in self.flat:
            raise PriceError(f"{self.origin}: entry prices.{name} is missing and needed here")
        return self.flat[name]

    def tiered_cost(self, name: str, quantity: int) -> Decimal:
        """What a month's quantity costs, exact.

        Args:
            name: One of `TIERED`.
            quantity: In single units: requests, metrics.
        """
        cost = Decimal(0)
        below = 0
        for tier in self.tiers[name]:
            upper = quantity if tier.up_to is None else min(quantity, tier.up_to)
            if upper > below:
                cost += (upper - below) * tier.price / TIERED[name]
                below = upper
        return cost


def regions() -> list[str]:
    """The regions that have a built-in price list."""
    folder = resources.files(__name__)
    return sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name[-5:] == ".toml")


def built_in(region: str) -> PriceList:
    """The dated list prices of a region.

    Raises:
        PriceError: There are none for that region.
    """
    if region not in regions():
        raise PriceError(
            f"no built-in prices for region {region!r} (there are {', '.join(regions())}): "
            "copy one of those, change it, and use it as the price file"
        ).about("prices")
    file = resources.files(__name__) / f"{region}.toml"
    return loads(file.read_text("utf-8"), f"the built-in prices of {region}")


def load(path: str | os.PathLike[str]) -> PriceList:
    """Read a price file.

    Raises:
        PriceError: The file cannot be read, is no TOML, or an entry is missing, unknown, negative
            or not a number.
    """
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PriceError(
            f"price file {os.fspath(path)!r} cannot be read: {why_unreadable(error)}"
        ) from None
    return loads(text, f"price file {os.fspath(path)!r}")


def loads(text: str, origin: str) -> PriceList:
    """Read the text of a price file.

    Args:
        text: TOML.
        origin: Where it comes from, for error messages.

    Raises:
        PriceError: It is no TOML, or an entry is missing, unknown, negative or not a number.
    """
    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise PriceError(f"{origin} is not valid TOML: {error}") from None
    prices = _entry(data, "prices", dict, "a table", origin)
    unknown = sorted(set(prices) - {*FLAT, *OPTIONAL, *TIERED})
    if unknown:
        known = ", ".join([*FLAT, *OPTIONAL, *TIERED])
        raise PriceError(f"{origin}: entry prices.{unknown[0]} is unknown; known are {known}")
    dated = _entry(data, "dated", date, "a date such as 2026-03-31", origin)
    return PriceList(
        origin=origin,
        region=_entry(data, "region", str, "a text", origin),
        currency=_currency(data, origin),
        dated=dated.date() if isinstance(dated, datetime) else dated,
        flat={
            name: _amount(prices, f"prices.{name}", origin)
            for name in (*FLAT, *OPTIONAL)
            if name in FLAT or name in prices
        },
        tiers={name: _tiers(prices, f"prices.{name}", origin) for name in TIERED},
        instances=_instances(data, origin),
    )


def _instances(data: Mapping[str, Any], origin: str) -> dict[str, Instance]:
    if "instances" not in data:
        return {}
    classes = _entry(data, "instances", dict, "a table", origin)
    found = {}
    for name, entry in classes.items():
        place = f"instances.{name}"
        if not isinstance(entry, dict):
            raise PriceError(f"{origin}: entry {place} is {entry!r}; it must be a table")
        found[name] = Instance(
            *(_amount(entry, key, f"{origin}, {place}") for key in Instance.__slots__)
        )
    return found


def _entry(table: Mapping[str, Any], name: str, kind: type, wanted: str, origin: str) -> Any:
    key = name.rpartition(".")[2]
    if key not in table:
        raise PriceError(f"{origin}: entry {name} is missing; it must be {wanted}")
    if not isinstance(table[key], kind):
        raise PriceError(f"{origin}: entry {name} is {table[key]!r}; it must be {wanted}")
    return table[key]


def _currency(data: Mapping[str, Any], origin: str) -> str:
    currency: str = _entry(data, "currency", str, "a currency code such as USD", origin)
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):  # noqa: PLR2004 - ISO 4217
        raise PriceError(f"{origin}: entry currency is {currency!r}; it must be a code such as USD")
    return currency


def _amount(table: Mapping[str, Any], name: str, origin: str) -> Decimal:
    key = name.rpartition(".")[2]
    if key not in table:
        raise PriceError(f"{origin}: entry {name} is missing; it must be a price, 0 or more")
    value = table[key]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise PriceError(f"{origin}: entry {name} is {value!r}, not a number")
    amount = Decimal(value)
    if not amount.is_finite():
        raise PriceError(f"{origin}: entry {name} is {value}, not a number")
    if amount < 0:
        raise PriceError(f"{origin}: entry {name} is {value}: a price cannot be negative")
    return amount


def _tiers(prices: Mapping[str, Any], name: str, origin: str) -> tuple[Tier, ...]:
    key = name.rpartition(".")[2]
    if key in prices and not isinstance(prices[key], list):
        return (Tier(None, _amount(prices, name, origin)),)
    entries = _entry(prices, name, list, "a price, or a list of tiers", origin)
    tiers: list[Tier] = []
    below = 0
    for number, entry in enumerate(entries, start=1):
        place = f"{name}[{number}]"
        if not isinstance(entry, dict):
            raise PriceError(f"{origin}: entry {place} is {entry!r}; it must have a price")
        last = number == len(entries)
        up_to = entry.get("up_to")
        if last and up_to is not None:
            raise PriceError(f"{origin}: entry {place} is the last and must have no up_to")
        if not last and (isinstance(up_to, bool) or not isinstance(up_to, int) or up_to <= below):
            raise PriceError(f"{origin}: entry {place}.up_to must be a whole number above {below}")
        below = up_to or below
        tiers.append(Tier(up_to, _amount(entry, f"{place}.price", origin)))
    if not tiers:
        raise PriceError(f"{origin}: entry {name} is empty; it must have a price")
    return tuple(tiers)
