"""What the plan of a text says with the values of one call."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tenantmetrics.records import Claim, Claims, Misuse, SessionStep, SessionVerb, Source
from tenantmetrics.tenant.bound_text import Bound
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.session.session_steps import steps_of
from tenantmetrics.tenant.sql.operands import Values
from tenantmetrics.tenant.sql.restrictions import State, evaluate
from tenantmetrics.tenant.sql.shares import split

__all__ = ["evaluated"]


def evaluated(
    bound: Bound,
    sets: Sequence[Mapping[str, Mapping[str, Any]]],
    *,
    in_transaction: bool,
    asked: Collection[Source],
    vocabulary: Vocabulary,
) -> Claims:
    """The claims of a call, apart from what is said around its text.

    Args:
        bound: The text.
        sets: The parameters of each execution, by name.
        in_transaction: Whether a transaction is open.
        asked: The sources that are asked.
        vocabulary: The tenant's names.
    """
    plan = bound.plan
    asks_statement = Source.STATEMENT in asked
    answers: list[Mapping[str, int]] = []
    steps: list[SessionStep] = []
    misuses = dict.fromkeys(plan.misuses)
    undecided = exposed = False
    for parameters in sets:
        values = Values(bound.literals, parameters)
        if asks_statement:
            state, shares, misuse = evaluate(plan.node, values)
            answers.append(shares)
            if misuse is not None:
                misuses[misuse] = None
            undecided = undecided or state is State.UNDECIDED
            exposed = exposed or state is State.UNDECIDED or state is State.OPEN
            undecided = undecided or (plan.mentions and state in {State.OPEN, State.CLEAR})
        if plan.steps:
            steps += steps_of(plan.steps, values, vocabulary)
    named: list[Claim] = []
    if any(answers):
        named.append(Claim(Source.STATEMENT, split(answers)))
    if bound.comment is not None:
        named.append(bound.comment)
        if len(bound.comment.shares) > 1:
            misuses[Misuse.SOURCES_DISAGREE] = None
    if plan.schemas and Source.SCHEMA in asked:
        named.append(Claim(Source.SCHEMA, tuple((tenant, 1) for tenant in plan.schemas)))
    if (
        plan.sets_only
        and not in_transaction
        and any(step.verb is SessionVerb.SET for step in steps)
        and all(step.local for step in steps)
    ):
        misuses[Misuse.LOCAL_OUTSIDE_TRANSACTION] = None
    return Claims(
        plan.summary,
        tuple(named),
        tuple(steps),
        tuple(misuses),
        undecided,
        plan.fingerprint,
        plan.workless,
        exposed and not plan.guarded,
    )
