"""Rows with the values that policies, views and functions name: what those would let through."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import uuid4

from tenantmetrics.policies.catalogue import Table
from tenantmetrics.policies.proof.seeds import B, Seeds
from tenantmetrics.policies.proof.values import candidates

__all__ = ["hinted", "plant_more"]

_MOST_TEXTS, _VARIETY, _MOST_ALONE = 6, 4, 8
"""Bounds on rows that are planted beside the first: texts, rows for each, columns by themselves."""
_SETTING_CALL = re.compile(r"current_setting\([^()]*\)")


def hinted(seeds: Seeds, table: Table, whose: int) -> dict[str, str]:
    """Another row whose other columns are as the policies name them; empty where none does.

    A policy such as `tenant = … OR status = 'public'` lets only such a row through.

    Args:
        seeds: The rows so far.
        table: One that has a row of the tenant's.
        whose: `A` or `B`.
    """
    said = " ".join(f"{policy.using} {policy.with_check}" for policy in table.policies)
    said = _SETTING_CALL.sub("", said)
    skip = seeds.fitting.fixed(table)
    found = {}
    for name, column in table.columns.items():
        if name in skip or column.generated or not re.search(rf"\b{re.escape(name)}\b", said):
            continue
        parts = _around(said, name)
        tried = [*candidates(column, parts, seeds.fitting.labels(column), str(uuid4()))]
        if tried:
            found[name] = tried[0]
    return seeds.values(table, whose) | found if found else {}


def plant_more(seeds: Seeds, table: Table, texts: Sequence[str]) -> None:
    """Further rows of B's, with values everywhere: what a filter, a sum or a policy would miss.

    Args:
        seeds: The rows so far.
        table: One that has a row of B's.
        texts: Policies, views and functions that name the table: what they compare a column
            with, it gets.
    """
    rows: list[dict[str, str]] = []
    fixed = seeds.fitting.fixed(table)
    for text in texts[:_MOST_TEXTS]:
        plain = _SETTING_CALL.sub("", text)
        options = {
            name: candidates(
                column,
                [*_around(plain, name), *seeds.fitting.about(table, column)],
                seeds.fitting.labels(column),
                str(uuid4()),
            )
            for name, column in table.columns.items()
            if name not in fixed and not column.generated
        }
        for number in range(_VARIETY):
            chosen = {name: tried[number % len(tried)] for name, tried in options.items() if tried}
            if chosen not in rows:
                rows.append(chosen)
    tenant = seeds.rows[(table.oid, B)].tenant
    seeds.insert(table, seeds.values(table, B, bare=True), tenant, B)
    for chosen in rows:
        whole = seeds.values(table, B)
        if seeds.insert(table, whole | chosen, tenant, B).value is None:
            # Not all together, then: what fits by itself.
            for name, value in list(chosen.items())[:_MOST_ALONE]:
                seeds.insert(table, seeds.values(table, B) | {name: value}, tenant, B)


def _around(text: str, name: str) -> list[str]:
    """What an expression compares a column with: the words behind its name."""
    return [found[1] for found in re.finditer(rf"\b{re.escape(name)}\b(.{{0,80}})", text)]
