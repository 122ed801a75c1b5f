"""A window's statements as an Arrow table.

The columns are handed over as they lie in memory, and sorted by Arrow, which lets other threads run
meanwhile: a quarter of a million rows as Python's lists would stop the application for a second.
"""

from __future__ import annotations

from array import array
from typing import Any

from tenantmetrics import ledger
from tenantmetrics.measures import BY_STATEMENT
from tenantmetrics.records import Window

__all__ = ["printable", "statement_table"]


def statement_table(window: Window) -> Any:
    """The table, sorted by tenant and statement, so that it compresses well.

    Args:
        window: A closed window.

    Returns:
        A `pyarrow.Table` of `ledger.STATEMENT_COLUMNS`.
    """
    import pyarrow as pa  # noqa: PLC0415 - loaded by the exporters' constructors
    import pyarrow.compute as pc  # noqa: PLC0415 - loaded by the exporters' constructors

    statements = window.statements
    rows = len(statements)
    of_tenant, of_statement = (_array(pa, indexes) for indexes in statements.indexes())
    arns, databases, fingerprints, summaries, kinds = zip(*statements.statements, strict=True)
    columns: dict[str, Any] = {
        "window_start": pa.repeat(pa.scalar(window.start_s * 1_000_000, pa.int64()), rows),
        "window_s": pa.repeat(pa.scalar(window.length_s, pa.int32()), rows),
        "writer": pa.repeat(_strings(pa, [window.writer])[0], rows),
        "sequence": pa.repeat(pa.scalar(window.sequence, pa.int64()), rows),
        "tenant": _strings(pa, statements.tenants).take(of_tenant),
        "resource_arn": _strings(pa, arns).take(of_statement),
        "database": _strings(pa, databases).take(of_statement),
        "fingerprint": pa.array(fingerprints, pa.int64()).take(of_statement),
        "summary": _strings(pa, summaries).take(of_statement),
        "kind": _strings(pa, [str(kind) for kind in kinds]).take(of_statement),
        **{
            one.name: _array(pa, statements.column(number))
            for number, one in enumerate(BY_STATEMENT)
        },
    }
    schema = ledger.arrow_schema(ledger.STATEMENT_COLUMNS)
    arrays = [columns[field.name].cast(field.type) for field in schema]
    by = ("tenant", "resource_arn", "database", "fingerprint", "summary", "kind")
    table = pa.Table.from_arrays(arrays, schema=schema)
    # Not `Table.sort_by`: it runs on Arrow's thread pool, which a forked child does not have.
    return table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in by]))


def printable(values: list[Any]) -> list[Any]:
    """Values without half surrogate pairs, which Parquet does not take."""
    return [
        value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for value in values
    ]


def _array(pa: Any, values: array[int]) -> Any:
    """An Arrow array over the same memory."""
    kind = pa.int64() if values.typecode == "q" else pa.uint32()
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def _strings(pa: Any, values: Any) -> Any:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array(printable(list(values)), pa.string())
