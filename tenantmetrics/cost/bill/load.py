"""Reads a bill: which file it is, what of it belongs to the period and passes the filter."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tenantmetrics.cost.bill.classify import COMPUTE, pool_of
from tenantmetrics.cost.bill.cost_explorer import load_json
from tenantmetrics.cost.bill.forms import Form, form_of
from tenantmetrics.cost.bill.model import Bill, BillFilter, PoolCharge
from tenantmetrics.cost.bill.table import Table
from tenantmetrics.errors import ReportError
from tenantmetrics.statement import Period

__all__ = ["load"]

_SUFFIXES = (".csv", ".csv.gz", ".parquet")
_AURORA = {"compute", "storage", "io", "backup", "data_api"}


def load(
    paths: Sequence[str | os.PathLike[str]],
    period: Period,
    *,
    only: BillFilter | None = None,
    amortized: bool = False,
) -> Bill:
    """Read a bill.

    Args:
        paths: CUR (2.0 or legacy) or FOCUS (1.0 or 1.2) files, CSV or Parquet, or folders of
            them; or one JSON file, the answer of Cost Explorer's GetCostAndUsage.
        period: The month; charges of other billing months are left out and told.
        only: Which charges count.
        amortized: Whether commitments count when they are used rather than when they are paid.

    Raises:
        ReportError: A file cannot be read, is of another form, lacks a column, holds an amount
            that is no number, or two currencies, or charges that another file has too; or there
            is nothing in the period.
        MissingExtraError: DuckDB is not installed.
    """
    files = _files(paths)
    if files[0].suffix == ".json":
        if len(files) > 1 or (only or BillFilter()) != BillFilter():
            raise ReportError("a Cost Explorer bill is one file, filtered by its own request")
        return load_json(files[0], period, amortized=amortized)
    table = Table(files)
    try:
        return _read(table, form_of(table, amortized=amortized), period, only or BillFilter())
    finally:
        table.close()


def _files(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    found = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.name.endswith(_SUFFIXES))
            if not inside:
                raise ReportError(f"{str(path)!r} holds no bill: no CSV or Parquet file in it")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise ReportError(f"bill {str(path)!r} does not exist")
    if len({path.suffix == ".parquet" for path in found}) > 1:
        raise ReportError("a bill is either CSV or Parquet, not both: some charges may be in each")
    return found


def _read(table: Table, form: Form, period: Period, only: BillFilter) -> Bill:
    _refuse_overlap(table, form)
    months = [
        str(month)
        for (month,) in table.query(f"SELECT DISTINCT {form.billing_month} FROM bill ORDER BY 1")  # noqa: S608
    ]
    if period.label not in months:
        there = ", ".join(months) or "none"
        raise ReportError(
            f"the bill {str(table.paths[0])!r} holds nothing for {period.label}; its billing "
            f"months: {there}"
        )
    passes, values = _filter(table, form, only)
    values["month"] = period.label
    hour = f"epoch(CAST({form.start} AS TIMESTAMPTZ))::BIGINT // 3600"
    length = f"epoch(CAST({form.end} AS TIMESTAMPTZ)) - epoch(CAST({form.start} AS TIMESTAMPTZ))"
    is_compute = f"regexp_matches({form.usage_type}, '{COMPUTE}')"
    sql = f"""
        SELECT {passes} AS passes, {form.kind}, {form.usage_type}, {form.currency}, {form.region},
          max({form.payer}), CASE WHEN {is_compute} THEN {hour} END AS hour,
          max(CASE WHEN {is_compute} AND {form.end} <> '' THEN {length} END) AS longest_s,
          sum({form.amount}), sum({form.quantity}), count(*)
        FROM bill WHERE {form.billing_month} = $month
        GROUP BY 1, 2, 3, 4, 5, 7 ORDER BY ALL
    """  # noqa: S608 - our own expressions; values are bound
    return _sorted(table.query(sql, values), table, form, period, months)


def _sorted(
    rows: list[Any], table: Table, form: Form, period: Period, months: Sequence[str]
) -> Bill:
    """The grouped charges, each in its pool."""
    pools: dict[str, PoolCharge] = defaultdict(PoolCharge)
    by_hour: dict[int, Decimal] = defaultdict(Decimal)
    currencies, regions, payers = set(), set(), set()
    outside, outside_rows, hourly = Decimal(0), 0, True
    for passes, kind, usage_type, currency, region, payer, hour, longest, amount, count, n in rows:
        if amount:
            currencies.add(currency)
        if not passes:
            outside += amount
            outside_rows += n
            continue
        name = pool_of(kind, usage_type)
        pool = pools[name]
        pool.amount += amount
        pool.quantity += count
        pool.rows += n
        pool.usage_types.add(usage_type)
        payers.add(payer)
        if name in _AURORA and region:
            regions.add(region)
        if name == "compute" and hour is not None:
            by_hour[hour] += amount
            hourly = hourly and longest is not None and longest <= 3600  # noqa: PLR2004 - an hour
    if len(currencies) > 1:
        raise ReportError(
            f"the bill {str(table.paths[0])!r} mixes currencies: {', '.join(sorted(currencies))}"
        )
    if not pools:
        raise ReportError(f"no charge of {period.label} passes the filter of the bill")
    currency = min(currencies, default="USD")
    notes = []
    if outside_rows:
        notes.append(f"The filter left out {outside_rows:,} charges of {outside:f} {currency}.")
    if others := sorted(set(months) - {period.label}):
        notes.append(
            f"The bill's charges of other billing months were left out: {', '.join(others)}."
        )
    return Bill(
        basis=f"{form.name} {', '.join(path.name for path in table.paths[:3])}",
        currency=currency,
        account=min(payers, default=""),
        pools=dict(pools),
        compute_by_hour=dict(by_hour) if hourly and len(by_hour) > 1 else {},
        regions=frozenset(regions),
        notes=tuple(notes),
    )


def _filter(table: Table, form: Form, only: BillFilter) -> tuple[str, dict[str, object]]:
    """A filter as SQL, and the values to bind."""
    conditions, values = ["TRUE"], dict[str, object]()
    if only.account:
        conditions.append(f"{form.account} = $account")
        values["account"] = only.account
    if only.cluster:
        conditions.append(f"contains({form.resource}, $cluster)")
        values["cluster"] = only.cluster
    if only.tag is not None:
        key, values["tag"] = only.tag
        # Legacy CUR has a column a tag, the others one column of keys and values.
        for column in (f"{form.tags}_user_{key.lower()}", f"{form.tags}_{key.lower()}"):
            if table.has(column):
                conditions.append(f"{table.text(column)} = $tag")
                break
        else:
            table.require(form.tags)
            name = f'"{table.columns[form.tags]}"'
            keys = {"key1": key, "key2": f"user_{key}", "key3": f"user:{key}"}
            values |= keys
            if table.types[form.tags].startswith("MAP"):
                found = ", ".join(f"{name}[${k}]" for k in keys)
            else:
                found = ", ".join(
                    f"json_extract_string({name}, '$.\"' || ${k} || '\"')" for k in keys
                )
            conditions.append(f"coalesce({found}, '') = $tag")
    return "(" + " AND ".join(conditions) + ")", values


def _refuse_overlap(table: Table, form: Form) -> None:
    """Two exports that hold the same charge would bill it twice."""
    if len(table.paths) < 2 or not (form.name == "FOCUS" or table.has("identity_line_item_id")):  # noqa: PLR2004
        return
    rows: list[Any] = table.query(
        f"SELECT min(file), max(file) FROM bill GROUP BY {form.identity} "  # noqa: S608
        "HAVING count(DISTINCT file) > 1 LIMIT 1"
    )
    if rows:
        first, second = (str(table.paths[number]) for number in rows[0])
        raise ReportError(
            f"{first!r} and {second!r} overlap: they hold the same charges, which would be billed "
            "twice; give one of them"
        )
