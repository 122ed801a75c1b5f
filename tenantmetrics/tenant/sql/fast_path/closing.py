"""The proof for a plain statement: what `proof` would find, without the parser."""

from __future__ import annotations

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.fast_path.query_tree import (
    Column,
    NotPlainError,
    PlainCondition,
    PlainQuery,
    PlainSource,
)
from tenantmetrics.tenant.sql.proof.graph import ReachGraph
from tenantmetrics.tenant.sql.proof.key_names import PLACE, is_no_key, key_ties

__all__ = ["PlainReach"]

_FOREVER = 1 << 60
_Range = tuple[int, int]
"""The sources, by number, for which a condition holds."""


class PlainReach:
    """The proof of one statement.

    Args:
        graph: Gets what closes its sources.
        vocabulary: The tenant's names.
    """

    __slots__ = ("_columns", "_graph")

    def __init__(self, graph: ReachGraph, vocabulary: Vocabulary) -> None:
        self._graph = graph
        self._columns = vocabulary.columns

    def enter(self, query: PlainQuery, low: int | None = None) -> None:
        """Take a query.

        Args:
            query: The query.
            low: The number of the first source for which its conditions hold; None for its own.
        """
        graph = self._graph
        holds = (graph.next if low is None else low, _FOREVER)
        outer = False
        for source in query.sources.values():
            self._source(source)
            outer = outer or source.left
        if outer:
            sources = list(query.sources.values())
            rejected = _needed(query.where)
            end = len(sources)
            for start in range(end - 1, -1, -1):
                if start == 0 or sources[start].comma:
                    self._joined(sources[start:end], set(rejected), holds)
                    end = start
        else:
            for source in query.sources.values():
                if source.on:
                    self._conditions(source.on, holds)
        if query.where:
            self._conditions(query.where, holds)

    def _joined(self, sources: list[PlainSource], rejected: set[int], holds: _Range) -> None:
        """Take the conditions of a tree of joins.

        Args:
            sources: What is joined, in order.
            rejected: Sources that every row that stays has.
            holds: For which sources conditions hold that every row of the tree meets.
        """
        ranges: list[_Range] = []
        for source in reversed(sources[1:]):
            if source.left and rejected.isdisjoint(range(source.low, source.high)):
                # Only what it adds is closed by it.
                ranges.append((source.low, source.high))
            else:
                rejected |= _needed(source.on)
                ranges.append(holds)
        for source, of_source in zip(sources[1:], reversed(ranges), strict=True):
            self._conditions(source.on, of_source)

    def _source(self, source: PlainSource) -> None:
        graph, query = self._graph, source.query
        if query is None:
            number = graph.source(table=True)
            source.low, source.high = number, number + 1
            source.star = (number, "", True)
            return
        source.low = graph.next
        self._read(source, query)
        source.high = graph.next

    def _read(self, source: PlainSource, query: PlainQuery) -> None:
        """Take a derived table or a WITH query."""
        graph = self._graph
        if not query.named:
            self.enter(query)
            self._outputs(query)
            source.outputs, source.star = query.outputs, query.star_output
            return
        if query.whole is None:
            start = graph.next
            self.enter(query)
            self._outputs(query)
            tables = [number for number in graph.tables if number >= start]
            if not graph.closed().issuperset(tables):
                # What closes it is what its uses have in common.
                raise NotPlainError
            use, query.whole = graph.source(), graph.source()
            graph.edge_from_all(tables, query.whole)
        else:
            use = graph.source()
        graph.edge(query.whole, use)
        source.outputs = {
            name: (use, column, inward) if number >= 0 else (number, column, inward)
            for name, (number, column, inward) in query.outputs.items()
        }
        if query.star_output is not None:
            source.star = (use, *query.star_output[1:])

    def _outputs(self, query: PlainQuery) -> None:
        """The columns that a query gives."""
        outputs = query.outputs
        if query.star is not None:
            outputs.update(query.star.outputs)
            query.star_output = query.star.star
            if not query.is_star_inward and query.star_output is not None:
                query.star_output = (*query.star_output[:2], False)
        for name, item in query.columns.items():
            if name in outputs:
                raise NotPlainError
            found = item.source.output(item.column) if item.source is not None else _NOTHING
            if found is None:
                raise NotPlainError
            outputs[name] = (found[0], found[1], found[2] and item.inward)

    def _conditions(self, conditions: list[PlainCondition], holds: _Range) -> None:
        for condition in conditions:
            source, query, other = condition.source, condition.query, condition.other
            if query is not None:
                self.enter(query, None if condition.negated else holds[0])
                if condition.negated:
                    continue
            if source is None:
                continue
            column = source.output(condition.column) or _NOTHING
            if condition.named is not None:
                if column[2] and holds[0] <= column[0] < holds[1]:
                    self._graph.restrict(column[0], condition.named)
            elif other is not None:
                second = other.output(condition.other_column) or _NOTHING
                if query is not None and query.cut:
                    # Which rows LIMIT leaves is not told by a condition on them.
                    second = (*second[:2], False)
                self._tie(column, second, holds)

    def _tie(self, one: Column, two: Column, holds: _Range) -> None:
        """Two columns are equal: tenants, another column under a tenant's name, or other keys."""
        if one[0] < 0 or two[0] < 0:
            return
        first, second = one[1], two[1]
        if first == PLACE or second == PLACE:  # noqa: PLR1714 - half of the time
            # Whether it is of one table is told by the whole analysis.
            raise NotPlainError
        # Where one is no tenant's, it is another column under that name.
        if first in self._columns:
            forward = back = second in self._columns or not is_no_key(second)
        elif second in self._columns:
            forward = back = not is_no_key(first)
        else:
            forward, back = key_ties(first, second)
        low, high = holds
        if forward and two[2] and low <= two[0] < high:
            self._graph.edge(one[0], two[0])
        if back and one[2] and low <= one[0] < high:
            self._graph.edge(two[0], one[0])


_NOTHING = (-1, "", False)
"""A column that comes from no source."""


def _needed(conditions: list[PlainCondition]) -> set[int]:
    """The sources that conditions are not true without."""
    found: set[int] = set()
    for condition in conditions:
        if condition.needs:
            sides = [(condition.source, condition.column)]
            if condition.query is None:
                sides.append((condition.other, condition.other_column))
            for source, name in sides:
                output = source.output(name) if source is not None else None
                if output is not None and output[0] >= 0:
                    found.add(output[0])
    return found
