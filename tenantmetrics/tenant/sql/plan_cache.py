"""A bounded cache whose hits are one dictionary look-up without a lock."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

__all__ = ["Generations"]

_Value = TypeVar("_Value")


class Generations(Generic[_Value]):
    """Two generations: what is used moves to the young one, the old one is dropped whole.

    Bounded both in entries and in characters of the keys: 4,096 texts of 65,536 characters would be
    268 MB. Readers take `young.get` and, where that misses, `aged`; both are safe beside a writer.

    Args:
        max_entries: Entries in both generations together.
        max_chars: Characters of keys in both generations together.
    """

    def __init__(self, max_entries: int, max_chars: int) -> None:
        self.young: dict[str, _Value] = {}
        self._old: dict[str, _Value] = {}
        self._half = max(max_entries // 2, 1)
        self._half_chars = max(max_chars // 2, 1)
        self._chars = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.young) + len(self._old)

    @property
    def chars(self) -> int:
        """Characters of all keys."""
        with self._lock:
            return sum(map(len, self.young)) + sum(map(len, self._old))

    def values(self) -> list[_Value]:
        """What both generations hold."""
        return [*self.young.values(), *self._old.values()]

    def aged(self, key: str) -> _Value | None:
        """An entry of the old generation, young again; None if there is none."""
        value = self._old.get(key)
        if value is not None:
            self.put(key, value)
        return value

    def put(self, key: str, value: _Value) -> None:
        """Keep an entry; what cannot fit is not kept."""
        if len(key) > self._half_chars:
            return
        with self._lock:
            if key in self.young:
                self.young[key] = value
                return
            if len(self.young) >= self._half or self._chars + len(key) > self._half_chars:
                self._old, self.young, self._chars = self.young, {}, 0
            self._old.pop(key, None)
            self.young[key] = value
            self._chars += len(key)
