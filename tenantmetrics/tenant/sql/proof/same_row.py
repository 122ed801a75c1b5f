"""Keys that are equal to one parameter: `o.id = :order AND l.order_id = :order`.

The rows of `l` point at that row of `o`, as if `l.order_id = o.id` stood there. Not where both are
called `id`, or both `order_id`: nothing tells then that the one points at the other. Nor literals,
which may be equal by chance.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.budget import Budget
from tenantmetrics.tenant.sql.proof.columns import Output, ReachScope
from tenantmetrics.tenant.sql.proof.joins import Holds
from tenantmetrics.tenant.sql.proof.key_names import is_key_name
from tenantmetrics.tenant.sql.schema_ties import tie_of

if TYPE_CHECKING:
    from tenantmetrics.tenant.sql.proof.ties import ReachTies

__all__ = ["SameRow"]

_OWN = frozenset({"id", "uuid", "guid", "pk"})
"""What a table calls its own key."""
_MOST = 8
"""Keys that are equal to one parameter; of more, nothing is told."""


class _Key(NamedTuple):
    output: Output
    scope: ReachScope
    holds: Holds


class SameRow:
    """The keys of one statement that are equal to parameters.

    Args:
        ties: Gets what they tie.
        budget: The steps that the analysis may take.
        vocabulary: The tenant's names.
    """

    def __init__(self, ties: ReachTies, budget: Budget, vocabulary: Vocabulary) -> None:
        self._ties = ties
        self._budget = budget
        self._vocabulary = vocabulary
        self._keys: dict[str, list[_Key]] = {}

    def keyed(self, parameter: str, output: Output, scope: ReachScope, holds: Holds) -> None:
        """A column is equal to a parameter, in every row for which the condition holds.

        Args:
            parameter: Its name.
            output: The column.
            scope: The query that the condition stands in.
            holds: For which sources it holds.
        """
        if (
            self._ties.branch is None
            and is_key_name(output.name)
            and output.name not in self._vocabulary.columns
        ):
            self._keys.setdefault(parameter, []).append(_Key(output, scope, holds))

    def finish(self) -> None:
        """Tie the keys that are equal to the same parameter."""
        for keys in self._keys.values():
            if len(keys) > _MOST:
                continue
            for one, other in itertools.permutations(keys, 2):
                self._budget.spend(1)
                if (one.output.name in _OWN) != (other.output.name in _OWN):
                    self._tie(one, other)

    def _tie(self, start: _Key, end: _Key) -> None:
        """Rows of the one have a part only beside a row of the other that has the same key."""
        sources = end.output.sources
        of_start = start.output.sources
        needs = (
            _needs(end.scope, start.scope)
            and start.output.whole
            and bool(of_start)
            and end.output.inward
            and all(self._ties.holds_for(start.holds, number) for number in of_start)
            and tie_of(start.output, end.output, self._vocabulary.schema).forward
        )
        for source in sources if needs else ():
            if self._ties.holds_for(start.holds, source) and self._ties.holds_for(
                end.holds, source
            ):
                self._ties.edge(of_start, source)


def _needs(end: ReachScope, start: ReachScope) -> bool:
    """Whether what is read in the one query has a part only beside a row of the other.

    The same FROM, or the other one is EXISTS in it, which `holds` tells; or it stands in the other
    one, unless that gives a row where it finds none: `SELECT count(*), (SELECT …) FROM o`.
    """
    if start is end or end in start.outward():
        return True
    return start in end.outward() and not start.makes_one_row
