"""INSERT … VALUES of plain values: whose rows it writes."""

from __future__ import annotations

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.fast_path import grammar
from tenantmetrics.tenant.sql.fast_path.query_reader import PlainReader
from tenantmetrics.tenant.sql.fast_path.query_tree import NotPlainError, PlainQuery
from tenantmetrics.tenant.sql.fast_path.read_sources import read_source
from tenantmetrics.tenant.sql.restrictions import CLEAR, Restriction
from tenantmetrics.tenant.sql.row_shares import Rows

__all__ = ["written_to"]


def written_to(reader: PlainReader, vocabulary: Vocabulary) -> Restriction:
    """Whose rows it writes.

    Raises:
        NotPlainError: It is not plain, or changes a row that is there and may be anybody's.
    """
    shape, columns = reader.shape, vocabulary.columns
    found = reader.match(grammar.INSERT, 0)
    if grammar.RETURNING.fullmatch(shape, found.end()) is None:
        raise NotPlainError
    reader.summary.append("INSERT INTO")
    read_source(reader, PlainQuery(None), found.start("table"))
    if found["set"] and (
        vocabulary.schema is not None
        or reader.mentions_tenant(found.start("set") + 1, found.end("set"))
    ):
        # The row that is there may be somebody else's, or is given to somebody.
        raise NotPlainError
    names = [reader.name(at) for at in range(*found.span("columns"), 2)]
    ranked = [(columns[name], index) for index, name in enumerate(names) if name in columns]
    if not ranked:
        if found["set"]:
            # The row that is there may be anybody's.
            raise NotPlainError
        return CLEAR
    index = min(ranked)[1]
    rows: list[Restriction] = []
    for row in grammar.ROW.finditer(shape, *found.span("rows")):
        values = list(grammar.WRITTEN.finditer(shape, *row.span()))
        if index >= len(values):
            raise NotPlainError
        rows.append(reader.named(*values[index].span()))
    return rows[0] if len(rows) == 1 else Rows(tuple(rows))
