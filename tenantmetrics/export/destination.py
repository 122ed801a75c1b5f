"""What a destination says of itself: how it is written, made, checked and what it costs.

A destination of this package is a file in `export/destinations`. One from outside is an object of
this kind (or just its `make`) that an entry point of the group `tenantmetrics.exporters` names; its
name is then written in `exporters` like those of this package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from tenantmetrics.config import Config
from tenantmetrics.errors import ConfigError
from tenantmetrics.export.base import Exporter
from tenantmetrics.export.checks import Finding, State
from tenantmetrics.records import Window

__all__ = ["Destination", "Estimate", "Sample", "no_argument"]


class Sample(NamedTuple):
    """What an estimate is made of.

    Attributes:
        window: A busy minute of some tenants.
        window_tenants: How many those are.
        tenants: How many there are.
        shown: How many have CloudWatch metrics of their own.
        windows_a_month: Windows that all processes export in a month.
        metric_months: What so many CloudWatch custom metrics cost a month, dollars.
    """

    window: Window
    window_tenants: int
    tenants: int
    shown: int
    windows_a_month: int
    metric_months: Callable[[int], Decimal]


class Estimate(NamedTuple):
    """One way of delivery over a month.

    Attributes:
        name: Exporter, and the level where it has one.
        sends: What goes out a minute and process, in words.
        metrics: CloudWatch custom metrics that exist.
        gb_month: Gigabytes a month before compression.
        dollars_month: At list prices; None where the price is not known to us.
    """

    name: str
    sends: str
    metrics: int
    gb_month: float
    dollars_month: Decimal | None


def _no_check(rest: str, config: Config) -> Iterator[Finding]:
    del rest, config
    yield Finding("exporter", State.OK, "has no check of its own")


def _no_estimate(sample: Sample) -> Iterator[Estimate]:
    del sample
    yield from ()


def _never(rest: str) -> bool:
    del rest
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One destination. `rest` is what follows the name and a colon in `exporters`.

    Attributes:
        name: Its name in `exporters`.
        forms: How it is written, for errors ("ledger:FOLDER, ledger:s3://BUCKET/PREFIX").
        make: Makes the exporter; raises `ConfigError` or `MissingExtraError`.
        check: Looks whether all that it needs is there, for `tenantmetrics doctor`; sends nothing.
        estimate: What it sends and costs, for `tenantmetrics doctor`.
        uses_aws: Whether it needs AWS credentials.
    """

    name: str
    forms: str
    make: Callable[[str, Config], Exporter]
    check: Callable[[str, Config], Iterator[Finding]] = _no_check
    estimate: Callable[[Sample], Iterator[Estimate]] = _no_estimate
    uses_aws: Callable[[str], bool] = _never


def no_argument(name: str, rest: str) -> None:
    """Refuse an argument.

    Raises:
        ConfigError: There is one.
    """
    if rest:
        raise ConfigError(f"takes no argument: write {name}")
