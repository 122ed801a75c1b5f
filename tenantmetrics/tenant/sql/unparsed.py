"""What the lexer alone can tell of a text that is not parsed."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice

from tenantmetrics.records import SessionVerb
from tenantmetrics.sqltext import TokenKind
from tenantmetrics.sqltext.lexer import LETTER
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.plan import Plan, StepPlan
from tenantmetrics.tenant.sql.query_scope import UNKNOWN
from tenantmetrics.tenant.sql.unread_steps import SETTINGS, all_unknown, call_names, unknown_steps
from tenantmetrics.tenant.sql.utility_tokens import UtilityToken, operand_of, utility_tokens

__all__ = ["unparsed_plan"]

_MAX_CALLS = 40
"""Calls of set_config that are read; of a text with more it is not known what they set."""
_CALL_CHARS = 400
_CALL_TOKENS = 14
_NAME = re.compile(r"[^\W0-9]\w*+")
_VALUES = frozenset({TokenKind.STRING, TokenKind.NUMBER, TokenKind.PARAMETER})
_TEXTS = frozenset({"text", "varchar"})
_UNSURE = frozenset(
    [
        *("and", "case", "coalesce", "conflict", "delete", "except", "exists", "fetch", "filter"),
        *("from", "generate_series", "having", "intersect", "join", "limit", "merge", "offset"),
        *("or", "returning", "union", "unnest", "update", "using", "where"),
    ],
)
"""A call beside one of these may not be run, or not for any row."""


def unparsed_plan(text: str, vocabulary: Vocabulary, why: str) -> Plan:
    """What the lexer alone can tell: calls with plain arguments, and whether tenants occur.

    Args:
        text: The statement, literals replaced by slots.
        vocabulary: The tenant's names.
        why: Why it is not parsed.
    """
    lower = text.lower()
    words = utility_tokens(text, 1)
    verb = words[0].text.upper() if words else ""
    return Plan(
        summary=verb if verb.isalpha() else "",
        node=UNKNOWN,
        steps=_steps(text, lower, vocabulary),
        mentions=any(_occurs(name, lower) for name in vocabulary.columns),
        why=why,
    )


def _occurs(name: str, text: str) -> bool:
    """Whether a text has a name as a whole word."""
    return name in text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _steps(text: str, lower: str, vocabulary: Vocabulary) -> tuple[StepPlan, ...]:
    """What the calls in a text do to its session."""
    names = call_names(vocabulary)
    if SETTINGS in lower and "update" in lower:
        return all_unknown(vocabulary)
    if not any(name in lower for name in names):
        return ()
    # No letter is shorter in lower case, so of the same length both have the same places.
    is_alike = len(lower) == len(text)
    found_in, flags = (lower, 0) if is_alike else (text, re.IGNORECASE | re.ASCII)
    calls = list(islice(_calls(names, flags).finditer(found_in), _MAX_CALLS + 1))
    if len(calls) > _MAX_CALLS:
        return unknown_steps(vocabulary)
    # Words are looked for in 64 kB in a tenth of the time of reading all of them.
    sure = not any(word in lower for word in _UNSURE) or _UNSURE.isdisjoint(_NAME.findall(lower))
    steps: list[StepPlan] = []
    for found in calls:
        name = found[1].lower()
        arguments = _arguments(text[found.end() : found.end() + _CALL_CHARS])
        if arguments is None:
            return unknown_steps(vocabulary)
        if name == "set_config":
            step = _set_config(arguments)
        else:
            place = vocabulary.setters[name]
            value = _value(arguments[place]) if place < len(arguments) else None
            step = StepPlan(SessionVerb.SET, name, value, True)
        steps.append(step if sure else step._replace(value=None))
    return tuple(steps)


@lru_cache(maxsize=8)
def _calls(names: tuple[str, ...], flags: int) -> re.Pattern[str]:
    # The name comes first, so that the search leaps from one to the next.
    called = "|".join(f"{re.escape(name)}(?<!{LETTER}{re.escape(name)})" for name in names)
    return re.compile(rf'({called})"?\s*+\(', flags)


def _arguments(text: str) -> list[list[UtilityToken]] | None:
    """The tokens of each argument of a call, None where the call does not end soon.

    Args:
        text: What follows its opening bracket.
    """
    found: list[list[UtilityToken]] = [[]]
    depth = 0
    for token in utility_tokens(text, _CALL_TOKENS):
        symbol = token.text if token.kind is TokenKind.SYMBOL else ""
        if depth == 0 and symbol == ")":
            return found
        if depth == 0 and symbol == ",":
            found.append([])
            continue
        depth += (symbol in {"(", "["}) - (symbol in {")", "]"})
        found[-1].append(token)
    return None


def _set_config(arguments: list[list[UtilityToken]]) -> StepPlan:
    name, value, local = map(_value, [*arguments, [], [], []][:3])
    if name is None:
        # A name that is put together: it may be that of any variable.
        return StepPlan(SessionVerb.SET, body=Operand())
    words = [token.text for token in arguments[2]] if len(arguments) > 2 else []  # noqa: PLR2004
    if words in (["true"], ["false"]):
        return StepPlan(SessionVerb.SET, name, value, words == ["true"])
    if local is None:
        # Whether it lasts is not known, so neither is what the session holds.
        return StepPlan(SessionVerb.SET, name)
    return StepPlan(SessionVerb.SET, name, value, local)


def _value(argument: list[UtilityToken]) -> Operand | None:
    """A literal or parameter, alone or cast to text, or NULL; None for anything else."""
    if [(token.kind, token.text) for token in argument] == [(TokenKind.WORD, "null")]:
        return Operand()
    if not argument or argument[0].kind not in _VALUES:
        return None
    operand = operand_of(argument[0])
    if len(argument) == 1 or operand is None:
        return operand
    cast = [token.text for token in argument[1:]]
    if cast[0] != "::" or len(cast) != 2 or cast[1] not in _TEXTS:  # noqa: PLR2004
        return None
    return Operand(
        parameter=operand.parameter, slot=operand.slot, text=operand.text, cast=("text",)
    )
