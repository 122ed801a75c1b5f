"""What the two tenants may be called in a table's column."""

from __future__ import annotations

import itertools

from tenantmetrics.policies.catalogue import Table
from tenantmetrics.policies.names import quoted
from tenantmetrics.policies.proof.fitting import Fitting
from tenantmetrics.policies.proof.values import candidates, fresh

__all__ = ["fitting_pairs"]

_MOST_PAIRS = 12


def fitting_pairs(
    fitting: Fitting, table: Table, column: str, ids: tuple[str, str]
) -> list[tuple[str, str]]:
    """Names for two tenants that the column takes, and the table of tenants that it is of."""
    places = [(table, column)]
    for key in table.foreign_keys:
        theirs = dict(zip(key.columns, key.parent_columns, strict=True)).get(column)
        if theirs is not None and key.parent in fitting.scope.catalogue.tables:
            places.append((fitting.scope.catalogue.tables[key.parent], theirs))
    what = table.columns[column]
    said = [t for place, name in places for t in fitting.about(place, place.columns[name])]
    tried = candidates(what, said, fitting.labels(what), ids[0])
    pairs = [
        (one, two)
        for one, two in ((fresh(what, ids[0]), fresh(what, ids[1])),)
        if one is not None and two is not None
    ]
    pairs += [pair for pair in itertools.pairwise(tried) if all(pair)]
    fits = [
        pair
        for pair in pairs
        if pair[0] != pair[1]
        and all(
            fitting.fits(place, place.columns[name], value)
            for place, name in places
            for value in pair
        )
    ]
    there = [pair for place, name in places for pair in _existing(fitting, place, name)]
    # Where nothing seems to fit, PostgreSQL says why.
    return [*fits[:_MOST_PAIRS], *there] or pairs[:1]


def _existing(fitting: Fitting, table: Table, column: str) -> list[tuple[str, str]]:
    """Two tenants that are there already: their names fit, whatever the constraints."""
    found = fitting.session.undone(
        lambda: fitting.session.connection.rows(
            f"SELECT DISTINCT CAST({quoted(column)} AS text) FROM {table.sql}"  # noqa: S608
            f" WHERE {quoted(column)} IS NOT NULL LIMIT 2"
        )
    ).value
    return [(found[0][0], found[1][0])] if found and len(found) > 1 else []
