"""A window's statements as a Parquet file.

The columns are handed over as they lie in memory, and sorted by Arrow, which lets other threads run
meanwhile: a quarter of a million rows as Python's lists would stop the application for a second.
Written a part at a time, since names repeated in every row take far more memory than the table.
The footer has each statement's sums over all tenants, where that saves a reader much.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import IO, Any

from tenantmetrics import ledger
from tenantmetrics.export.ledger_parquet import parquet_writer
from tenantmetrics.ledger_totals import OF_STATEMENTS, Total, Totals, encode
from tenantmetrics.measures import BY_STATEMENT
from tenantmetrics.records import Window

__all__ = ["LARGEST_TOTAL", "ROWS_AT_ONCE", "ROWS_A_TOTAL", "printable", "write_statements"]

ROWS_AT_ONCE = 32_768
"""Rows written at once: one row group, 5 MB in memory."""

ROWS_A_TOTAL = 32
"""Rows that stand for one sum in the footer, at the least: it then adds two bytes to each."""

LARGEST_TOTAL = 2**62
"""Sums stay well below what an integer of 64 bits holds, or are left to the reader."""


def write_statements(window: Window, file: IO[bytes]) -> None:
    """Write the window's statements, sorted by tenant and statement, so that they compress well.

    Args:
        window: A closed window with statements.
        file: Where `ledger.STATEMENT_COLUMNS` go, as Parquet.
    """
    import pyarrow as pa  # noqa: PLC0415 - loaded by the exporters' constructors
    import pyarrow.compute as pc  # noqa: PLC0415 - loaded by the exporters' constructors

    statements = window.statements
    of_tenant, of_statement = (_array(pa, indexes) for indexes in statements.indexes())
    by_rank = pa.table(
        [
            _ranks(pa, statements.tenants).take(of_tenant),
            _ranks(pa, statements.statements).take(of_statement),
        ],
        ["tenant", "statement"],
    )
    # Not `Table.sort_by`: it runs on Arrow's thread pool, which a forked child does not have.
    order = pc.sort_indices(
        by_rank, sort_keys=[("tenant", "ascending"), ("statement", "ascending")]
    )
    tenants = _strings(pa, statements.tenants)
    arns, databases, fingerprints, summaries, kinds = zip(*statements.statements, strict=True)
    texts = {
        "resource_arn": _strings(pa, arns),
        "database": _strings(pa, databases),
        "fingerprint": pa.array(fingerprints, pa.int64()),
        "summary": _strings(pa, summaries),
        "kind": _strings(pa, [str(kind) for kind in kinds]),
    }
    measures = {
        measure.name: _array(pa, statements.column(number))
        for number, measure in enumerate(BY_STATEMENT)
    }
    same = {
        "window_start": pa.scalar(window.start_s * 1_000_000, pa.int64()),
        "window_s": pa.scalar(window.length_s, pa.int32()),
        "writer": _strings(pa, [window.writer])[0],
        "sequence": pa.scalar(window.sequence, pa.int64()),
    }
    schema = ledger.arrow_schema(ledger.STATEMENT_COLUMNS)
    with parquet_writer(file, schema) as writer:
        for start in range(0, len(statements), ROWS_AT_ONCE):
            rows = order.slice(start, ROWS_AT_ONCE)
            what = of_statement.take(rows)
            columns = {
                **{name: pa.repeat(value, len(rows)) for name, value in same.items()},
                "tenant": tenants.take(of_tenant.take(rows)),
                **{name: values.take(what) for name, values in texts.items()},
                **{name: values.take(rows) for name, values in measures.items()},
            }
            arrays = [columns[field.name].cast(field.type) for field in schema]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        totals = _totals(pa, window, of_statement, measures)
        if totals:
            # Where the data ends and the footer begins.
            said = Totals(
                len(statements), file.tell(), window.start_s, window.length_s,
                same["writer"].as_py(), totals,
            )  # fmt: skip
            writer.add_key_value_metadata({OF_STATEMENTS.key: encode(said)})


def _totals(pa: Any, window: Window, of_statement: Any, measures: dict[str, Any]) -> list[Total]:
    """Each statement's sums; none where they are too many or too large."""
    import pyarrow.compute as pc  # noqa: PLC0415 - loaded by the exporters' constructors

    statements = window.statements.statements
    names = {(arn, fingerprint, str(kind)) for arn, _, fingerprint, _, kind in statements}
    if len(names) * ROWS_A_TOTAL > len(of_statement):
        return []
    if any(
        pc.sum(column.cast(pa.float64(), safe=False)).as_py() > LARGEST_TOTAL
        for column in measures.values()
    ):
        return []
    sums: dict[tuple[str, int, str], list[int]] = {}
    for place, of in _by_statement(pa, pc, of_statement, measures):
        arn, _, fingerprint, _, kind = statements[place]
        mine = (
            of["calls"], of["duration_ns"] - of["waited_ns"], of["duration_us2"],
            of["request_bytes"] + of["response_bytes"], of["rows_written"],
        )  # fmt: skip
        known = sums.setdefault((arn, fingerprint, str(kind)), [0] * len(mine))
        sums[arn, fingerprint, str(kind)] = [a + b for a, b in zip(known, mine, strict=True)]
    arns = _strings(pa, [arn for arn, _, _ in sums]).to_pylist()
    return [
        Total(arn, (fingerprint, kind), tuple(numbers))
        for arn, ((_, fingerprint, kind), numbers) in zip(arns, sums.items(), strict=True)
    ]


def _by_statement(
    pa: Any, pc: Any, of_statement: Any, measures: dict[str, Any]
) -> Iterator[tuple[int, dict[str, int]]]:
    """Each statement's place and the sums of its rows.

    Not `Table.group_by`: it loads Arrow's engine and datasets, 8 ms and 7 MB of every process, at
    its end too, and runs on Arrow's thread pool, which a forked child does not have.
    """
    order = pc.sort_indices(of_statement)
    runs = pc.run_end_encode(of_statement.take(order), run_end_type=pa.int64())
    last = pc.subtract(runs.run_ends, 1)
    places = runs.values.to_pylist()
    before = dict.fromkeys(measures, 0)
    until = {
        name: pc.cumulative_sum(column.take(order)).take(last).to_pylist()
        for name, column in measures.items()
    }
    for number, place in enumerate(places):
        now = {name: sums[number] for name, sums in until.items()}
        yield place, {name: now[name] - before[name] for name in measures}
        before = now


def _ranks(pa: Any, values: Sequence[Any]) -> Any:
    """Of each value, its place among the sorted ones."""
    ranks = [0] * len(values)
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        ranks[place] = rank
    return pa.array(ranks, pa.uint32())


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
