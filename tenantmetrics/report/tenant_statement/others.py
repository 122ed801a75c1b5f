"""Whether a text names another tenant.

A statement's summary holds names of schemas and tables, and these may be called as their tenant
(`acme.orders`, `orders_acme`, `tenantacmecorp`). Compared are letters and digits alone, without
case: a name counts where it begins and ends with a word, and a long one anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["Others"]

_LONG = 6
"""Letters of a name that counts within a word, too; a shorter one would be found in `bookings`."""

_VERBS = frozenset(
    re.findall(
        r"\w+",
        "alter analyze begin call commit copy create delete do drop execute explain fetch from "
        "grant insert into listen lock merge notify prepare reset rollback select set show table "
        "truncate update vacuum values with",
    )
)
"""Words of every summary: a tenant that is called so would hide all of them."""


class Others:
    """All tenants' names, to be found in a text.

    Args:
        tenants: The names.
    """

    def __init__(self, tenants: Iterable[str]) -> None:
        self._names: set[str] = set()
        self._by_start: dict[str, set[str]] = {}
        self._most_words = 0
        for tenant in tenants:
            words = _words(tenant)
            name = "".join(words)
            if not name or name in _VERBS:
                continue
            self._names.add(name)
            self._most_words = max(self._most_words, len(words))
            if len(name) >= _LONG:
                self._by_start.setdefault(name[:_LONG], set()).add(name)

    def named_in(self, text: str, tenant: str) -> bool:
        """Whether a text names a tenant other than this one.

        Another's name within the tenant's own (`acme` in `acme-eu`) is not another's.
        """
        words = _words(text)
        joined = "".join(words)
        own = "".join(_words(tenant))
        mine = list(_places(joined, own)) if own else []
        return any(
            not any(start >= first and end <= last for first, last in mine)
            for start, end in self._found(words, joined)
        )

    def _found(self, words: list[str], joined: str) -> Iterator[tuple[int, int]]:
        """Where names stand, as places in the joined words."""
        borders = [0]
        for word in words:
            borders.append(borders[-1] + len(word))
        for place, start in enumerate(borders[:-1]):
            for end in borders[place + 1 : place + 1 + self._most_words]:
                if joined[start:end] in self._names:
                    yield start, end
        for start in range(len(joined) - _LONG + 1):
            for name in self._by_start.get(joined[start : start + _LONG], ()):
                if joined.startswith(name, start):
                    yield start, start + len(name)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())


def _places(text: str, name: str) -> Iterator[tuple[int, int]]:
    start = text.find(name)
    while start >= 0:
        yield start, start + len(name)
        start = text.find(name, start + 1)
