"""What the lexer alone can tell of a text that is not parsed."""

from __future__ import annotations

import re

from tenantmetrics.records import SessionVerb
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.plan import Plan, StepPlan
from tenantmetrics.tenant.sql.query_scope import UNKNOWN
from tenantmetrics.tenant.sql.utility_tokens import UtilityToken, operand_of, utility_tokens

__all__ = ["unparsed_plan"]

_MAX_CALLS = 40
"""Calls of set_config that are read; of a text with more it is not known what they set."""
_CALL = re.compile(r'(?<![\w$\x80-\U0010FFFF])"?set_config"?\s*+\(', re.IGNORECASE)
_CALL_CHARS = 400
_CALL_TOKENS = 8
_NAME = re.compile(r"[^\W0-9]\w*+")


def unparsed_plan(text: str, vocabulary: Vocabulary, why: str) -> Plan:
    """What the lexer alone can tell: set_config with plain arguments, and whether tenants occur."""
    lower = text.lower()
    sets = "set_config" in lower
    sure = sets and {"where", "case", "having", "limit"}.isdisjoint(_NAME.findall(lower))
    words = utility_tokens(text, 1)
    steps: list[StepPlan] = []
    calls = [found.start() for found in _CALL.finditer(text)] if sets else []
    for start in calls[:_MAX_CALLS]:
        call = utility_tokens(text[start : start + _CALL_CHARS], _CALL_TOKENS)
        if len(call) == _CALL_TOKENS:
            step = _lexed_set_config(call[2:])
            steps.append(step if sure else step._replace(value=None))
    if len(calls) > _MAX_CALLS:
        steps.append(StepPlan(SessionVerb.SET, body=Operand()))
    mentions = any(_occurs(name, lower) for name in vocabulary.columns)
    verb = words[0].text.upper() if words else ""
    return Plan(
        summary=verb if verb.isalpha() else "",
        node=UNKNOWN,
        steps=tuple(steps),
        mentions=mentions,
        why=why,
    )


def _occurs(name: str, text: str) -> bool:
    """Whether a text has a name as a whole word."""
    return name in text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _lexed_set_config(words: list[UtilityToken]) -> StepPlan:
    name, comma, value, second, local, closing = words
    if (comma.text, second.text, closing.text) != (",", ",", ")"):
        return StepPlan(SessionVerb.SET)
    return StepPlan(
        SessionVerb.SET, operand_of(name) or "", operand_of(value), local.text == "true"
    )
