"""Session steps with their values: which variable is set, and to which tenant."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tenantmetrics.records import SessionStep, SessionVerb
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.session.session_variables import (
    AUTHORIZATION,
    NOBODY,
    ROLE,
    SEARCH_PATH,
)
from tenantmetrics.tenant.sql.budget import TooMuchWorkError
from tenantmetrics.tenant.sql.operands import Operand, Values
from tenantmetrics.tenant.sql.plan import StepPlan

__all__ = ["steps_of"]

_NAMED_BY_PATTERN = frozenset({ROLE, AUTHORIZATION, SEARCH_PATH})
_PROGRAM_NAME = "application_name"
_STEPS = 10
"""Of a session step, 2 µs."""
_SETS = re.compile(
    r"\bset_config\b|\bexecute\b|\breset\b|\bdiscard\b|\bpg_settings\b|\bset\s+"
    r"(?:(?:local|session)\s+)*+\"?(?:role|search_path|schema|(?:session_)?authorization|\w+\"?\s*\.)"
)
_ANY = re.compile(
    r"\b(?:execute|discard|pg_settings|reset\s+all)\b"
    r"|\bset_config\b(?!\"?\s*\(\s*'[\w.]+'\s*,)"
)
"""What sets other variables than those that are mentioned."""
_MENTIONS = {
    ROLE: re.compile(r"\brole\b|authorization\b"),
    AUTHORIZATION: re.compile(r"authorization\b"),
    SEARCH_PATH: re.compile(r"\bsearch_path\b|\bschema\b"),
}
_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)


def steps_of(
    plans: Iterable[StepPlan],
    values: Values,
    vocabulary: Vocabulary,
) -> tuple[SessionStep, ...]:
    """What a call does to the variables that carry a tenant; other variables are left out.

    `application_name` carries one only where it is set for the transaction: drivers and programs
    set it for the session, to their own name.
    """
    found: list[SessionStep] = []
    of_unordered: list[str] = []
    for plan in plans:
        values.budget.left -= _STEPS
        steps = _steps(plan, values, vocabulary)
        found += steps
        if plan.unordered:
            of_unordered += {step.name for step in steps}
    if of_unordered:
        # Set twice, and nobody knows which comes last.
        twice = {name for name in of_unordered if of_unordered.count(name) > 1}
        found += [SessionStep(SessionVerb.SET, name) for name in sorted(twice)]
    return tuple(found)


def _steps(plan: StepPlan, values: Values, vocabulary: Vocabulary) -> list[SessionStep]:
    verb = plan.verb
    if plan.body is not None:
        return _may_set(_text(plan.body, values), vocabulary)
    if verb is not SessionVerb.SET and verb is not SessionVerb.RESET:
        other = plan.name if isinstance(plan.name, str) else ""
        return [SessionStep(verb, other, None, plan.local is True)]
    name = _text(plan.name, values) if isinstance(plan.name, Operand) else plan.name
    name = (name or "").lower()
    known = name in vocabulary.variables or name in vocabulary.setters
    if not known and name not in _NAMED_BY_PATTERN:
        return []
    step = _step(plan, name, values, vocabulary)
    if step is None:
        return []
    # The role of a new authorization is in use from now on.
    role = SessionStep(SessionVerb.RESET, ROLE, None, step.local)
    return [role, step] if name == AUTHORIZATION else [step]


def _text(operand: Operand, values: Values) -> str | None:
    """The text of an operand; None where it is not known, or takes too much to read."""
    try:
        return operand.string(values)
    except TooMuchWorkError:
        return None


def _tenants(operand: Operand, values: Values) -> tuple[str, ...] | None:
    """The tenants of an operand; None where they are not known, or take too much to read."""
    try:
        return operand.tenants(values)
    except TooMuchWorkError:
        return None


def _may_set(body: str | None, vocabulary: Vocabulary) -> list[SessionStep]:
    """What a DO block may set: the variables that it mentions, to a tenant that is not known."""
    text = (body or "").lower()
    # What looks like a comment may stand in a literal.
    readings = (text, _COMMENT.sub(" ", text))
    if body is not None and not any(map(_SETS.search, readings)):
        return []
    names = [name for name in sorted(vocabulary.variables) if name != _PROGRAM_NAME]
    mentioned = [name for name in names if name in text]
    mentioned += [name for name, pattern in _MENTIONS.items() if pattern.search(text)]
    if body is not None and any(map(_ANY.search, readings)):
        mentioned, names = [], [*names, *_MENTIONS]
    # One that mentions none puts the name together.
    return [SessionStep(SessionVerb.SET, name, None, False) for name in mentioned or names]


def _step(plan: StepPlan, name: str, values: Values, vocabulary: Vocabulary) -> SessionStep | None:
    local = plan.local
    if isinstance(local, Operand):
        local = (_text(local, values) or "").lower() in {"true", "t", "on", "yes", "1"}
    if plan.verb is SessionVerb.RESET:
        return SessionStep(SessionVerb.RESET, name, None, local)
    if name == _PROGRAM_NAME and not local:
        return None
    if name in _NAMED_BY_PATTERN:
        text = _text(plan.value, values) if plan.value is not None else None
        if text is None:
            return SessionStep(SessionVerb.SET, name, None, local)
        of_path = name == SEARCH_PATH
        tenant = vocabulary.of_search_path(text) if of_path else vocabulary.of_role(text)
        if name == ROLE and tenant is None and text.lower() != "none":
            return SessionStep(SessionVerb.RESET, name, NOBODY, local)
    else:
        tenants = _tenants(plan.value, values) if plan.value is not None else None
        if tenants is None:
            return SessionStep(SessionVerb.SET, name, None, local)
        tenant = tenants[0] if tenants else None
    # A variable set to the empty text is PostgreSQL's way of having none.
    verb = SessionVerb.SET if tenant is not None else SessionVerb.RESET
    return SessionStep(verb, name, tenant, local)
