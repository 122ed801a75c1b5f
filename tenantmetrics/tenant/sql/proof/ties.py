"""What is known to be equal: a tenant column and a value, a key of one source and of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from tenantmetrics.tenant.sql.comparison_shapes import elements, pairs_of, truth
from tenantmetrics.tenant.sql.evaluate_parameters import Computed
from tenantmetrics.tenant.sql.proof.columns import Output, ReachScope
from tenantmetrics.tenant.sql.proof.joins import Holds, Range, Tree, conjuncts
from tenantmetrics.tenant.sql.proof.key_names import OF_KEY, is_key_name, is_no_key, points_at
from tenantmetrics.tenant.sql.proof.relations import origins
from tenantmetrics.tenant.sql.proof.same_row import SameRow
from tenantmetrics.tenant.sql.restrictions import Restriction
from tenantmetrics.tenant.sql.schema_ties import Tie, tie_of
from tenantmetrics.tenant.sql.value_expressions import bare

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.proof.closing import Reach

__all__ = ["Branch", "ReachTies"]

_BY_TENANT, _NOTHING = Tie(True, True), Tie(False, False)
_SAME_KEY = (exp.Lower, exp.Upper, exp.Trim)
"""What makes two keys equal has to be little: these, and no characters that are cut off."""
_COMPARISONS = (
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE),
    *(exp.Like, exp.ILike, exp.Between, exp.In),
)
"""None of them is true where one of its columns is NULL."""
_TWO = 2


_Place = tuple[int, tuple[int, ...], str]
"""A column of a source: the source, those that its name is one in, its name there."""


def _places(output: Output) -> list[_Place]:
    return [(source, output.origin, output.name) for source in output.sources]


@dataclass(slots=True)
class Branch:
    """What one branch of an OR closes."""

    restricted: dict[int, list[Restriction]] = field(default_factory=dict)
    edges: set[tuple[tuple[int, ...], int]] = field(default_factory=set)
    guards: list[tuple[Computed, bool]] = field(default_factory=list)
    shared: set[int] = field(default_factory=set)
    """Sources that may have rows without a tenant there."""


class ReachTies:
    """What ties and restricts the sources of one statement.

    Args:
        reach: The statement.

    Attributes:
        branch: The branch of an OR that is read, None outside of any.
        same_row: Keys that are equal to the same parameter.
        called: The name and the alias of the table that a source is.
    """

    def __init__(self, reach: Reach) -> None:
        self._graph = reach.graph
        self._vocabulary = reach.vocabulary
        self._columns = reach.vocabulary.columns
        self.branch: Branch | None = None
        self.called: dict[int, tuple[str, str]] = {}
        self._one_of: dict[int, tuple[int, ...]] = {}
        self._tenants: set[_Place] = set()
        self._waiting: list[tuple[_Place, Restriction]] = []
        self.same_row = SameRow(self, reach.graph.budget, self._vocabulary)

    def finish(self) -> None:
        """Take what was compared with columns that turned out to hold tenants."""
        self.same_row.finish()
        for place, restriction in self._waiting:
            if place in self._tenants:
                self._graph.restrict(place[0], restriction)

    def needed_by(self, node: exp.Expr, scope: ReachScope) -> Iterator[int]:
        """The sources that a condition is not true without."""
        if not isinstance(node, _COMPARISONS):
            if isinstance(node, exp.Is) and isinstance(node.expression, exp.Boolean):
                inner = truth(node, False)
                for part, _ in conjuncts(inner[0]) if inner is not None else ():
                    yield from self.needed_by(part, scope)
            return
        sides = [node.this]
        if isinstance(node.args.get("expression"), exp.Expr):
            sides.append(node.expression)
        pairs = pairs_of(node.this, node.expression) if isinstance(node, exp.EQ) else None
        if pairs is not None:
            sides = [side for pair in pairs for side in pair]
        elif isinstance(node, exp.In) and (columns := elements(bare(node.this))) is not None:
            sides = columns
        for side in sides:
            column = bare(side)
            if isinstance(column, exp.Column):
                found = scope.columns(column)
                if len(found) == 1:
                    yield from found[0].sources if found[0].whole else ()
                else:
                    # Whichever it is, it is there.
                    number = self.one_of(found).sources if found else ()
                    yield from number

    def side(self, node: exp.Expr | None, scope: ReachScope) -> Output | None:
        """The column that an expression stands for; None for anything else."""
        node = bare(node)
        kept = True
        while isinstance(node, _SAME_KEY) and node.args.get("expression") is None:
            node, kept = bare(node.this), False
        if not isinstance(node, exp.Column):
            return None
        found = scope.columns(node)
        if not found:
            return None
        output = found[0] if len(found) == 1 else self.one_of(found)
        if kept or not is_key_name(output.name):
            return output
        # A function of a tenant is no tenant; one of a status is no key either.
        return output._replace(name=OF_KEY, of=origins([output]))

    def one_of(self, outputs: Sequence[Output]) -> Output:
        """A column of one of several sources, of which the text does not tell."""
        if len(outputs) == 1:
            return outputs[0]
        sources = tuple(dict.fromkeys(s for output in outputs for s in output.sources))
        name = outputs[0].name
        if any(output.name != name for output in outputs):
            # What may be no key is none.
            name = next((output.name for output in outputs if is_no_key(output.name)), name)
        if not sources:
            return Output(name=name)
        number = self._graph.source()
        self._graph.loose(number, sources)
        self._graph.edge_from_all(sources, number)
        self._one_of[number] = sources
        return Output(
            (number,),
            name,
            all(output.whole for output in outputs),
            all(output.inward and output.sources for output in outputs),
            of=origins(outputs),
        )

    def holds_for(self, holds: Holds, number: int) -> bool:
        """Whether a condition may close a source, or each of those that it may be."""
        if number in self._one_of:
            return all(self.holds_for(holds, source) for source in self._one_of[number])
        return holds.has(number)

    def _needed(self, holds: Holds, number: int) -> Range | None:
        found = {holds.needed_for(source) for source in self._one_of.get(number, (number,))}
        return found.pop() if len(found) == 1 else None

    def restrict_source(
        self, source: int, restriction: Restriction, holds: Holds, *, shared: bool = False
    ) -> None:
        """The tenant column of a source is compared with something that tells a tenant."""
        if not self.holds_for(holds, source):
            return
        if self.branch is not None:
            self.branch.restricted.setdefault(source, []).append(restriction)
            if shared:
                self.branch.shared.add(source)
        else:
            self._graph.restrict(source, restriction, shared=shared)

    def restrict(self, output: Output, restriction: Restriction, holds: Holds) -> None:
        """A column is equal to values."""
        if not output.inward:
            return
        if output.name in self._columns:
            for source in output.sources:
                self.restrict_source(source, restriction, holds)
        elif self.branch is None:
            self._waiting += [
                (place, restriction) for place in _places(output) if self.holds_for(holds, place[0])
            ]

    def tie(self, left: Output, right: Output, holds: Holds, *, back: bool = True) -> None:
        """Two columns are equal.

        Args:
            left: One of them.
            right: The other.
            holds: For which sources they are.
            back: What closes the right one closes the left one too.
        """
        tenants = [output.name in self._columns for output in (left, right)]
        for output, other, is_tenant in ((left, right, tenants[0]), (right, left, tenants[1])):
            if is_tenant and other.value is not None:
                self.restrict(output, other.value, holds)
        if any(tenants) and not all(tenants):
            other = right if tenants[0] else left
            self._tenants.update(_places(other))
        schema = self._vocabulary.schema
        if all(tenants):
            tie = _BY_TENANT
        elif any(tenants):
            # A table of tenants has its key under any name; a title that is equal is no key.
            tie = _NOTHING if is_no_key((right if tenants[0] else left).name) else _BY_TENANT
        else:
            tie = tie_of(left, right, schema)
        if tie != _NOTHING:
            self._tie(left, right, Tie(tie.forward, tie.back and back), holds)

    def _tie(self, left: Output, right: Output, tie: Tie, holds: Holds) -> None:
        left, right = self._two_of_two(left, right)
        ways = ((left, right, tie.forward), (right, left, tie.back))
        for start, end, is_tied in ways:
            if is_tied and start.sources and start.whole and end.inward:
                for source in end.sources:
                    if self.holds_for(holds, source):
                        self.edge(start.sources, source)
                    elif self.branch is None and len(start.sources) == 1:
                        needed = self._needed(holds, source)
                        if needed is not None:
                            full = not holds.ranges
                            self._graph.edge_if(start.sources[0], source, needed, full=full)

    def _two_of_two(self, left: Output, right: Output) -> tuple[Output, Output]:
        """`FROM rooms r, notes WHERE room_id = r.id`: a column of `notes`, as its name tells.

        `owner_id = r.id` may be of `rooms` as well, and `aid = bid` two columns of one table.
        """
        ones = self._one_of.get(left.sources[0]) if len(left.sources) == 1 else None
        others = self._one_of.get(right.sources[0]) if len(right.sources) == 1 else None
        both = ones or others
        if both is None:
            return left, right
        known = (right if others is None else left).sources[:1]
        if left.name == right.name and (ones == others or (known and known[0] in both)):
            # `bid = bid` and `bid = b.bid` are one column twice: of two tables, it has no meaning.
            return Output(), Output()
        if (ones and others) or len(both) != _TWO or known[0] not in both:
            return left, right
        (rest,) = set(both).difference(known)
        names = (left.name, right.name) if ones is not None else (right.name, left.name)
        if not (
            # What is equal to a tenant is of another table: no row is equal to its own tenant.
            any(name in self._columns for name in names)
            or self._points_at(names[0], known[0])
            or self._points_at(names[1], rest)
        ):
            return left, right
        if ones is not None:
            return left._replace(sources=(rest,)), right
        return left, right._replace(sources=(rest,))

    def _points_at(self, key: str, source: int) -> bool:
        return any(points_at(key, name) for name in self.called.get(source, ()))

    def edge(self, starts: tuple[int, ...], end: int) -> None:
        """If all of these are closed, so is the other."""
        if self.branch is not None:
            self.branch.edges.add((starts, end))
        else:
            self._graph.edge_from_all(starts, end)

    def tie_using(
        self, name: str, tree: Tree, scope: ReachScope, holds: Holds, *, natural: bool = False
    ) -> None:
        """`USING (id)`: the columns of that name on both sides are equal.

        Args:
            name: The column's.
            tree: The join.
            scope: What names mean.
            holds: For which sources they are equal.
            natural: NATURAL: only if both sides have such a column.
        """
        sides: tuple[list[Output], list[Output]] = ([], [])
        for binding in scope.bindings.values():
            output = binding.relation.output(name)
            if output is None or not output.sources:
                continue
            if name not in binding.relation.outputs:
                if natural and not output.of:
                    continue
                if not scope.may_be(output, name):
                    continue
            number = output.sources[0]
            if tree.left.low <= number < tree.left.high:
                sides[0].append(output)
            elif tree.right.low <= number < tree.right.high:
                sides[1].append(output)
        if sides[0] and sides[1]:
            self.tie(self.one_of(sides[0]), self.one_of(sides[1]), holds)
