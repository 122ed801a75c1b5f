"""SET and RESET, in all their spellings: which variable gets which value."""

from __future__ import annotations

from dataclasses import replace

from tenantmetrics.records import SessionVerb
from tenantmetrics.sqltext import TokenKind
from tenantmetrics.tenant.session.session_variables import AUTHORIZATION, ROLE, SEARCH_PATH
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.plan import StepPlan
from tenantmetrics.tenant.sql.utility_tokens import UtilityToken, dotted_name, operand_of

__all__ = ["read_reset", "read_set"]


def read_set(  # noqa: PLR0911 - one spelling a line
    words: list[UtilityToken],
) -> tuple[str, StepPlan | None]:
    """What SET does.

    Args:
        words: The statement's tokens: SET [SESSION | LOCAL] name {TO | =} value, SET ROLE,
            SET SESSION AUTHORIZATION.

    Returns:
        The summary, and the step; None where no variable that matters is set.
    """
    rest = words[1:]
    scope = rest[0].text if rest and rest[0].kind is TokenKind.WORD else ""
    local, session = scope == "local", scope == "session"
    prefix = "SET LOCAL" if local else "SET"
    if local or session:
        rest = rest[1:]
    if not rest:
        return prefix, None
    first = rest[0].text
    if first == "session":
        # As in SET LOCAL SESSION AUTHORIZATION.
        session, rest, first = True, rest[1:], rest[1].text if rest[1:] else ""
    if first == "authorization" and session:
        return f"{prefix} SESSION AUTHORIZATION", _valued(AUTHORIZATION, rest[1:], local)
    if first in {"transaction", "characteristics", "constraints", "time"}:
        return f"{prefix} {first.upper()}", None
    if first == "schema":
        # The standard's spelling of SET search_path.
        return f"{prefix} SCHEMA", _valued(SEARCH_PATH, rest[1:], local)
    name, position = dotted_name(rest) if rest else ("", 0)
    assigned = position < len(rest) and rest[position].text in {"=", "to"}
    if name == ROLE:
        return f"{prefix} ROLE", _valued(ROLE, rest[position + assigned :], local)
    if [word.text for word in rest[position:][:2]] == ["from", "current"]:
        # What is LOCAL now stays.
        return f"{prefix} {name}", StepPlan(SessionVerb.SET, name, None, local)
    return f"{prefix} {name}", _valued(name, rest[position + 1 :], local) if assigned else None


def read_reset(words: list[UtilityToken]) -> tuple[str, StepPlan]:
    """What RESET does: its summary, and the step.

    Args:
        words: The statement's tokens.
    """
    texts = [word.text for word in words[1:] if word.kind is not TokenKind.SEMICOLON]
    if texts[:1] == ["all"]:
        return "RESET ALL", StepPlan(SessionVerb.RESET_ALL)
    if texts[:2] == ["session", "authorization"]:
        return "RESET SESSION AUTHORIZATION", StepPlan(SessionVerb.RESET, AUTHORIZATION)
    name = "".join(texts).lower()
    return f"RESET {name}".strip(), StepPlan(SessionVerb.RESET, name)


def _valued(name: str, words: list[UtilityToken], local: bool) -> StepPlan:
    """The step of setting a variable to what the words say."""
    if len(words) == 1 and words[0].kind is TokenKind.WORD and words[0].text == "default":
        return StepPlan(SessionVerb.RESET, name, None, local)
    if name == ROLE and words and words[0].kind is TokenKind.WORD and words[0].text == "none":
        return StepPlan(SessionVerb.RESET, name, None, local)
    operand: Operand | None = None
    parts = [word for word in words if word.text != "," and word.kind is not TokenKind.SEMICOLON]
    if len(parts) == 1:
        operand = _as_set(parts[0])
    elif len(parts) == 2 and parts[0].text in {"-", "+"}:  # noqa: PLR2004
        operand = _as_set(parts[1], parts[0].text.strip("+"))
    elif name == SEARCH_PATH and parts:
        names = [word for word in parts if word.kind in {TokenKind.WORD, TokenKind.QUOTED}]
        if len(names) == len(parts):
            operand = Operand(text=",".join(word.text for word in names))
        else:
            operand = operand_of(parts[0])
    return StepPlan(SessionVerb.SET, name, operand, local)


def _as_set(word: UtilityToken, sign: str = "") -> Operand | None:
    """A value of SET: of a number it is the text that counts, `7.50` and not `7.5`."""
    operand = operand_of(word)
    if operand is None or word.kind is not TokenKind.NUMBER:
        return None if sign else operand
    return replace(operand, cast=("setting",), sign=sign)
