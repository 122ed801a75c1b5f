"""The comparison of architectures: what is shown, as a table or as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tenantmetrics.cost.alternatives import (
    GIB_PER_ACU,
    PARTS,
    VOLUMES,
    Alternative,
    Setup,
    Workload,
    alternatives,
    at_volume,
)
from tenantmetrics.cost.break_even import BreakEven, break_evens
from tenantmetrics.cost.prices import PriceList
from tenantmetrics.report.text import money, visible

__all__ = ["Comparison", "compare", "comparison_as_json", "show"]

_CENT = Decimal("0.01")
_TITLES = {
    "compute": "Compute",
    "storage": "Storage",
    "io": "I/O",
    "data_api": "Data API",
    "secrets": "Secrets",
    "nat": "NAT",
}


@dataclass(frozen=True)
class Comparison:
    """A month on every architecture.

    Attributes:
        workload: What the month asked for.
        setup: What the alternatives are built of.
        prices: What they are priced with.
        rows: The alternatives.
        by_volume: Each row's total, by requests a month.
        break_evens: Where architectures cost the same.
        assumptions: All that the figures rest on, a sentence each.
    """

    workload: Workload
    setup: Setup
    prices: PriceList
    rows: tuple[Alternative, ...]
    by_volume: dict[int, tuple[Decimal, ...]]
    break_evens: tuple[BreakEven, ...]
    assumptions: tuple[str, ...]


def compare(workload: Workload, setup: Setup, prices: PriceList) -> Comparison:
    """Price a month on every architecture.

    Raises:
        PriceError: The list lacks a price.
    """
    volumes = sorted({*VOLUMES, workload.requests})
    return Comparison(
        workload,
        setup,
        prices,
        tuple(alternatives(workload, setup, prices)),
        {volume: tuple(at_volume(workload, setup, prices, volume)) for volume in volumes},
        tuple(break_evens(workload, setup, prices)),
        _assumptions(workload, setup, prices),
    )


def _assumptions(workload: Workload, setup: Setup, prices: PriceList) -> tuple[str, ...]:
    listed = (
        f"List prices of {prices.dated}, {prices.region} ({prices.origin}), on demand: no "
        "reservation, discount, credit or tax"
    )
    asked = (
        f"{workload.requests:,} Data API requests of 32 KB, {workload.acu_hours:,.2f} ACU-hours "
        f"in {workload.hours} hour{'s' * (workload.hours != 1)}, "
        f"{workload.storage_gb:,.3f} GB stored, {workload.io_requests:,.0f} I/O requests"
    )
    provisioned = (
        f"Provisioned is {setup.instances} x {setup.instance} in every hour, "
        f"{prices.instances[setup.instance].memory_gib} GiB each; the busiest hour had "
        f"{workload.peak_acu:.2f} ACU of {GIB_PER_ACU} GiB; whether the processor is enough, "
        "only a load test says"
    )
    if setup.instance.startswith("db.t"):
        provisioned += "; AWS advises burstable classes (db.t) for development and test only"
    connections = (
        f"PostgreSQL connections need {setup.nat_gateways} NAT gateway(s) with a public IPv4 "
        f"address each, and {setup.nat_gb:f} GB of other traffic goes through: the "
        "database's own stays in the VPC; RDS Proxy and traffic between zones are not counted"
    )
    secrets = f"The Data API needs {setup.secrets} secret(s); the other side may sign in with IAM"
    volume = (
        "By volume, only Data API requests change: a busier month needs more compute and I/O on "
        "every row alike"
    )
    sentences = (
        listed, asked, *workload.assumptions, provisioned, connections, secrets, volume,
    )  # fmt: skip
    return tuple(f"{sentence.rstrip('.')}." for sentence in sentences)


def show(comparison: Comparison, console: Console | None = None) -> None:
    """Print a comparison.

    Args:
        comparison: What to print.
        console: Where to; standard output if None.
    """
    console = console or Console(highlight=False)
    work, prices = comparison.workload, comparison.prices
    heading = Text(f"{work.period.label} on other architectures", style="bold")
    console.print(heading.append(" ").append(" ESTIMATE ", style="black on cyan"))
    console.print(_rows(comparison, console.width))
    console.print(Text("\nBreak-even", style="bold"))
    for break_even in comparison.break_evens:
        console.print(Text(f"- {break_even.question} {_answer(break_even, work.requests)}."))
    console.print(Text(f"\nBy requests a month, {prices.currency}", style="bold"))
    console.print(_volumes(comparison))
    console.print(Text("\nAssumptions", style="bold"))
    for sentence in comparison.assumptions:
        console.print(Text(f"- {visible(sentence)}", style="dim"))


def _rows(comparison: Comparison, width: int) -> Table:
    parts = [part for part in PARTS if any(row.parts[part] for row in comparison.rows)]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Cluster", overflow="fold")
    table.add_column("Access", overflow="fold")
    detail = width >= 60 + 11 * len(parts)
    for part in parts if detail else ():
        table.add_column(_TITLES[part], justify="right", no_wrap=True)
    table.add_column(comparison.prices.currency, justify="right", no_wrap=True)
    cheapest = min(row.total for row in comparison.rows)
    for row in comparison.rows:
        style = "bold" if row.total == cheapest else ""
        mark = " (this month's)" if row.current else ""
        amounts = [money(row.parts[part], _CENT) for part in parts] if detail else []
        cells = [row.cluster, row.access + mark, *amounts, money(row.total, _CENT)]
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return table


def _volumes(comparison: Comparison) -> Table:
    """The month's own cluster both ways, and the provisioned one of its storage."""
    rows = comparison.rows
    today = next(place for place, row in enumerate(rows) if row.current)
    # Rows come in pairs by access; two clusters on, the same storage is under instances.
    columns = {
        "Data API": today,
        "Connections": today + 1,
        f"Connections, {comparison.setup.instance}": today + 5,
    }
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Requests", justify="right", no_wrap=True)
    for title in columns:
        table.add_column(title, justify="right")
    table.add_column("Cheapest", overflow="fold")
    for requests, totals in comparison.by_volume.items():
        table.add_row(
            f"{requests:,}" + (" (this month)" if requests == comparison.workload.requests else ""),
            *(money(totals[place], _CENT) for place in columns.values()),
            min(columns, key=lambda title: totals[columns[title]]),
        )
    return table


def _answer(one: BreakEven, requests: int) -> str:
    if one.value is None:
        return f"no volume: {one.always} is cheaper at any"
    if one.unit.startswith("ACU"):
        return f"{one.value:,.2f} {one.unit}"
    times = f", {one.value / requests:,.1f} times this month's" if requests else ""
    return f"{one.value:,.0f} {one.unit}" + (times if one.unit.startswith("requests") else "")


def comparison_as_json(comparison: Comparison) -> str:
    """A comparison as a JSON document; amounts are texts, exact."""
    work, setup = comparison.workload, comparison.setup
    document = {
        "version": 1,
        "status": "ESTIMATE",
        "month": work.period.label,
        "currency": comparison.prices.currency,
        "prices_dated": comparison.prices.dated.isoformat(),
        "region": comparison.prices.region,
        "workload": {
            "hours": work.hours,
            "requests": work.requests,
            "acu_hours": _plain(work.acu_hours),
            "storage_gb": _plain(work.storage_gb),
            "io_requests": _plain(work.io_requests),
        },
        "setup": {"instance": setup.instance, "instances": setup.instances},
        "alternatives": [
            {
                "cluster": row.cluster,
                "access": row.access,
                "current": row.current,
                "parts": {part: _plain(amount) for part, amount in row.parts.items()},
                "total": _plain(row.total),
                "by_requests": {
                    str(requests): _plain(totals[place])
                    for requests, totals in comparison.by_volume.items()
                },
            }
            for place, row in enumerate(comparison.rows)
        ],
        "break_evens": [
            {
                "question": break_even.question,
                "value": None if break_even.value is None else _plain(break_even.value),
                "unit": break_even.unit,
                "always_cheaper": break_even.always or None,
            }
            for break_even in comparison.break_evens
        ],
        "assumptions": list(comparison.assumptions),
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _plain(value: Decimal) -> str:
    return f"{value.quantize(Decimal('0.000001')):f}"
