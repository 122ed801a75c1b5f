"""Which columns are keys by their names: rows that are equal in them belong together.

A name tells it only where nothing else can: `a.bid = b.id` is how foreign keys are written. What is
called neither is no key, for columns that are equal in rows of different tenants have any name:
`budget`, `body`, `points`. With the database's schema `schema_ties` decides.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = [
    "MAKING",
    "OF_KEY",
    "PLACE",
    "is_key_name",
    "is_no_key",
    "key_ties",
    "may_be_null",
    "points_at",
]

_IDS = ("id", "uuid", "guid", "_pk", "_fk")
"""Ends of names of keys that stand for one row of one table."""
_NO_IDS = (
    *("paid", "valid", "void", "grid", "android", "hybrid", "bid_amount", "tableoid"),
    *("_at", "_on", "_date", "_type", "_status", "_count", "_total", "_amount"),
)
_NATURAL = frozenset(
    ["code", "hash", "isbn", "key", "no", "nr", "number", "ref", "sku", "slug", "token"]
)
"""Keys that several tenants have values in common of: `o.currency_code = currencies.code` tells the
currency, and a currency tells no order."""
_NO_KEYS = frozenset(
    [
        "active",
        "age",
        "amount",
        "attempt",
        "attempts",
        "avg",
        "balance",
        "body",
        "bonus",
        "budget",
        "bytes",
        "capacity",
        "category",
        "city",
        "clicks",
        "color",
        "colour",
        "comment",
        "content",
        "cost",
        "count",
        "country",
        "created",
        "currency",
        "currency_rate",
        "data",
        "date",
        "day",
        "days",
        "deleted",
        "depth",
        "description",
        "discount",
        "distance",
        "duration",
        "email",
        "enabled",
        "fee",
        "flag",
        "gender",
        "guests",
        "height",
        "hour",
        "hours",
        "items",
        "kind",
        "label",
        "lang",
        "language",
        "length",
        "level",
        "limit",
        "locale",
        "max",
        "method",
        "min",
        "minute",
        "minutes",
        "month",
        "name",
        "nights",
        "note",
        "notes",
        "number",
        "order",
        "percent",
        "plan",
        "points",
        "position",
        "price",
        "priority",
        "public",
        "qty",
        "quantity",
        "quota",
        "rank",
        "rate",
        "rating",
        "region",
        "retries",
        "role",
        "salary",
        "score",
        "seats",
        "second",
        "seconds",
        "size",
        "sort",
        "stage",
        "state",
        "status",
        "stock",
        "sum",
        "tax",
        "text",
        "time",
        "timezone",
        "title",
        "total",
        "type",
        "unit",
        "units",
        "updated",
        "usage",
        "value",
        "version",
        "views",
        "visibility",
        "visits",
        "week",
        "weight",
        "width",
        "year",
    ],
)
"""Columns that are equal to an id by chance alone."""
_OPTIONAL = (
    *("parent", "root", "prev", "next", "reply", "manager", "supervisor", "original", "duplicate"),
    *("replaces", "replaced", "superseded", "merged", "copied", "cloned", "forked"),
)
"""Begins of keys of the same table, which some rows have to be without."""
OF_KEY = "\0id"
"""The name of a function of a key, such as `lower(a.id)`."""
_OF_TABLE = re.compile("(.+?)_?(?:id|uuid|guid|pk|fk|key|no|code)")
"""A foreign key that is called by the table that it points at."""
MAKING = frozenset(
    ["generate_series", "exploding_generate_series", "generate_subscripts", "jsonb_path_query"],
)
"""Functions whose rows are other values than those that they are given."""
_MOST_KEPT = 1_024
"""Pairs of columns that an application compares, 0.2 kB each."""
PLACE = "ctid"
"""Where a row is in its table: rows of two tables have it in common. `*` does not hand it on."""


def is_key_name(name: str) -> bool:
    """Whether rows that are equal in columns of this name belong together.

    Args:
        name: In lower case.
    """
    name = name.rstrip("_")
    return name.endswith(_IDS) and not name.endswith(_NO_IDS)


def may_be_null(name: str) -> bool:
    """Whether a key is NULL in some rows of everybody's: `parent_id`.

    Args:
        name: In lower case.
    """
    return name.startswith(_OPTIONAL)


@lru_cache(maxsize=_MOST_KEPT)
def key_ties(left: str, right: str) -> tuple[bool, bool]:
    """What an equality of two columns ties by their names.

    Args:
        left: The name of the one, lower case.
        right: That of the other.

    Returns:
        Whether the left one's row tells the right one's, and the other way round.
    """
    if left != right and (_is_place(left) or _is_place(right)):
        return False, False
    if is_key_name(left) or is_key_name(right):
        both = not (is_no_key(left) or is_no_key(right))
        return both, both
    return _ends_in(left, right), _ends_in(right, left)


def is_no_key(name: str) -> bool:
    """Whether columns of this name are equal to a key, or to a tenant, by chance alone.

    Args:
        name: In lower case.
    """
    # `ID_` and `VERSION_` are how Camunda and Flowable write `id` and `version`.
    name = name.rstrip("_")
    # Which column of its table it is is not known of one with two NULs.
    return name in _NO_KEYS or name.endswith(_NO_IDS) or name.startswith("\0\0")


def points_at(key: str, table: str) -> bool:
    """Whether a foreign key is called as what points at a table: `room_id` at `rooms`.

    Args:
        key: The column's name, lower case.
        table: The table's name or its alias, lower case.
    """
    found = _OF_TABLE.fullmatch(key.rstrip("_"))
    if found is None or not table:
        return False
    one = found[1]
    several = (one, f"{one}s", f"{one}es", f"{one[:-1]}ies" if one.endswith("y") else one)
    return any(table == name or table.endswith(f"_{name}") for name in several)


def _is_place(name: str) -> bool:
    """Whether it is `ctid`, alone or behind its table's name; `projectid` is not."""
    return name.rpartition(" ")[2] == PLACE


def _ends_in(name: str, key: str) -> bool:
    name, key = name.rstrip("_"), key.rstrip("_")
    return key in _NATURAL and name.endswith(key) and name != key
