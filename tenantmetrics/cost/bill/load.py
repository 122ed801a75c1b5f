"""Reads a bill: which file it is, what of it belongs to the period and passes the filter."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tenantmetrics.cost.bill.ask import COST_EXPLORER, ask
from tenantmetrics.cost.bill.classify import COMPUTE, is_other_database, pool_of
from tenantmetrics.cost.bill.cost_explorer import load_json
from tenantmetrics.cost.bill.forms import Form, form_of
from tenantmetrics.cost.bill.model import Bill, BillFilter, PoolCharge, pattern_of
from tenantmetrics.cost.bill.objects import SUFFIXES, fetch
from tenantmetrics.cost.bill.overlap import refuse_overlap
from tenantmetrics.cost.bill.table import Table, is_parquet, key_of
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import ReportError

__all__ = ["load"]

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
        paths: CUR (2.0 or legacy) or FOCUS (1.0 to 1.3) files, CSV or Parquet, or folders of
            them, also as `s3://bucket/prefix`; or one JSON file, the answer of Cost Explorer's
            GetCostAndUsage; or `cost-explorer`, which asks it.
        period: The month; charges of other billing months are excluded and reported.
        only: Which charges count.
        amortized: Whether commitments count when they are used rather than when they are paid.

    Raises:
        ReportError: A file cannot be read, is of another form, lacks a column, holds an amount
            that is no number, or two currencies, or charges that another file has too; or there
            is nothing in the period.
        MissingExtraError: DuckDB is not installed.
    """
    names = [os.fspath(path) for path in paths]
    if COST_EXPLORER in names:
        if len(names) > 1:
            raise ReportError(f"a bill is {COST_EXPLORER} or files, not both")
        return ask(period, only or BillFilter(), amortized=amortized)
    if not any(name.startswith("s3://") for name in names):
        return _load(names, period, only or BillFilter(), amortized=amortized)
    with TemporaryDirectory(prefix="tenantmetrics-") as folder:
        here = [fetch(n, period, Path(folder)) if n.startswith("s3://") else n for n in names]
        try:
            return _load(here, period, only or BillFilter(), amortized=amortized)
        except ReportError as error:
            # Each object lies under its bucket and key: the error names it as the user knows it.
            raise ReportError(str(error).replace(f"{folder}/", "s3://")) from None


def _load(
    paths: Sequence[str | Path], period: Period, only: BillFilter, *, amortized: bool
) -> Bill:
    files = _files(paths)
    if files[0].suffix == ".json":
        if len(files) > 1 or only != BillFilter():
            raise ReportError("a Cost Explorer bill is one file, filtered by its own request")
        return load_json(files[0], period, amortized=amortized)
    table = Table(files)
    try:
        return _read(table, form_of(table, amortized=amortized), period, only)
    finally:
        table.close()


def _files(paths: Sequence[str | Path]) -> list[Path]:
    found = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.name.lower().endswith(SUFFIXES))
            if not inside:
                raise ReportError(f"{str(path)!r} holds no bill: no CSV or Parquet file in it")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise ReportError(f"bill {str(path)!r} does not exist")
    if len({is_parquet(path) for path in found}) > 1:
        raise ReportError("a bill is either CSV or Parquet, not both: some charges may be in each")
    return found


def _read(table: Table, form: Form, period: Period, only: BillFilter) -> Bill:
    alike = refuse_overlap(table, form)
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
    # What is no moment has no hour: such a bill is divided over the whole month.
    start, end = (f"epoch(TRY_CAST({text} AS TIMESTAMPTZ))" for text in (form.start, form.end))
    hour, length = f"{start}::BIGINT // 3600", f"{end} - {start}"
    is_compute = f"regexp_matches({form.usage_type}, '{COMPUTE}')"
    sql = f"""
        SELECT {passes} AS passes, {form.kind}, {form.usage_type}, {form.currency}, {form.region},
          {form.service}, {form.engine}, {form.operation}, {form.account}, max({form.payer}),
          max(CASE WHEN {form.invoice or "'x'"} = '' THEN 1 ELSE 0 END),
          CASE WHEN {is_compute} THEN {hour} END AS hour,
          max(CASE WHEN {is_compute} AND {form.end} <> '' THEN {length} END) AS longest_s,
          sum({form.amount}), sum({form.quantity}), count(*)
        FROM bill WHERE {form.billing_month} = $month
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 12 ORDER BY ALL
    """  # noqa: S608 - our own expressions; values are bound
    bill = _sorted(table.query(sql, values), table, form, period, months)
    return replace(bill, notes=(*bill.notes, *alike))


def _sorted(  # noqa: C901, PLR0912 - one pass over the charges
    rows: list[Any], table: Table, form: Form, period: Period, months: Sequence[str]
) -> Bill:
    """The grouped charges, each in its pool."""
    pools: dict[str, PoolCharge] = defaultdict(PoolCharge)
    by_hour: dict[int, Decimal] = defaultdict(Decimal)
    currencies, regions, payers, accounts = set(), set(), set(), set()
    outside: dict[str, Decimal] = defaultdict(Decimal)
    outside_rows, hourly = 0, True
    others: dict[str, Decimal] = defaultdict(Decimal)
    is_open = False
    for (
        passes, kind, usage_type, currency, region, service, engine, operation, account,
        payer, uninvoiced,
        hour, longest, amount, quantity, n,
    ) in rows:  # fmt: skip
        if not passes:
            outside[currency] += amount
            outside_rows += n
            continue
        if is_other_database(service, engine, operation):
            others[f"{currency} of {engine or service or operation}"] += amount
            continue
        is_open = is_open or bool(uninvoiced)
        if amount:
            currencies.add(currency)
        name = pool_of(kind, usage_type, service)
        pool = pools[name]
        pool.amount += amount
        # A negation repeats the quantity of the usage that it takes back.
        pool.quantity += 0 if kind == "SavingsPlanNegation" else quantity
        pool.rows += n
        pool.usage_types.add(usage_type)
        payers.add(payer)
        if name in _AURORA and region:
            regions.add(region)
        if name in _AURORA and account:
            accounts.add(account)
        if name == "compute" and hour is not None:
            by_hour[hour] += amount
            hourly = hourly and longest is not None and longest <= 3600  # noqa: PLR2004 - an hour
    if len(currencies) > 1:
        raise ReportError(
            f"the bill {str(table.paths[0])!r} mixes currencies: {', '.join(sorted(currencies))}; "
            "a filter (account, cluster, tag) may leave one"
        )
    if "" in currencies:
        raise ReportError(f"the bill {str(table.paths[0])!r} has charges without a currency")
    if not pools:
        raise ReportError(f"no charge of {period.label} passes the filter of the bill")
    currency = min(currencies, default="USD")
    notes = []
    if outside_rows:
        sums = ", ".join(
            f"{amount.normalize():f} {code}" for code, amount in sorted(outside.items())
        )
        notes.append(f"The filter excluded {outside_rows:,} charge(s) of {sums}.")
    if others:
        named = "; ".join(f"{amount.normalize():f} {of}" for of, amount in sorted(others.items()))
        notes.append(f"Charges of databases that are not Aurora were excluded: {named}.")
    if later := sorted(set(months) - {period.label}):
        notes.append(
            f"The bill's charges of other billing months were excluded: {', '.join(later)}."
        )
    return Bill(
        basis=f"{form.name} {', '.join(path.name for path in table.paths[:3])}",
        currency=currency,
        account=min(payers, default=""),
        pools=dict(pools),
        compute_by_hour=dict(by_hour) if hourly and len(by_hour) > 1 else {},
        estimated=is_open,
        regions=frozenset(regions),
        accounts=frozenset(accounts),
        notes=tuple(notes),
    )


def _filter(table: Table, form: Form, only: BillFilter) -> tuple[str, dict[str, object]]:
    """A filter as SQL, and the values to bind."""
    conditions, values = ["TRUE"], dict[str, object]()
    if only.account:
        conditions.append(f"{form.account} = $account")
        values["account"] = only.account
    if only.cluster:
        conditions.append(f"regexp_full_match({form.resource}, $cluster)")
        values["cluster"] = pattern_of(only.cluster)
    if only.tag is not None:
        key, values["tag"] = only.tag
        # Legacy CUR has a column a tag, the others one column of keys and values.
        for column in (f"{form.tags}_user_{key}", f"{form.tags}_{key}"):
            if table.has(column):
                conditions.append(f"{table.text(column)} = $tag")
                break
        else:
            table.require(form.tags)
            keys = {"key1": key, "key2": f"user_{key}", "key3": f"user:{key}"}
            values |= keys
            found = _tag(table, form.tags, keys)
            conditions.append(f"coalesce({found}, '') = $tag")
    return "(" + " AND ".join(conditions) + ")", values


def _tag(table: Table, column: str, keys: Mapping[str, str]) -> str:
    """SQL of a tag in a column of many, by any of the names it may have."""
    name = table.name(column)
    if table.types[key_of(column)].startswith("MAP"):
        return ", ".join(f"{name}[${key}]" for key in keys)
    # A text that is no JSON has no tags.
    json = f"CASE WHEN json_valid({name}) THEN {name} END"
    if table.types[key_of(column)] != "VARCHAR":
        json = f"to_json({name})"
    return ", ".join(f"json_extract_string({json}, '$.\"' || ${key} || '\"')" for key in keys)
