"""What the lexer alone can tell of a text that is not parsed."""

from __future__ import annotations

import re

from tenantmetrics.records import SessionVerb
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.plan import Plan, StepPlan
from tenantmetrics.tenant.sql.query_scope import UNKNOWN
from tenantmetrics.tenant.sql.utility_tokens import UtilityToken, operand_of, utility_tokens

__all__ = ["unparsed_plan"]

_MAX_LEXED = 800
_NAME = re.compile(r"[^\W0-9]\w*+")


def unparsed_plan(text: str, vocabulary: Vocabulary, why: str) -> Plan:
    """What the lexer alone can tell: set_config with plain arguments, and whether tenants occur."""
    lower = text.lower()
    sets = "set_config" in lower
    sure = sets and {"where", "case", "having", "limit"}.isdisjoint(_NAME.findall(lower))
    words = utility_tokens(text, _MAX_LEXED if sets else 1)
    steps: list[StepPlan] = []
    for index, word in enumerate(words):
        if word.text == "set_config" and index + 7 < len(words) and words[index + 1].text == "(":
            step = _lexed_set_config(words[index + 2 : index + 8])
            steps.append(step if sure else step._replace(value=None))
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
