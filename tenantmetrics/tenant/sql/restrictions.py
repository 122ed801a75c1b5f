"""The nodes of a plan: what is known of a statement's rows before its values are.

`found` fills a node with the values of one call. Every node answers with a `Touched`: the tenants
that its rows are restricted to, or that it restricts them to nobody, or that it speaks of tenants
in a way that only the database can follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol

from tenantmetrics.records import UNATTRIBUTED, Misuse
from tenantmetrics.tenant.sql.budget import TooMuchWorkError
from tenantmetrics.tenant.sql.evaluate_parameters import Computed, may_be
from tenantmetrics.tenant.sql.operands import Operand, Values
from tenantmetrics.tenant.sql.shares import reduced

__all__ = [
    "CLEAR",
    "IN_SESSION",
    "NAME_NOBODY",
    "OPEN",
    "UNKNOWN",
    "Also",
    "Either",
    "Fixed",
    "Guarded",
    "Joined",
    "Named",
    "Restriction",
    "Same",
    "Shared",
    "State",
    "Touched",
    "evaluate",
    "together",
]


class State(IntEnum):
    """How much a node tells."""

    CLEAR = 0
    """Touches no rows that could be a tenant's: no table, or one without a tenant column."""
    OPEN = 1
    """Touches tables, and restricts them to nobody."""
    SESSION = 2
    """Restricted to the session's own tenant, which it does not name."""
    UNDECIDED = 3
    """Speaks of tenants, but of which the text does not tell."""
    KNOWN = 4


class Touched(NamedTuple):
    """A node's answer.

    Attributes:
        state: How much is known.
        shares: Tenant → weight, where known.
        misuse: A conflict inside the statement.
    """

    state: State
    shares: Mapping[str, int] = {}
    misuse: Misuse | None = None


class Restriction(Protocol):
    """A part of a plan."""

    def found(self, values: Values) -> Touched:
        """The answer for the literals and parameters of one call."""
        ...


_UNDECIDED = Touched(State.UNDECIDED)
_CONTRADICTION = Touched(State.UNDECIDED, {}, Misuse.SOURCES_DISAGREE)


@dataclass(frozen=True, slots=True)
class Fixed:
    """An answer that does not depend on values."""

    answer: Touched

    def found(self, values: Values) -> Touched:  # noqa: ARG002
        """Always the same."""
        return self.answer


OPEN = Fixed(Touched(State.OPEN))
UNKNOWN = Fixed(Touched(State.UNDECIDED))
CLEAR = Fixed(Touched(State.CLEAR))
IN_SESSION = Fixed(Touched(State.SESSION))
NAME_NOBODY = (UNKNOWN, OPEN, CLEAR)


@dataclass(frozen=True, slots=True)
class Named:
    """Rows of exactly the tenants that the operands name: `= :t`, `IN (…)`, `= ANY(…)`."""

    operands: tuple[Operand, ...]

    def found(self, values: Values) -> Touched:
        """All of them, one share each; undecided where one is not known or none names anybody."""
        shares: dict[str, int] = {}
        # Too few to be refused here; `evaluated` looks at them between the sets of a batch.
        values.budget.left -= 2 * len(self.operands)
        for operand in self.operands:
            tenants = operand.tenants(values)
            if tenants is None:
                return _UNDECIDED
            if len(tenants) > 1:
                values.budget.spend(len(tenants))
            shares.update(dict.fromkeys(tenants, 1))
        return Touched(State.KNOWN, shares) if shares else _UNDECIDED


@dataclass(frozen=True, slots=True)
class Same:
    """Restrictions of one column that all hold: the tenants that satisfy each of them."""

    parts: tuple[Restriction, ...]

    def found(self, values: Values) -> Touched:
        """What cannot be told only narrows what the others name."""
        known: Mapping[str, int] | None = None
        best = State.OPEN
        states = set()
        for part in self.parts:
            answer = part.found(values)
            values.budget.spend(len(answer.shares))
            states.add(answer.state)
            if answer.misuse:
                return answer
            best = max(best, answer.state)
            if answer.state is State.KNOWN:
                if known is None:
                    known = answer.shares
                else:
                    known = {key: known[key] for key in known if key in answer.shares}
                    if not known:
                        return _CONTRADICTION
        if known is not None:
            return Touched(State.KNOWN, known)
        # Confirmed by the session, whatever else narrows it.
        return Touched(State.SESSION if State.SESSION in states else best)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A branch of OR with tests of parameters alone: `:t IS NULL OR …`.

    Attributes:
        node: What the branch restricts its rows to.
        tests: The branch can hold only if each test comes out as wanted.
    """

    node: Restriction
    tests: tuple[tuple[Computed, bool], ...]

    def possible(self, values: Values) -> bool:
        """Whether the branch can hold for any row."""
        return all(may_be(test, wanted, values) for test, wanted in self.tests)

    def found(self, values: Values) -> Touched:
        """The branch's own answer."""
        return self.node.found(values)


@dataclass(frozen=True, slots=True)
class Either:
    """Rows from any of the branches (OR, UNION): known only if each branch is."""

    branches: tuple[Restriction, ...]

    def found(self, values: Values) -> Touched:
        """The union; weights add up."""
        shares: dict[str, int] = {}
        states = set()
        misuse = None
        for branch in self.branches:
            if isinstance(branch, Guarded) and not branch.possible(values):
                continue
            answer = branch.found(values)
            misuse = misuse or answer.misuse
            if answer.state is State.CLEAR:
                continue
            values.budget.spend(1 + len(answer.shares))
            states.add(answer.state)
            for tenant, weight in answer.shares.items():
                shares[tenant] = shares.get(tenant, 0) + weight
        if not states:
            return Touched(State.CLEAR)
        if len(states) > 1:
            return Touched(State.UNDECIDED, {}, misuse)
        return Touched(states.pop(), reduced(shares), misuse)


@dataclass(frozen=True, slots=True)
class Joined:
    """Tables whose rows are combined: a table that is restricted restricts the result.

    Attributes:
        parts: One a table or class of equal tenant columns.
    """

    parts: tuple[Restriction, ...]

    def found(self, values: Values) -> Touched:
        """Undecided if any part is; two tables of different tenants are a conflict."""
        answers = [part.found(values) for part in self.parts]
        if not answers:
            return Touched(State.CLEAR)
        for answer in answers:
            if answer.state is State.UNDECIDED:
                return Touched(State.UNDECIDED, {}, _misuse(answers))
        known = [answer for answer in answers if answer.state is State.KNOWN]
        if not known:
            return Touched(max(answer.state for answer in answers), {}, _misuse(answers))
        return together(known, _misuse(answers), values)


@dataclass(frozen=True, slots=True)
class Also:
    """Rows of `main`, and of other parts that are read or written beside it.

    Attributes:
        main: What decides whose rows come back or change.
        parts: Subqueries that restrict nothing, data-changing CTEs, function calls.
    """

    main: Restriction
    parts: tuple[Restriction, ...]

    def found(self, values: Values) -> Touched:
        """Other tenants in the parts are named too, as a conflict."""
        main = self.main.found(values)
        answers = [part.found(values) for part in self.parts]
        misuse = main.misuse or _misuse(answers)
        if any(answer.state is State.UNDECIDED for answer in answers):
            return Touched(State.UNDECIDED, {}, misuse)
        known = [answer for answer in answers if answer.state is State.KNOWN]
        if not known:
            if main.state is State.CLEAR and answers:
                return Touched(max(answer.state for answer in answers), {}, misuse)
            return Touched(main.state, main.shares, misuse)
        if main.state is State.CLEAR:
            return together(known, misuse, values)
        if main.state is not State.KNOWN:
            return Touched(State.UNDECIDED, {}, misuse)
        return together([main, *known], misuse, values)


@dataclass(frozen=True, slots=True)
class Shared:
    """A part that several others have: a WITH query that is read more than once.

    Plans are graphs. Each node is evaluated once for a set of values, however many ways lead to it.
    """

    node: Restriction

    def found(self, values: Values) -> Touched:
        """The node's own answer."""
        answer: Touched | None = values.known.get(id(self))
        if answer is None:
            answer = values.known[id(self)] = self.node.found(values)
        return answer


def evaluate(node: Restriction, values: Values) -> Touched:
    """A plan's answer for the values of one call, undecided where it takes too much to find it."""
    try:
        return node.found(values)
    except (TooMuchWorkError, RecursionError):
        return _UNDECIDED


def _misuse(answers: Iterable[Touched]) -> Misuse | None:
    return next((answer.misuse for answer in answers if answer.misuse), None)


def together(known: Sequence[Touched], misuse: Misuse | None, values: Values) -> Touched:
    """Parts that belong to one piece of work, and so ought to be of the same tenants."""
    if len(known) > 1:
        values.budget.spend(sum(len(answer.shares) for answer in known))
    shares = dict(known[0].shares)
    names = {name for name in shares if name != UNATTRIBUTED}
    for answer in known[1:]:
        if misuse is None and {name for name in answer.shares if name != UNATTRIBUTED} != names:
            misuse = Misuse.OTHER_TENANTS_ROWS
        for tenant, weight in answer.shares.items():
            shares.setdefault(tenant, weight)
    return Touched(State.KNOWN, shares, misuse)
