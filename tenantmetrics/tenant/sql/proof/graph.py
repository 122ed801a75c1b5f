"""Which tables of a statement are closed: none of their rows but some tenants' has a part in it.

A table is closed by a condition on its tenant column, or by a key that it shares with a closed one.
Edges have a direction: the ON of a LEFT JOIN closes its right side and never its left.
"""

from __future__ import annotations

from collections.abc import Iterable

from tenantmetrics.tenant.sql.budget import Budget
from tenantmetrics.tenant.sql.proof.joins import Range
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
        self._all_of: list[tuple[int, int]] = []
        self._waiting: dict[int, list[int]] = {}
        self._always: list[int] = []
        self._edges_if: dict[int, list[tuple[int, Range, bool]]] = {}
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
        if not starts:
            self._always.append(end)
        elif len(starts) == 1:
            self.edge(starts[0], end)
        else:
            for start in starts:
                self._waiting.setdefault(start, []).append(len(self._all_of))
            self._all_of.append((len(starts), end))

    def edge_if(self, start: int, end: int, needed: Range, *, full: bool) -> None:
        """If the one is closed, so is the other, where every row has a side of an outer join.

        Args:
            start: The one.
            end: The other.
            needed: The numbers of that side.
            full: It is a FULL JOIN, and then one of the other kind; otherwise an inner one.
        """
        self.budget.spend(1)
        self._edges_if.setdefault(start, []).append((end, needed, full))

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

    def closed(self, more: Iterable[int] = ()) -> set[int]:
        """The sources that are closed by the restricted ones.

        Args:
            more: Sources that are taken to be closed, too.
        """
        if not more:
            self._settle()
        return self._reach((*self._telling, *more)).union(self.restricted)

    def is_shared(self, number: int) -> bool:
        """Whether a source may have rows without a tenant, so far."""
        return number in self.restricted and number not in self._telling

    def told_by(self, numbers: Iterable[int]) -> set[int]:
        """The sources whose keys tell a tenant where all of some sources are closed.

        Args:
            numbers: Those.
        """
        telling = [number for number in numbers if not self.is_shared(number)]
        return self._reach((*self._telling, *telling))

    def _settle(self) -> None:
        """Find the sources that close all that they may stand for, whichever of them it is."""
        kept: dict[int, set[int]] = {}
        settled: set[tuple[int, ...]] = set()
        open_ones = []
        for number, candidates in self._loose:
            if candidates not in settled:
                for candidate in candidates:
                    if candidate not in kept:
                        kept[candidate] = self._reach((candidate,), candidate)
                    if not kept[candidate].issuperset(candidates):
                        open_ones.append((number, candidates))
                        break
                else:
                    settled.add(candidates)
            if candidates in settled:
                self._edges.setdefault(number, []).extend(candidates)
                # Those reach more now that come to this one and not yet to all that it closes.
                for candidate, reached in list(kept.items()):
                    if number in reached and not reached.issuperset(candidates):
                        del kept[candidate]
        self._loose = open_ones

    def _reach(self, starts: Iterable[int], on_every_row: int | None = None) -> set[int]:
        """What is closed if some are.

        Args:
            starts: Those.
            on_every_row: One that every row has, whatever joins it stands in.
        """
        todo = [*starts, *self._always]
        there = set() if on_every_row is None else {on_every_row}
        found: set[int] = set()
        met: dict[int, int] = {}
        later: list[tuple[int, Range, bool]] = []
        visited = 0
        while todo:
            number = todo.pop()
            if number not in found:
                found.add(number)
                ends = self._edges.get(number, ())
                visited += 1 + len(ends)
                todo += ends
                if on_every_row is not None:
                    later += self._edges_if.get(number, ())
                for index in self._waiting.get(number, ()):
                    met[index] = met.get(index, 0) + 1
                    if met[index] == self._all_of[index][0]:
                        todo.append(self._all_of[index][1])
            if not todo:
                visited += len(later)
                waiting, later = later, []
                for edge in waiting:
                    end, (low, high), full = edge
                    if not any(low <= number < high for number in there):
                        later.append(edge)
                        continue
                    todo.append(end)
                    if not full:
                        # The ON of an inner join is true of each row, which so has what it says.
                        there.add(end)
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


_MAX_GROUPED = 12
_VISITS_OF_A_STEP = 4
"""To follow an edge takes a fraction of a step."""
