"""Exports that overlap: the same charge in two files would be billed twice."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from tenantmetrics.cost.bill.forms import Form
from tenantmetrics.cost.bill.table import Table
from tenantmetrics.errors import ReportError

__all__ = ["refuse_overlap"]

# A charge of CUR has an identity. One of FOCUS has none: parts of one export may hold a few rows
# that are alike, such as two small taxes, while an export twice, or a day in two, holds them all.
_ONE_IN = 10
"""Two files of which more than one row in so many is alike hold the same charges."""
_DAYS_ROWS = 10
"""So do two files of which so many rows of one day, and more than half of it, are alike."""
_SLICES = 8
"""Parts in which charges are compared: all of three million at once take 300 MB."""


def refuse_overlap(table: Table, form: Form) -> list[str]:
    """Compare the files of a bill with each other.

    Returns:
        Notes on rows that are alike and count in both files all the same.

    Raises:
        ReportError: Two files hold the same charges; names them.
    """
    has_identity = table.has("identity_line_item_id")
    if len(table.paths) < 2 or not (form.name == "FOCUS" or has_identity):  # noqa: PLR2004
        return []
    if not _candidates(table, form):
        return []
    rows: list[Any] = table.query(f"""
        WITH each AS (SELECT {form.identity} AS charge, left({form.start}, 10) AS day, _file,
                             count(*) AS n, sum({form.amount}) AS amount FROM bill
                      WHERE hash({_cheap(form)}) IN (SELECT mark FROM candidates) GROUP BY ALL),
             days AS (SELECT _file, left({form.start}, 10) AS day, count(*) AS n FROM bill
                      GROUP BY ALL),
             files AS (SELECT _file, sum(n) AS n FROM days GROUP BY ALL)
        SELECT a._file, b._file, sum(least(a.n, b.n)), sum(greatest(a.amount, b.amount)),
               any_value(least(day1.n, day2.n)), any_value(least(file1.n, file2.n))
        FROM each a
        JOIN each b ON a.charge = b.charge AND a.day = b.day AND a._file < b._file
        JOIN days day1 ON day1._file = a._file AND day1.day = a.day
        JOIN days day2 ON day2._file = b._file AND day2.day = a.day
        JOIN files file1 ON file1._file = a._file JOIN files file2 ON file2._file = b._file
        WHERE a.amount <> 0 GROUP BY a._file, b._file, a.day ORDER BY a._file, b._file, a.day
    """)  # noqa: S608 - our own expressions
    alike: dict[tuple[int, int], int] = defaultdict(int)
    amounts: dict[tuple[int, int], Decimal] = defaultdict(Decimal)
    overlapping = set()
    for one, other, count, amount, in_day, in_file in rows:
        pair = (one, other)
        alike[pair] += count
        amounts[pair] += amount
        same_day = count >= _DAYS_ROWS and count * 2 > in_day
        if form.name != "FOCUS" or same_day or alike[pair] * _ONE_IN > in_file:
            overlapping.add(pair)
    for pair in sorted(overlapping):
        first, second = (str(table.paths[number]) for number in pair)
        raise ReportError(
            f"{first!r} and {second!r} overlap: they hold the same {alike[pair]:,} charge(s), "
            "which would be billed twice; give one of them"
        )
    return [
        f"{count:,} charge(s) of {amounts[one, other].normalize():f} are identical in "
        f"{table.paths[one].name} and {table.paths[other].name} and count in both."
        for (one, other), count in alike.items()
    ]


def _cheap(form: Form) -> str:
    """SQL of a few columns that are the same where two charges are."""
    if form.name == "FOCUS":
        # All columns of a row are its identity; most of them need not be read to tell rows apart.
        return f"{form.amount}, {form.start}, {form.end}, {form.usage_type}, {form.resource}"
    return form.identity


def _candidates(table: Table, form: Form) -> bool:
    """Whether any charges of two files may be the same; their marks are in the table `candidates`.

    Eight bytes a charge instead of its text: millions of charges fit into little memory, and two
    different ones of one mark are told apart afterwards.
    """
    # Identical rows of FOCUS have one amount, and charges of nothing are billed twice by nobody.
    some = f"WHERE {form.amount} <> 0" if form.name == "FOCUS" else ""
    table.query(f"""
        CREATE OR REPLACE TEMP TABLE marks AS
        SELECT hash({_cheap(form)}) AS mark, _file::USMALLINT AS file FROM bill {some}
    """)  # noqa: S608 - our own expressions
    table.query("CREATE OR REPLACE TEMP TABLE candidates (mark UBIGINT)")
    for part in range(_SLICES):
        table.query(f"""
            INSERT INTO candidates SELECT mark FROM marks WHERE mark % {_SLICES} = {part}
            GROUP BY mark HAVING min(file) < max(file)
        """)  # noqa: S608 - numbers of ours
    table.query("DROP TABLE marks")
    return bool(table.query("SELECT 1 FROM candidates LIMIT 1"))
