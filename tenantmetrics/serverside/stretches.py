"""Stretches of time that rows are of: joined within an hour, and what they leave out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

from tenantmetrics.errors import LedgerError
from tenantmetrics.serverside.columns import STATEMENTS

__all__ = ["joined", "refuse_impossible", "refuse_twice", "uncovered"]

_HOUR_S = 3_600
_SUMS = ("calls", "exec_ns", "rows", "blocks_read", "blocks_hit")
_AMOUNTS = {*_SUMS, "load_aas", "cpu_aas", "non_cpu_aas", "samples", "active_samples"}
_TIMES = ("start_s", "end_s")
_KEYS = tuple(c.name for c in STATEMENTS.columns if c.name not in {*_SUMS, *_TIMES})


class _Stretch(NamedTuple):
    """What all rows of a file have in common."""

    start_s: int
    end_s: int
    resource_arn: str
    gap: str


def joined(files: Iterable[Any]) -> Iterator[Any]:
    """Sum up the stretches of statements that follow each other within an hour.

    Nothing that anybody divides by is lost: an hour is the finest that loads and bills are told by.
    Stretches that cross the turn of an hour, or that say something in `gap`, stay as they are.

    Args:
        files: Tables of statements in order of time, one a stretch.

    Yields:
        Tables of the same columns.
    """
    waiting: dict[str, list[tuple[_Stretch, Any]]] = {}
    for rows in files:
        if not rows.num_rows:
            continue
        one = _stretch(rows)
        series = waiting.setdefault(one.resource_arn, [])
        if series and not _follows(series[-1][0], one):
            yield _sum(series)
            series.clear()
        series.append((one, rows))
    for series in waiting.values():
        yield _sum(series)


def _stretch(rows: Any) -> _Stretch:
    return _Stretch(*(rows[name][0].as_py() for name in _Stretch._fields))


def _follows(before: _Stretch, one: _Stretch) -> bool:
    return (
        before.end_s == one.start_s
        and before.start_s // _HOUR_S == (one.end_s - 1) // _HOUR_S
        and not before.gap
        and not one.gap
    )


def _sum(series: list[tuple[_Stretch, Any]]) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    if len(series) == 1:
        return series[0][1]
    schema = series[0][1].schema
    sums = (
        pa.concat_tables([rows for _, rows in series])
        .group_by(list(_KEYS), use_threads=False)
        .aggregate([(name, "sum") for name in _SUMS])
    )
    times = {"start_s": series[0][0].start_s, "end_s": series[-1][0].end_s}
    columns = [
        pa.repeat(pa.scalar(times[field.name], field.type), sums.num_rows)
        if field.name in times
        else sums[f"{field.name}_sum" if field.name in _SUMS else field.name]
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def uncovered(rows: Any, start_s: int, end_s: int, *, resource_arn: str) -> list[tuple[int, int]]:
    """The seconds of a period for which a cluster's rows say nothing.

    A statements row that says `missing` covers its stretch: it is right in sum.

    Args:
        rows: As `tables.read` gives them.
        start_s: Start of the period, seconds since the epoch.
        end_s: Its end, exclusive.
        resource_arn: The cluster.

    Returns:
        (start, end) pairs in order, none empty.
    """
    holes = []
    at_s = start_s
    for first_s, last_s in _stretches(rows).get(resource_arn, ()):
        if at_s < min(first_s, end_s):
            holes.append((at_s, min(first_s, end_s)))
        at_s = max(at_s, last_s)
    if at_s < end_s:
        holes.append((at_s, end_s))
    return holes


def _stretches(rows: Any) -> dict[str, list[tuple[int, int]]]:
    """Each cluster's stretches, each once, in order."""
    names = ["resource_arn", "start_s", "end_s" if "end_s" in rows.column_names else "period_s"]
    found: dict[str, set[tuple[int, int]]] = {}
    for row in rows.select(names).group_by(names).aggregate([]).to_pylist():
        start_s = row["start_s"]
        end_s = row["end_s"] if "end_s" in row else start_s + row["period_s"]
        found.setdefault(row["resource_arn"], set()).add((start_s, end_s))
    return {arn: sorted(stretches) for arn, stretches in found.items()}


def refuse_impossible(rows: Any, folder: str) -> None:
    """Refuse amounts below 0, and loads that are no number.

    Args:
        rows: Of any of the tables.
        folder: Where they lie, for the error.

    Raises:
        LedgerError: There is one.
    """
    import pyarrow.compute as pc  # noqa: PLC0415 - an extra

    for name in rows.schema.names:
        if name not in _AMOUNTS:
            continue
        fits = pc.and_(pc.is_finite(rows[name]), pc.greater_equal(rows[name], 0))
        if (number := pc.index(fits, False).as_py()) >= 0:
            start = datetime.fromtimestamp(rows["start_s"][number].as_py(), UTC)
            raise LedgerError(
                f"the server's table {folder} has {name} {rows[name][number].as_py()} in the "
                f"stretch from {start:%Y-%m-%d %H:%M:%S} UTC on: such an amount cannot be"
            )


def refuse_twice(rows: Any, folder: str) -> None:
    """Refuse statements that would count twice.

    Args:
        rows: Of the table of statements.
        folder: Where they lie, for the error.

    Raises:
        LedgerError: Two stretches of a cluster overlap.
    """
    for arn, stretches in _stretches(rows).items():
        for (_, end_s), (start_s, _) in pairwise(stretches):
            if start_s < end_s:
                at = datetime.fromtimestamp(start_s, UTC)
                raise LedgerError(
                    f"the statements of {arn!r} are there twice from {at:%Y-%m-%d %H:%M:%S} UTC "
                    f"on: two series of snapshots overlap; delete the files of one from {folder}"
                )
