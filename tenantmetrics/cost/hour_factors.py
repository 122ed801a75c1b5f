"""Numbers that hold for an hour, beside each row of that hour.

For every engine they are VALUES, joined to the rows by the hour. The join is a fifth of what a
query over millions of rows costs, though, and a file's rows are mostly of one hour. Where there is
a column with the file's hour, the same numbers are looked up in a text: DuckDB does that once for
thousands of rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

__all__ = ["HOUR", "joined", "looked_up"]

HOUR = "CAST(floor(epoch(window_start) / 3600) AS BIGINT)"
"""The hour of a window, since the epoch."""

_JOINED = re.compile(
    r"(\w+) JOIN \(SELECT hour, ([^()]*(?:\([^()]*\)[^()]*)*) FROM \(VALUES ([^A-Z]*)\) "  # noqa: S608
    r"AS given\(hour, [\w, ]+\)\) AS by_hour ON by_hour\.hour = "
    rf"{re.escape(HOUR)}(?! AND)"
)
_COLUMN = re.compile(r"CAST\((\w+) AS (\w+)\)")
_ROW = re.compile(r"\((\d+), ([^)]*)\)")


def joined(
    relation: str,
    columns: Mapping[str, str],
    rows: Iterable[tuple[float, ...]],
    more: str = "",
) -> str:
    """A relation with more columns, as SQL; without the rows of other hours.

    Args:
        relation: The relation's name.
        columns: Names and SQL types.
        rows: An hour since the epoch and its values, of one hour or more.
        more: What else must hold for a row of these to be joined, as SQL with a leading AND.
    """
    casts = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in columns.items())
    # As the shortest text that reads back as the same IEEE double.
    values = ", ".join(
        f"({hour}, {', '.join(repr(str(number)) for number in numbers)})" for hour, *numbers in rows
    )
    return (
        f"{relation} JOIN (SELECT hour, {casts} FROM (VALUES {values}) "  # noqa: S608 - ours
        f"AS given(hour, {', '.join(columns)})) AS by_hour ON by_hour.hour = {HOUR}{more}"
    )


def looked_up(sql: str, relation: str, hour: str) -> str:
    """The same query without the joins that `joined` made of a relation.

    Args:
        sql: The query, in DuckDB's SQL.
        relation: The relation's name.
        hour: Its column with the hour, which is the same for all of a file's rows.
    """

    def columns(join: re.Match[str]) -> str:
        if join[1] != relation:
            return join[0]
        rows = {
            int(number): values.strip("'").split("', '") for number, values in _ROW.findall(join[3])
        }
        first, last = min(rows), max(rows)
        hours = f"BETWEEN {first} AND {last}"
        if len(rows) <= last - first:
            hours = f"IN ({', '.join(map(str, rows))})"
        found = []
        for place, (name, kind) in enumerate(_COLUMN.findall(join[2])):
            of = {number: values[place] for number, values in rows.items()}
            text = f"'{of[first]}'"
            if len(set(of.values())) > 1:
                width = max(map(len, of.values()))
                every = (of.get(number, "").rjust(width) for number in range(first, last + 1))
                start = f"({hour} - {first}) * {width} + 1"
                text = f"substr('{''.join(every)}', {start}, {width})"
            # Hours that are not wanted may be looked up before they are left out.
            found.append(f"TRY_CAST({text} AS {kind}) AS {name}")
        wanted = f"FROM {relation} WHERE {hour} {hours}"
        return f"(SELECT *, {', '.join(found)} {wanted}) AS {relation}"

    return _JOINED.sub(columns, sql)
