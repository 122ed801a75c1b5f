"""Cost Explorer's answer as a bill: the JSON of `aws ce get-cost-and-usage`.

Ask by the month, for UnblendedCost, AmortizedCost and UsageQuantity, grouped by the dimensions
USAGE_TYPE and RECORD_TYPE.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from tenantmetrics.cost.bill.model import Bill
from tenantmetrics.cost.bill.pools import Row, Sorter
from tenantmetrics.cost.known import number_of
from tenantmetrics.cost.period import day, is_billing_month
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import ReportError, why_unreadable

__all__ = ["load_json", "parse", "refuse_other_zone"]

_T = TypeVar("_T")


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
        data: The answer; a time whose groups were too many for one page has several results.
        origin: Where it comes from, for error messages.
        basis: The same for the report.
        period: The month.
        amortized: Whether to take AmortizedCost instead of UnblendedCost.

    Raises:
        ReportError: It lacks the metric or the grouping, mixes currencies, holds nothing for the
            period, or a charge twice; or the month is another one than in UTC.
    """
    refuse_other_zone(period, origin)
    places = _places(data, origin)
    billed, worth = "UnblendedCost", "AmortizedCost"
    metrics = (worth, billed) if amortized else (billed, worth)
    sorter = Sorter()
    estimated, others = False, set()
    times: dict[tuple[int, int], set[tuple[str, ...]]] = defaultdict(set)
    totals = set[tuple[int, int]]()
    for number, result in enumerate(data["ResultsByTime"], start=1):
        where = f"{origin} result {number}"
        start, end = _time(result, period, where)
        if not period.start_s <= start < period.end_s:
            others.add(day(start)[:7])
            continue
        if end > period.end_s:
            raise ReportError(f"{where} is of more than {period.label}: ask by the month")
        known = times[start, end]
        estimated = estimated or bool(result.get("Estimated"))
        for group in _field(result, "Groups", list, where):
            sorter.add(_charge(group, places, metrics, where))
            if (keys := tuple(group["Keys"])) in known:
                raise _twice(origin, f"charges of {', '.join(map(repr, keys))}", start)
            known.add(keys)
        if result.get("Total"):
            if (start, end) in totals:
                raise _twice(origin, "a total", start)
            totals.add((start, end))
    missing = _missing(times, period, origin)
    if not sorter.whole.pools:
        raise ReportError(
            f"{origin} holds nothing for {period.label}; its months: "
            f"{', '.join(sorted(others)) or 'none'}"
        )
    ungrouped = "The bill is not grouped by RECORD_TYPE, which tells credits and taxes from usage."
    return Bill(
        basis=basis,
        currency=sorter.currency(origin),
        pools=dict(sorter.whole.pools),
        estimated=estimated,
        notes=(
            *(() if "RECORD_TYPE" in places else (ungrouped,)),
            *sorter.notes(amortized=amortized),
        ),
        places=dict(sorter.places),
        draft=(*missing, *sorter.draft(has_usage_types=True, columns="")),
    )


def refuse_other_zone(period: Period, origin: str) -> None:
    """What has months in UTC knows no other month, be it an hour less.

    Raises:
        ReportError: The month begins or ends at another time than in UTC.
    """
    if is_billing_month(period):
        return
    first, last = (
        f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M}"
        for second in (period.start_s, period.end_s)
    )
    raise ReportError(
        f"{origin} has months in UTC only, and {period.label} in the time zone {period.timezone} "
        f"is from {first} to {last} UTC: take the month in UTC, or a bill by the hour"
    ).about("timezone")


def _twice(origin: str, what: str, start: int) -> ReportError:
    return ReportError(
        f"{origin} has {what} of {day(start)} twice, which would count twice: give one"
    )


def _answer(path: Path) -> dict[str, Any]:
    """The JSON, if it is a whole answer."""
    try:
        # A number keeps all of its digits.
        data: Any = json.loads(path.read_text("utf-8-sig"), parse_float=str, parse_constant=str)
    except (OSError, ValueError, RecursionError) as error:
        raise ReportError(f"{str(path)!r} cannot be read: {why_unreadable(error)}") from None
    if not isinstance(data, dict) or not isinstance(data.get("ResultsByTime"), list):
        raise ReportError(f"{str(path)!r} is no answer of GetCostAndUsage: no ResultsByTime in it")
    if data.get("NextPageToken"):
        raise ReportError(f"{str(path)!r} is one page of several (NextPageToken): fetch all")
    return data


def _field(of: Any, name: str, kind: type[_T], where: str) -> _T:
    """A field of an object, which must be there and of its kind.

    Raises:
        ReportError: It is not.
    """
    value = of.get(name) if isinstance(of, dict) else None
    if not isinstance(value, kind):
        raise ReportError(f"{where} is no answer of GetCostAndUsage: no {name} in it")
    return value


def _places(data: dict[str, Any], origin: str) -> dict[str, int]:
    """Where in a group's keys each dimension stands."""
    definitions = _field(data, "GroupDefinitions", list, origin)
    keys = [_field(dimension, "Key", str, origin) for dimension in definitions]
    if "USAGE_TYPE" not in keys:
        raise ReportError(f"{origin} is not grouped by the dimension USAGE_TYPE")
    return {key: place for place, key in enumerate(keys)}


def _time(result: Any, period: Period, where: str) -> tuple[int, int]:
    """When a result starts and ends, in seconds since the epoch; by the hour it says the hour."""
    time = _field(result, "TimePeriod", dict, where)
    start = _field(time, "Start", str, where)
    try:
        first_s, last_s = (
            int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
            for text in (start, str(time.get("End", start)))
        )
    except ValueError:
        raise ReportError(f"{where}: {time} is no time such as 2026-11-01") from None
    # Without an end it is of the month.
    return first_s, last_s if last_s > first_s else period.end_s


def _missing(times: Iterable[tuple[int, int]], period: Period, origin: str) -> Iterator[str]:
    """What of the month no result is of, in words.

    Raises:
        ReportError: Two times overlap: what they have in common would count twice.
    """
    until = period.start_s
    for start, end in [*sorted(times), (period.end_s, period.end_s)]:
        if start < until:
            raise _twice(origin, "results", start)
        if start > until:
            yield f"Cost Explorer's answer has nothing of {day(until)} to {day(start - 1)}"
        until = end


def _charge(group: Any, places: dict[str, int], metrics: tuple[str, str], where: str) -> Row:
    """A group, by the first metric; the second one is there if it was asked for."""
    keys = _field(group, "Keys", list, where)
    if len(keys) < len(places) or not all(isinstance(key, str) for key in keys):
        raise ReportError(f"{where}: a group has no key for each of {', '.join(places)}")
    key_of = {name: keys[place] for name, place in places.items()}
    usage_type = key_of["USAGE_TYPE"]
    where = f"{where}, {usage_type!r}"
    given = _field(group, "Metrics", dict, where)
    metric, other = metrics
    if metric not in given:
        raise ReportError(f"{where}: metric {metric} is missing")
    quantity = _number(given, "UsageQuantity", where) if "UsageQuantity" in given else Decimal(0)
    return Row(
        key_of.get("RECORD_TYPE", "Usage"),
        usage_type,
        _field(given[metric], "Unit", str, where),
        _number(given, metric, where),
        quantity,
        1,
        service=key_of.get("SERVICE", ""),
        operation=key_of.get("OPERATION", ""),
        other=_number(given, other, where) if other in given else None,
    )


def _number(metrics: dict[str, Any], metric: str, where: str) -> Decimal:
    """An amount, which is text in Cost Explorer, so that nothing is lost on the way."""
    amount = metrics[metric].get("Amount") if isinstance(metrics[metric], dict) else None
    text = str(amount) if isinstance(amount, str | int) and not isinstance(amount, bool) else ""
    if (number := number_of(text)) is None:
        raise ReportError(f"{where}: the amount is not a number such as 1234.56: {metric} {text!r}")
    return number
