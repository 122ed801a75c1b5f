"""Reads a bill: which file it is, what of it belongs to the period and passes the filter."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tenantmetrics.cost.bill.ask import COST_EXPLORER, ask
from tenantmetrics.cost.bill.by_hour import charges_by_hour
from tenantmetrics.cost.bill.cost_explorer import load_json
from tenantmetrics.cost.bill.forms import Form, form_of
from tenantmetrics.cost.bill.model import Bill, BillFilter, pattern_of
from tenantmetrics.cost.bill.objects import SUFFIXES, fetch
from tenantmetrics.cost.bill.overlap import refuse_overlap
from tenantmetrics.cost.bill.pools import Row, Sorter
from tenantmetrics.cost.bill.summed import summed
from tenantmetrics.cost.bill.table import Table, is_parquet, key_of
from tenantmetrics.cost.period import billing_months
from tenantmetrics.cost.statement import Period
from tenantmetrics.errors import ReportError

__all__ = ["load"]

_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z-", re.IGNORECASE)
_VERSION = re.compile(
    rf"({_TIME.pattern})?[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}", re.IGNORECASE
)
"""The folder of one delivery: an assembly id of the CUR, or an execution id of Data Exports, which
begins with its time (Data Exports user guide, on both with "create new" versions)."""


def load(
    paths: Sequence[str | os.PathLike[str]],
    period: Period,
    *,
    only: BillFilter | None = None,
    amortized: bool = False,
    by_hour: bool = False,
) -> Bill:
    """Read a bill.

    Args:
        paths: CUR (2.0 or legacy) or FOCUS (1.0 to 1.3) files, CSV or Parquet, or folders of
            them, also as `s3://bucket/prefix`; or one JSON file, the answer of Cost Explorer's
            GetCostAndUsage; or `cost-explorer`, which asks it.
        period: The month; charges of other billing months are excluded and reported.
        only: Which charges count.
        amortized: Whether commitments count when they are used rather than when they are paid.
        by_hour: Whether `Bill.by_hour` is wanted, which takes another pass over the files.

    Raises:
        ReportError: A file cannot be read, is of another form, lacks a column, holds an amount
            that is no number, or two currencies, or charges that another file has too; or there
            is nothing in the period.
        MissingExtraError: DuckDB is not installed.
    """
    names = [os.fspath(path) for path in paths]
    if not all(name.strip() for name in names):
        # A blank path is the working folder.
        raise ReportError("the bill's name is blank").about("bill")
    if COST_EXPLORER in names:
        if len(names) > 1:
            raise ReportError(f"a bill is {COST_EXPLORER} or files, not both")
        return ask(period, only or BillFilter(), amortized=amortized)
    if not any(name.startswith("s3://") for name in names):
        return _load(names, period, only or BillFilter(), amortized=amortized, by_hour=by_hour)
    with TemporaryDirectory(prefix="tenantmetrics-") as folder:
        here = [fetch(n, period, Path(folder)) if n.startswith("s3://") else n for n in names]
        try:
            return _load(here, period, only or BillFilter(), amortized=amortized, by_hour=by_hour)
        except ReportError as error:
            # Each object lies under its bucket and key: the error names it as the user knows it.
            raise ReportError(str(error).replace(f"{folder}/", "s3://")) from None


def _load(
    paths: Sequence[str | Path],
    period: Period,
    only: BillFilter,
    *,
    amortized: bool,
    by_hour: bool,
) -> Bill:
    files = _files(paths)
    if files[0].suffix.lower() == ".json":
        if len(files) > 1 or only != BillFilter():
            raise ReportError("a Cost Explorer bill is one file, filtered by its own request")
        return load_json(files[0], period, amortized=amortized)
    table = Table(files)
    try:
        form = form_of(table, amortized=amortized)
        _refuse_versions(table, form)
        bill = _read(table, form, period, only, amortized=amortized)
        if not by_hour:
            return bill
        return replace(
            bill, by_hour=charges_by_hour(table, form, period, *_filter(table, form, only))
        )
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


def _refuse_versions(table: Table, form: Form) -> None:
    """Exports that keep what they wrote before have a folder for each time, and all of it in each.

    Line items have other identities in each, so nothing else would tell.

    Raises:
        ReportError: Several such folders of one export have charges of one month.
    """
    versions: dict[Path, set[Path]] = defaultdict(set)
    for path in table.paths:
        if _VERSION.fullmatch(path.parent.name):
            versions[path.parent.parent].add(path.parent)
    if all(len(folders) == 1 for folders in versions.values()):
        return
    folders_of: dict[tuple[Path, str], set[Path]] = defaultdict(set)
    sql = f"SELECT DISTINCT _file, {form.billing_month} FROM bill ORDER BY ALL"  # noqa: S608 - ours
    for number, month in table.query(sql):
        folder = table.paths[number].parent
        if folder in versions[folder.parent]:
            folders_of[folder.parent, month].add(folder)
    for (parent, month), folders in folders_of.items():
        if len(folders) > 1:
            names = [folder.name for folder in folders]
            # Assembly ids are random: none of them says that it is the newest.
            which = (
                f"such as {max(names)!r}, the newest"
                if all(_TIME.match(name) for name in names)
                else "which the month's manifest names: of the CUR its assemblyId"
            )
            raise ReportError(
                f"{str(parent)!r} holds {len(names)} versions of one export of {month}, each with "
                f"all of its charges: give the folder of one, {which}"
            )


def _read(table: Table, form: Form, period: Period, only: BillFilter, *, amortized: bool) -> Bill:
    passes, values = _filter(table, form, only)
    rows, months = summed(table, form, period, passes, values)
    alike = refuse_overlap(table, form)
    wanted = billing_months(period)
    if missing := [month for month in wanted if month not in months]:
        there = ", ".join(months) or "none"
        where = f"the bill {str(table.paths[0])!r} holds nothing for {missing[0]}"
        if len(wanted) > 1:
            raise ReportError(
                f"{where}, and {period.label} in the time zone {period.timezone} has hours of "
                f"{' and '.join(wanted)}, as AWS bills in UTC: give the bill of each, or take the "
                "month in UTC"
            ).about("timezone")
        raise ReportError(f"{where}; its billing months: {there}")
    bill = _sorted(rows, table, form, period, amortized=amortized)
    notes = list(bill.notes)
    if others := sorted(set(months) - set(wanted)):
        notes.append(
            f"The bill's charges of other billing months were excluded: {', '.join(others)}."
        )
    return replace(bill, notes=(*notes, *alike))


def _sorted(rows: list[Any], table: Table, form: Form, period: Period, *, amortized: bool) -> Bill:
    """The grouped charges, each in its pool."""
    sorter = Sorter(first_hour=period.hours.start)
    outside: dict[str, Decimal] = defaultdict(Decimal)
    outside_rows, is_open = 0, False
    for passes, uninvoiced, part_s, length_s, *values in rows:
        row = Row(*values)
        if length_s:
            part = Decimal(part_s) / Decimal(length_s)
            row = replace(
                row, amount=row.amount * part, quantity=row.quantity * part, cut=True,
                other=_times(row.other, part), listed=_times(row.listed, part),
                contracted=_times(row.contracted, part),
                hour=None if row.hour is None else max(row.hour, period.hours.start),
            )  # fmt: skip
        if not passes:
            outside[row.currency] += row.amount
            outside_rows += row.count
            continue
        is_open = is_open or bool(uninvoiced)
        sorter.add(row)
    currency = sorter.currency(
        f"the bill {str(table.paths[0])!r}", "; a filter (account, cluster, tag) may leave one"
    )
    notes = list(sorter.notes(amortized=amortized))
    if not sorter.whole.pools:
        why = " ".join(["", *notes])
        raise ReportError(f"no charge of {period.label} passes the filter of the bill.{why}")
    if outside_rows:
        sums = ", ".join(
            f"{amount.normalize():f} {code}" for code, amount in sorted(outside.items())
        )
        notes.insert(0, f"The filter excluded {outside_rows:,} charge(s) of {sums}.")
    return Bill(
        basis=f"{form.name} {', '.join(path.name for path in table.paths[:3])}",
        currency=currency,
        account=min(sorter.payers, default=""),
        pools=dict(sorter.whole.pools),
        compute_by_hour=sorter.whole.compute_by_hour,
        sessions_by_hour=sorter.whole.sessions_by_hour,
        estimated=is_open,
        regions=frozenset(sorter.regions),
        accounts=frozenset(sorter.accounts),
        notes=tuple(notes),
        draft=tuple(
            sorter.draft(has_usage_types=form.has_usage_types, columns="SkuMeter, x_UsageType")
        ),
        places=dict(sorter.places),
    )


def _times(amount: Decimal | None, part: Decimal) -> Decimal | None:
    return None if amount is None else amount * part


def _filter(table: Table, form: Form, only: BillFilter) -> tuple[str, dict[str, object]]:
    """A filter as SQL, and the values to bind."""
    conditions, values = ["TRUE"], dict[str, object]()
    if only.account:
        conditions.append(f"{form.account} = $account")
        values["account"] = only.account
    if only.cluster:
        conditions.append(f"regexp_full_match({form.resource}, $cluster)")
        names = (only.cluster, *only.resources)
        values["cluster"] = "|".join(f"({pattern_of(name)})" for name in names)
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
