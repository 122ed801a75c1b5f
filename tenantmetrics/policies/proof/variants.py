"""Values of a row that PostgreSQL may take where it refused the first choice."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from uuid import uuid4

from tenantmetrics.policies.catalogue import Table
from tenantmetrics.policies.proof.fitting import Fitting

__all__ = ["variants"]

_MOST_TRIES = 150


def variants(
    fitting: Fitting,
    table: Table,
    values: dict[str, str],
    promised: Collection[str],
    *,
    whole: bool,
) -> Iterator[dict[str, str]]:
    """The first choice, then others for what is refused.

    Args:
        fitting: Finds values.
        table: Of the row.
        values: The first choice.
        promised: Columns that other rows point at already: they stay.
        whole: Begin with a row that has every column.
    """
    fixed = fitting.fixed(table)
    free = {
        name: tried[0]
        for name, column in table.columns.items()
        if name not in values
        and name not in fixed
        and not column.generated
        and (tried := fitting.candidates_for(table, column, str(uuid4())))
    }
    if free and whole:
        yield values | free
    yield values
    pointing = table.pointing
    said = {
        name: fitting.candidates_for(table, table.columns[name], str(uuid4()))
        for name in values
        if name not in pointing
        and name != fitting.scope.tenant_column(table)
        and name not in promised
    }
    # A default or NULL may be what a constraint refuses.
    said |= {
        name: fitting.candidates_for(table, column, str(uuid4()))
        for name, column in table.columns.items()
        if name not in values
        and not column.generated
        and name not in pointing
        and fitting.about(table, column)
    }
    for name, tried in said.items():
        for value in tried:
            yield values | {name: value}
    together = {n for check in table.checks if len(check.columns) > 1 for n in check.columns}
    parts = " ".join(fitting.partition(table))
    about = [
        name
        for name in said
        if table.columns[name].number in together or (name in parts and len(said[name]) > 1)
    ]
    choices = [said[name][:6] for name in about]
    for combination in itertools.islice(itertools.product(*choices), _MOST_TRIES):
        yield values | dict(zip(about, combination, strict=True))
