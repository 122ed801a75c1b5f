"""What the plan of a text says with the values of one call."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tenantmetrics.records import Claim, Claims, Misuse, SessionStep, SessionVerb, Source
from tenantmetrics.tenant.bound_text import Bound
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.session.session_steps import steps_of
from tenantmetrics.tenant.sql.budget import Budget
from tenantmetrics.tenant.sql.call_fields import index_parameters
from tenantmetrics.tenant.sql.operands import MAX_EVALUATION_STEPS, Values
from tenantmetrics.tenant.sql.restrictions import State, evaluate
from tenantmetrics.tenant.sql.shares import split

__all__ = ["evaluated"]

_STEPS_OF_A_SET = 50
"""That each further set of a batch may take, and one a parameter: less than its caller takes to
make it. A batch is bounded by its caller's own work and by what one call may take."""


def evaluated(
    bound: Bound,
    sets: Sequence[Any],
    *,
    in_transaction: bool,
    asked: Collection[Source],
    vocabulary: Vocabulary,
) -> Claims:
    """The claims of a call, apart from what is said around its text.

    Args:
        bound: The text.
        sets: The parameters of each execution, in a form of `Request.parameters`.
        in_transaction: Whether a transaction is open.
        asked: The sources that are asked.
        vocabulary: The tenant's names.
    """
    plan = bound.plan
    found = _Found()
    budget = Budget(MAX_EVALUATION_STEPS)
    asks_statement = Source.STATEMENT in asked
    for number, parameters in enumerate(sets):
        given = index_parameters(parameters)
        if number:
            budget.left += _STEPS_OF_A_SET + len(given)
        found.add(bound, Values(bound.literals, given, budget), vocabulary, asks_statement)
        if budget.left < 0 and number + 1 < len(sets):
            found.leave(len(sets) - number - 1)
            # What the last one sets is what the session holds.
            last = Values(bound.literals, index_parameters(sets[-1]), budget)
            found.steps += steps_of(plan.steps, last, vocabulary)
            break
    misuses = dict.fromkeys((*plan.misuses, *found.misuses))
    named: list[Claim] = []
    if any(found.answers):
        named.append(Claim(Source.STATEMENT, split(found.answers)))
    if bound.comment is not None:
        named.append(bound.comment)
        if len(bound.comment.shares) > 1:
            misuses[Misuse.SOURCES_DISAGREE] = None
    if plan.schemas and Source.SCHEMA in asked:
        named.append(Claim(Source.SCHEMA, tuple((tenant, 1) for tenant in plan.schemas)))
    if plan.sets_only and not in_transaction and _are_local(found.steps):
        misuses[Misuse.LOCAL_OUTSIDE_TRANSACTION] = None
    return Claims(
        plan.summary,
        tuple(named),
        tuple(found.steps),
        tuple(misuses),
        found.undecided,
        plan.fingerprint,
        plan.workless,
        found.exposed and not plan.guarded,
    )


class _Found:
    """What the sets of parameters of one call say."""

    def __init__(self) -> None:
        self.answers: list[Mapping[str, int]] = []
        self.steps: list[SessionStep] = []
        self.misuses: list[Misuse] = []
        self.undecided = self.exposed = False

    def add(
        self, bound: Bound, values: Values, vocabulary: Vocabulary, asks_statement: bool
    ) -> None:
        """One more."""
        plan = bound.plan
        if asks_statement:
            state, shares, misuse = evaluate(plan.node, values)
            self.answers.append(shares)
            if misuse is not None:
                self.misuses.append(misuse)
            mentioned = plan.mentions and state in {State.OPEN, State.CLEAR}
            self.undecided = self.undecided or state is State.UNDECIDED or mentioned
            self.exposed = self.exposed or state is State.UNDECIDED or state is State.OPEN
        if plan.steps:
            self.steps += steps_of(plan.steps, values, vocabulary)

    def leave(self, count: int) -> None:
        """Some more that are nobody's: it takes too much to tell whose."""
        self.answers += [{}] * count
        self.undecided = self.exposed = True


def _are_local(steps: Sequence[SessionStep]) -> bool:
    """Whether variables are set, and all for the transaction alone."""
    return any(step.verb is SessionVerb.SET for step in steps) and all(step.local for step in steps)
