"""Which tables of a statement are closed: none of their rows but some tenants' has a part in it.

A table is closed by a condition on its tenant column, or by a key that it shares with a closed one.
Edges have a direction: the ON of a LEFT JOIN closes its right side and never its left.
"""

from __future__ import annotations

from collections.abc import Iterable

from tenantmetrics.tenant.sql.budget import Budget
from tenantmetrics.tenant.sql.restrictions import Restriction

__all__ = ["ReachGraph"]


class ReachGraph:
    """Sources of all queries of one statement, numbered in the order of the analysis.

    Args:
        budget: The steps that the analysis may take.

    Attributes:
        tables: The numbers of tables, which all have to be closed.
        uses: The numbers that stand for WITH queries where they are read.
        restricted: What a source's tenant column is compared with.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.tables: list[int] = []
        self.uses: list[int] = []
        self._elsewhere: set[int] = set()
        self.restricted: dict[int, list[Restriction]] = {}
        self._telling: set[int] = set()
        self._count = 0
        self._edges: dict[int, list[int]] = {}
        self._all_of: list[tuple[tuple[int, ...], int]] = []
        self._near: dict[int, int] = {}
        self._same: dict[int, int] = {}
        self._with: dict[int, list[int]] = {}
        self._brings: dict[int, list[int]] = {}
        self._at_most: dict[int, list[int]] = {}
        self._loose: list[tuple[int, tuple[int, ...]]] = []

    def source(self, *, table: bool = False) -> int:
        """A new source.

        Args:
            table: It is a table, and not a value or a function's rows.
        """
        self.budget.spend(2)
        number = self._count
        self._count += 1
        if table:
            self.tables.append(number)
        return number

    def read_since(self, start: int) -> tuple[int, ...]:
        """The tables that a query reads, and what stands for WITH queries, without those in them.

        Args:
            start: The number of its first source.
        """
        self.budget.spend((len(self.tables) + len(self.uses)) // 8)
        return tuple(
            number
            for number in (*self.tables, *self.uses)
            if number >= start and number not in self._elsewhere
        )

    def set_apart(self, start: int) -> None:
        """What was read since then is a WITH query's, and not its reader's."""
        self._elsewhere.update(range(start, self._count))

    @property
    def next(self) -> int:
        """The number that the next source will have."""
        return self._count

    def edge(self, start: int, end: int) -> None:
        """If the one is closed, so is the other."""
        self.budget.spend(1)
        self._edges.setdefault(start, []).append(end)

    def edge_from_all(self, starts: Iterable[int], end: int) -> None:
        """If all of these are closed, so is the other."""
        starts = tuple(dict.fromkeys(starts))
        self.budget.spend(1 + len(starts))
        if len(starts) == 1:
            self.edge(starts[0], end)
        else:
            self._all_of.append((starts, end))

    def near(self, left: int, right: int, *, either: bool = True, back: bool = True) -> None:
        """An equality stands between the two.

        Args:
            left: A source.
            right: Another.
            either: A row that has the left one has the right one, equal to it; otherwise it may
                lack it.
            back: The other way round.
        """
        _join(self._near, left, right)
        if either and back:
            _join(self._same, left, right)
        for start, end, has in ((left, right, either), (right, left, back)):
            (self._with if has else self._at_most).setdefault(start, []).append(end)
            if has:
                self._brings.setdefault(end, []).append(start)

    def loose(self, number: int, candidates: Iterable[int]) -> None:
        """A source that is one of several, which of them the text does not tell."""
        self._loose.append((number, tuple(candidates)))

    def restrict(self, number: int, restriction: Restriction, *, shared: bool = False) -> None:
        """The tenant column of a source is compared with something that tells a tenant.

        Args:
            number: The source.
            restriction: What it is compared with.
            shared: Its rows without a tenant stay. Rows of anybody may point at those.
        """
        self.budget.spend(1)
        if not shared:
            self._telling.add(number)
        self.restricted.setdefault(number, []).append(restriction)

    def _one_for_all(self, candidates: tuple[int, ...]) -> bool:
        """Whether any of these closes the others in the rows that have it."""
        if len({_root(self._near, number) for number in candidates}) > 1:
            return False
        if len({_root(self._same, number) for number in candidates}) == 1:
            return True
        wanted = set(candidates)
        sure: set[int] = set()
        # Of a chain of LEFT or RIGHT JOIN one end is there with all others.
        for number in (candidates[0], candidates[-1], *candidates):
            if number not in sure:
                if not wanted <= self._closed_by(number):
                    return False
                sure |= self._followed(number, self._brings)
        return True

    def _followed(self, start: int, ways: dict[int, list[int]]) -> set[int]:
        found: set[int] = set()
        todo = [start]
        while todo:
            number = todo.pop()
            if number not in found:
                found.add(number)
                todo += ways.get(number, ())
        self.budget.spend(1 + len(found) // _VISITS_OF_A_STEP)
        return found

    def _closed_by(self, start: int) -> set[int]:
        """What is closed in the rows that have a source, if it is."""
        there = self._followed(start, self._with)
        at_most = (end for number in there for end in self._at_most.get(number, ()))
        return self._spread([*there, *at_most])

    def closed(self, more: Iterable[int] = ()) -> set[int]:
        """The sources that are closed by the restricted ones.

        Args:
            more: Sources that are taken to be closed, too.
        """
        if not more:
            self._decide_loose()
        empty = (end for needed, end in self._all_of if not needed)
        return self._spread([*self._telling, *more, *empty]).union(self.restricted)

    def _decide_loose(self) -> None:
        waiting = []
        for number, candidates in self._loose:
            if self._one_for_all(candidates):
                # Whichever it is, the others are tied to it.
                self._edges.setdefault(number, []).extend(candidates)
                # USING of a third table is about all of those before it.
                same = len({_root(self._same, candidate) for candidate in candidates}) == 1
                self.near(number, candidates[0], either=same, back=same)
            else:
                waiting.append((number, candidates))
        self._loose = waiting

    def _spread(self, todo: list[int]) -> set[int]:
        """What is closed if these are."""
        waiting: dict[int, list[int]] = {}
        missing = []
        for index, (needed, _) in enumerate(self._all_of):
            missing.append(len(needed))
            for number in needed:
                waiting.setdefault(number, []).append(index)
        found: set[int] = set()
        visited = 0
        while todo:
            number = todo.pop()
            if number in found:
                continue
            found.add(number)
            ends = self._edges.get(number, ())
            visited += 1 + len(ends)
            todo += ends
            for index in waiting.get(number, ()):
                missing[index] -= 1
                if not missing[index]:
                    todo.append(self._all_of[index][1])
        self.budget.spend(visited // _VISITS_OF_A_STEP)
        return found

    def closing(self) -> list[list[list[Restriction]]] | None:
        """The restrictions that close all tables, in groups; None if they do not."""
        return self.groups() if self.closed().issuperset(self.tables) else None

    def groups(self) -> list[list[list[Restriction]]]:
        """The restrictions by source, those of sources that close each other together."""
        numbers = list(self.restricted)
        self.budget.spend(len(numbers))
        if len(numbers) == 1 or len(numbers) > _MAX_GROUPED:
            return [[self.restricted[number]] for number in numbers]
        reached = {number: self._reached(number) for number in numbers}
        groups: list[list[int]] = []
        for number in numbers:
            for group in groups:
                if number in reached[group[0]] and group[0] in reached[number]:
                    group.append(number)
                    break
            else:
                groups.append([number])
        return [[self.restricted[number] for number in group] for group in groups]

    def _reached(self, start: int) -> set[int]:
        found: set[int] = set()
        todo = [start]
        while todo:
            number = todo.pop()
            if number not in found:
                found.add(number)
                self.budget.spend(1)
                todo += self._edges.get(number, ())
        return found


def _root(above: dict[int, int], number: int) -> int:
    while (higher := above.get(number, number)) != number:
        number = higher
    return number


def _join(above: dict[int, int], left: int, right: int) -> None:
    above[_root(above, left)] = _root(above, right)


_MAX_GROUPED = 12
_VISITS_OF_A_STEP = 4
"""To follow an edge takes a fraction of a step."""
