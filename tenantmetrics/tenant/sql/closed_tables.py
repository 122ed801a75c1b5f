"""What a statement names, where what closes its tables is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenantmetrics.tenant.sql.operands import Values
from tenantmetrics.tenant.sql.restrictions import (
    UNKNOWN,
    Named,
    Restriction,
    State,
    Touched,
    together,
)

__all__ = ["Closed", "if_closed"]


@dataclass(frozen=True, slots=True)
class Closed:
    """What a statement names, where what closes its tables is known and names the same.

    Attributes:
        node: What it names.
        groups: For each group of tables that close each other, for each of them its restrictions;
            None where a table is not closed by any.
    """

    node: Restriction
    groups: tuple[tuple[tuple[Restriction, ...], ...], ...] | None

    def found(self, values: Values) -> Touched:
        """Undecided where one of the tables is not closed; others' rows are a conflict."""
        main = self.node.found(values)
        if main.state is not State.KNOWN:
            return main
        if self.groups is None:
            return Touched(State.UNDECIDED, {}, main.misuse)
        known = [main]
        for group in self.groups:
            tenants: set[str] | None = None
            everybody: dict[str, int] = {}
            for restrictions in group:
                answers = [restriction.found(values) for restriction in restrictions]
                if all(
                    a.state is not State.KNOWN and a.state is not State.SESSION for a in answers
                ):
                    return Touched(State.UNDECIDED, {}, main.misuse)
                for answer in answers:
                    if answer.state is State.KNOWN:
                        values.budget.spend(len(answer.shares))
                        everybody.update(answer.shares)
                        named = set(answer.shares)
                        tenants = named if tenants is None else tenants & named
            if tenants is not None and not (tenants or set(everybody)) <= set(main.shares):
                shares = {name: everybody[name] for name in tenants or everybody}
                known.append(Touched(State.KNOWN, shares))
        return main if len(known) == 1 else together(known, main.misuse, values)


def if_closed(
    node: Restriction, groups: Sequence[Sequence[Sequence[Restriction]]] | None
) -> Restriction:
    """What a statement of several tables names, if all of them are closed.

    Args:
        node: What it names.
        groups: As those of `Closed`.
    """
    if groups is None:
        return UNKNOWN if isinstance(node, Named) else Closed(node, None)
    if isinstance(node, Named) and all(
        restriction == node for group in groups for held in group for restriction in held
    ):
        return node
    return Closed(node, tuple(tuple(map(tuple, group)) for group in groups))
