"""Cost Explorer's answer as a bill: the JSON of `aws ce get-cost-and-usage`.

Ask by the month, for UnblendedCost, AmortizedCost and UsageQuantity, grouped by the dimensions
USAGE_TYPE and RECORD_TYPE.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from tenantmetrics.cost.bill.model import Bill
from tenantmetrics.cost.bill.pools import Row, Sorter
from tenantmetrics.cost.known import is_possible
from tenantmetrics.cost.period import billing_months
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import ReportError

__all__ = ["load_json", "parse"]


def load_json(path: Path, period: Period, *, amortized: bool) -> Bill:
    """Read Cost Explorer's answer from a file.

    Args:
        path: The JSON file.
        period: The month; results of other months are excluded and reported.
        amortized: Whether to take AmortizedCost instead of UnblendedCost.

    Raises:
        ReportError: The file is no such answer, lacks the metric or the grouping, mixes
            currencies, was cut off, or holds nothing for the period.
    """
    data = _answer(path)
    return parse(data, repr(str(path)), f"Cost Explorer {path.name}", period, amortized=amortized)


def parse(
    data: dict[str, Any], origin: str, basis: str, period: Period, *, amortized: bool
) -> Bill:
    """An answer of GetCostAndUsage as a bill.

    Args:
        data: The answer, its pages put together.
        origin: Where it comes from, for error messages.
        basis: The same for the report.
        period: The month.
        amortized: Whether to take AmortizedCost instead of UnblendedCost.

    Raises:
        ReportError: It lacks the metric or the grouping, mixes currencies, or holds nothing for
            the period.
    """
    if len(billing_months(period)) > 1:
        raise ReportError(
            f"{origin} is by the month in UTC, and {period.label} in the time zone "
            f"{period.timezone} has hours of {' and '.join(billing_months(period))}: take the "
            "month in UTC, or a bill by the hour"
        ).about("timezone")
    places = _places(data, origin)
    billed, worth = "UnblendedCost", "AmortizedCost"
    metrics = (worth, billed) if amortized else (billed, worth)
    sorter = Sorter()
    estimated, others = False, set()
    for number, result in enumerate(data["ResultsByTime"], start=1):
        where = f"{origin} result {number}"
        start = str(result.get("TimePeriod", {}).get("Start", ""))
        if start[:7] != period.label:
            others.add(start[:7])
            continue
        estimated = estimated or bool(result.get("Estimated"))
        for group in result.get("Groups", []):
            sorter.add(_charge(group, places, metrics, where))
    if not sorter.whole.pools:
        raise ReportError(
            f"{origin} holds nothing for {period.label}; its months: "
            f"{', '.join(sorted(others)) or 'none'}"
        )
    currencies = sorter.currencies
    if "" in currencies:
        raise ReportError(f"{origin} has charges without a currency")
    if len(currencies) > 1:
        raise ReportError(f"{origin} mixes currencies: {', '.join(sorted(currencies))}")
    ungrouped = "The bill is not grouped by RECORD_TYPE, which tells credits and taxes from usage."
    return Bill(
        basis=basis,
        currency=min(currencies, default="USD"),
        pools=dict(sorter.whole.pools),
        estimated=estimated,
        notes=(
            *(() if "RECORD_TYPE" in places else (ungrouped,)),
            *sorter.notes(amortized=amortized),
        ),
        places=dict(sorter.places),
        draft=tuple(sorter.draft(has_usage_types=True, columns="")),
    )


def _answer(path: Path) -> dict[str, Any]:
    """The JSON, if it is a whole answer."""
    try:
        data: Any = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ReportError(f"{str(path)!r} cannot be read: {error}") from None
    if not isinstance(data, dict) or not isinstance(data.get("ResultsByTime"), list):
        raise ReportError(f"{str(path)!r} is no answer of GetCostAndUsage: no ResultsByTime in it")
    if data.get("NextPageToken"):
        raise ReportError(f"{str(path)!r} is one page of several (NextPageToken): fetch all")
    return data


def _places(data: dict[str, Any], origin: str) -> dict[str, int]:
    """Where in a group's keys each dimension stands."""
    keys = [str(dimension.get("Key")) for dimension in data.get("GroupDefinitions", [])]
    if "USAGE_TYPE" not in keys:
        raise ReportError(f"{origin} is not grouped by the dimension USAGE_TYPE")
    return {key: place for place, key in enumerate(keys)}


def _charge(
    group: dict[str, Any], places: dict[str, int], metrics: tuple[str, str], where: str
) -> Row:
    """A group, by the first metric; the second one is there if it was asked for."""
    metric, other = metrics
    usage_type = group["Keys"][places["USAGE_TYPE"]]
    kind = group["Keys"][places["RECORD_TYPE"]] if "RECORD_TYPE" in places else "Usage"
    given = group["Metrics"]
    try:
        # Amounts are text in Cost Explorer, so nothing is lost on the way.
        amount, currency = Decimal(given[metric]["Amount"]), str(given[metric]["Unit"]).strip()
        quantity = Decimal(given.get("UsageQuantity", {}).get("Amount", "0"))
        more = Decimal(given[other]["Amount"]) if other in given else None
    except KeyError:
        raise ReportError(f"{where}, {usage_type!r}: metric {metric} is missing") from None
    except InvalidOperation:
        raise ReportError(f"{where}, {usage_type!r}: the amount is not a number") from None
    if not all(is_possible(number) for number in (amount, quantity, more or amount)):
        raise ReportError(f"{where}, {usage_type!r}: the amount is not a number")
    return Row(kind, usage_type, currency, amount, quantity, 1, other=more)
