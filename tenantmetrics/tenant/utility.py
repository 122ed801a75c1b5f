"""Statements that are no query: SET, RESET, savepoints, COMMIT, EXPLAIN and the rest.

Read from the tokens, because their grammar is small and the SQL parser does not know half of it.
Of a statement that wraps a query (EXPLAIN, DECLARE … CURSOR FOR, CREATE TABLE … AS, CALL), the
query is given back to be analysed: it does run, as that tenant.
"""

from __future__ import annotations

from typing import NamedTuple

from tenantmetrics.records import Misuse, SessionVerb
from tenantmetrics.sqltext import TokenKind, tokenize
from tenantmetrics.tenant.operands import Operand
from tenantmetrics.tenant.plan import StepPlan
from tenantmetrics.tenant.session import ROLE, SEARCH_PATH
from tenantmetrics.tenant.skeleton import slot_of_number, slot_of_string

__all__ = ["Utility", "Word", "is_query", "operand_of", "read", "words_of"]

_QUERIES = frozenset({"select", "with", "insert", "update", "delete", "merge", "values", "table"})
_NOISE = frozenset({"work", "transaction"})
_OF_TWO = frozenset(
    [
        "alter",
        "analyze",
        "close",
        "comment",
        "copy",
        "create",
        "deallocate",
        "discard",
        "drop",
        "fetch",
        "grant",
        "lock",
        "move",
        "prepare",
        "refresh",
        "reindex",
        "reset",
        "revoke",
        "set",
        "show",
        "start",
        "truncate",
        "vacuum",
    ],
)


class Word(NamedTuple):
    """A token of substance.

    Attributes:
        kind: What it is.
        text: As written; a word or quoted name as PostgreSQL folds it.
        start: Where it begins in the text.
    """

    kind: TokenKind
    text: str
    start: int


class Utility(NamedTuple):
    """What a statement that is no query does.

    Attributes:
        summary: Its kind and target, without values.
        steps: What it does to its session.
        misuses: What the text alone shows.
        inner: Index in the text where a query begins that it runs, -1 if there is none.
        runs: Whether the inner query is executed, and not only planned.
        prefix: What stands before the inner query in the summary.
        call: The inner text is a procedure's call, `SELECT` is to be put before it.
    """

    summary: str
    steps: tuple[StepPlan, ...] = ()
    misuses: tuple[Misuse, ...] = ()
    inner: int = -1
    runs: bool = True
    prefix: str = ""
    call: bool = False


def words_of(template: str, limit: int = 400) -> list[Word]:
    """The first tokens of substance of a template, names folded.

    Args:
        template: SQL without comments, literals replaced by slots.
        limit: How many at most; no utility statement needs more.
    """
    found: list[Word] = []
    for kind, start, end in tokenize(template):
        if kind is TokenKind.SPACE or kind is TokenKind.COMMENT:
            continue
        text = template[start:end]
        if kind is TokenKind.WORD:
            text = text.lower()
        elif kind is TokenKind.QUOTED:
            text = text[text.index('"') + 1 : -1].replace('""', '"')
        found.append(Word(kind, text, start))
        if len(found) >= limit:
            break
    return found


def is_query(words: list[Word]) -> bool:
    """Whether a statement is for the SQL parser."""
    for word in words:
        if word.text != "(":
            return word.kind is TokenKind.WORD and word.text in _QUERIES
    return False


def read(words: list[Word]) -> Utility:
    """Read a statement that is no query.

    Args:
        words: Its tokens, at least one.
    """
    first = words[0].text if words[0].kind is TokenKind.WORD else ""
    texts = [word.text for word in words]
    if first == "set":
        return _set(words)
    if first == "reset":
        return _reset(texts)
    if first == "discard":
        everything = texts[1:2] == ["all"]
        # The role too, which RESET ALL leaves.
        steps = (StepPlan(SessionVerb.RESET_ALL), StepPlan(SessionVerb.RESET, ROLE))
        return Utility(_summary(words), steps if everything else ())
    if first in {"explain", "declare", "create", "call", "prepare"}:
        return _wrapping(first, words)
    return _transaction(first, texts) or Utility(_summary(words))


def _transaction(first: str, texts: list[str]) -> Utility | None:
    rest = [text for text in texts[1:] if text not in _NOISE]
    prepared = rest[:1] == ["prepared"]
    step: StepPlan | None = None
    misuses: tuple[Misuse, ...] = ()
    if first == "begin" or (first == "start" and texts[1:2] == ["transaction"]):
        step = StepPlan(SessionVerb.BEGIN)
    elif first in {"commit", "end"} and not prepared:
        step, misuses = StepPlan(SessionVerb.COMMIT), (Misuse.COMMIT_AS_SQL,)
    elif first == "savepoint" and rest:
        step = StepPlan(SessionVerb.SAVEPOINT, rest[0])
    elif first == "release" and rest:
        step = StepPlan(
            SessionVerb.RELEASE, rest[1] if rest[0] == "savepoint" and rest[1:] else rest[0]
        )
    elif first in {"rollback", "abort"} and not prepared:
        if rest[:1] == ["to"]:
            name = next((text for text in rest[1:] if text != "savepoint"), "savepoint")
            step = StepPlan(SessionVerb.ROLLBACK_TO, name)
        else:
            step = StepPlan(SessionVerb.ROLLBACK)
    if step is None:
        return None
    summary = {"release": "RELEASE", "start": "START TRANSACTION"}.get(first, first.upper())
    if step.verb is SessionVerb.ROLLBACK_TO:
        summary = "ROLLBACK TO"
    return Utility(summary, (step,), misuses)


def _set(words: list[Word]) -> Utility:
    """SET [SESSION | LOCAL] name {TO | =} value, SET ROLE, SET SESSION AUTHORIZATION."""
    rest = words[1:]
    local = bool(rest) and rest[0].text == "local" and rest[0].kind is TokenKind.WORD
    session = bool(rest) and rest[0].text == "session" and rest[0].kind is TokenKind.WORD
    prefix = "SET LOCAL" if local else "SET"
    if local or session:
        rest = rest[1:]
    if not rest:
        return Utility(prefix)
    first = rest[0].text
    if first in {"transaction", "characteristics", "constraints", "time"}:
        return Utility(f"{prefix} {first.upper()}")
    if first == "role":
        return Utility(f"{prefix} ROLE", (_valued(ROLE, rest[1:], local),))
    if first == "authorization":
        # Another user altogether; the role in use is theirs.
        return Utility("SET SESSION AUTHORIZATION", (StepPlan(SessionVerb.RESET, ROLE),))
    name, position = _name(rest)
    if position < len(rest) and rest[position].text in {"=", "to"}:
        return Utility(f"{prefix} {name}", (_valued(name, rest[position + 1 :], local),))
    return Utility(f"{prefix} {name}")


def _name(words: list[Word]) -> tuple[str, int]:
    """A name with dots, and how many tokens it takes. Variables' names ignore case."""
    parts = [words[0].text]
    position = 1
    while position + 1 < len(words) and words[position].text == ".":
        parts.append(words[position + 1].text)
        position += 2
    return ".".join(parts).lower(), position


def _valued(name: str, words: list[Word], local: bool) -> StepPlan:
    """The step of setting a variable to what the words say."""
    if len(words) == 1 and words[0].kind is TokenKind.WORD and words[0].text == "default":
        return StepPlan(SessionVerb.RESET, name, None, local)
    if name == ROLE and words and words[0].kind is TokenKind.WORD and words[0].text == "none":
        return StepPlan(SessionVerb.RESET, name, None, local)
    operand: Operand | None = None
    parts = [word for word in words if word.text != "," and word.kind is not TokenKind.SEMICOLON]
    if len(parts) == 1:
        operand = operand_of(parts[0])
    elif len(parts) == 2 and parts[0].text == "-":  # noqa: PLR2004
        operand = operand_of(parts[1])
        if operand is not None:
            operand = Operand(slot=operand.slot, text=operand.text, sign="-")
    elif name == SEARCH_PATH and parts:
        names = [word for word in parts if word.kind in {TokenKind.WORD, TokenKind.QUOTED}]
        if len(names) == len(parts):
            operand = Operand(text=",".join(word.text for word in names))
        else:
            operand = operand_of(parts[0])
    return StepPlan(SessionVerb.SET, name, operand, local)


def operand_of(word: Word) -> Operand | None:
    """The value that one token is, None if it is none."""
    if word.kind is TokenKind.STRING:
        slot = slot_of_string(word.text[1:-1])
        return Operand(slot=slot) if slot is not None else None
    if word.kind is TokenKind.NUMBER:
        slot = slot_of_number(word.text)
        return Operand(slot=slot) if slot is not None else Operand(text=word.text)
    if word.kind is TokenKind.PARAMETER:
        return Operand(parameter=word.text[1:])
    return Operand(text=word.text) if word.kind in {TokenKind.WORD, TokenKind.QUOTED} else None


def _reset(texts: list[str]) -> Utility:
    if texts[1:2] == ["all"]:
        return Utility("RESET ALL", (StepPlan(SessionVerb.RESET_ALL),))
    if texts[1:3] == ["session", "authorization"]:
        return Utility("RESET SESSION AUTHORIZATION", (StepPlan(SessionVerb.RESET, ROLE),))
    name = "".join(text for text in texts[1:] if text != ";").lower()
    return Utility(f"RESET {name}".strip(), (StepPlan(SessionVerb.RESET, name),))


def _wrapping(first: str, words: list[Word]) -> Utility:
    """A statement around a query, which begins at the first word of one outside parentheses."""
    if first == "call" and len(words) > 1:
        return Utility("CALL", inner=words[1].start, prefix="CALL", call=True)
    depth = 0
    after = first == "explain"
    analyze = False
    for word in words[1:]:
        depth += (word.text == "(") - (word.text == ")")
        if word.kind is not TokenKind.WORD:
            continue
        analyze = analyze or (first == "explain" and word.text in {"analyze", "analyse"})
        if depth > 0:
            continue
        if first == "create" and word.text in {"function", "procedure", "view", "policy", "rule"}:
            break
        if after and word.text in _QUERIES:
            if first == "create":
                return Utility("", inner=word.start, prefix=_summary(words))
            prefix = first.upper() if first != "declare" else "DECLARE"
            return Utility("", inner=word.start, runs=analyze or first != "explain", prefix=prefix)
        after = after or word.text == ("for" if first == "declare" else "as")
        if first == "prepare":
            break
    return Utility(_summary(words))


def _summary(words: list[Word]) -> str:
    """The first word or two, and the name of what they are about. Never a value."""
    parts = [words[0].text.upper()] if words[0].kind is TokenKind.WORD else []
    if not parts:
        return ""
    if words[0].text in _OF_TWO and len(words) > 1 and words[1].kind is TokenKind.WORD:
        rest = words[1:]
        noise = {"or", "replace", "temp", "temporary", "unlogged", "unique", "concurrently", "only"}
        rest = [word for word in rest if word.text not in noise]
        if words[0].text in {"truncate", "lock", "analyze", "vacuum", "comment", "copy"}:
            if rest and rest[0].text in {"table", "on"}:
                rest = rest[1:]
        elif rest:
            parts.append(rest[0].text.upper())
            rest = rest[1:]
        names = {"if", "not", "exists"}
        rest = [word for word in rest if word.text not in names]
        if rest and words[0].text in {"create", "drop", "alter", "truncate", "lock", "refresh"}:
            name, _ = _name(rest)
            if rest[0].kind in {TokenKind.WORD, TokenKind.QUOTED}:
                parts.append(name)
    return " ".join(parts)
