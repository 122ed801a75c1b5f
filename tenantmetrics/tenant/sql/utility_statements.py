"""Statements that are no query: SET, RESET, savepoints, COMMIT, EXPLAIN and the rest.

Read from the tokens, because their grammar is small and the SQL parser does not know half of it.
Of a statement that wraps a query (EXPLAIN, DECLARE … CURSOR FOR, CREATE TABLE … AS, CALL), the
query is given back to be analysed: it does run, as that tenant.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from tenantmetrics.records import Misuse, SessionVerb
from tenantmetrics.sqltext import TokenKind
from tenantmetrics.tenant.session.session_variables import AUTHORIZATION
from tenantmetrics.tenant.sql.plan import StepPlan
from tenantmetrics.tenant.sql.set_statements import read_reset, read_set
from tenantmetrics.tenant.sql.utility_tokens import UtilityToken, dotted_name, operand_of

__all__ = ["QUERIES", "Utility", "read_utility"]

QUERIES = frozenset({"select", "with", "insert", "update", "delete", "merge", "values", "table"})
_DEFINED = frozenset({"function", "procedure", "view", "policy", "rule"})
"""What CREATE … AS only defines."""
_CHAINED = frozenset({SessionVerb.COMMIT, SessionVerb.ROLLBACK})
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


class Utility(NamedTuple):
    """What a statement that is no query does.

    Attributes:
        summary: Its kind and target, without values.
        steps: What it does to its session.
        misuses: What the text alone shows.
        inner: Index in the text where a query begins that it runs, -1 if there is none.
        end: Index behind that query, None where it ends with the text.
        runs: Whether the inner query is executed, and not only planned.
        prefix: What stands before the inner query in the summary.
        call: The inner text is a procedure's call, `SELECT` is to be put before it.
        workless: Running it is free in the database.
    """

    summary: str
    steps: tuple[StepPlan, ...] = ()
    misuses: tuple[Misuse, ...] = ()
    inner: int = -1
    end: int | None = None
    runs: bool = True
    prefix: str = ""
    call: bool = False
    workless: bool = False


def read_utility(words: list[UtilityToken]) -> Utility:  # noqa: PLR0911, C901 - one kind a line
    """Read a statement that is no query.

    Args:
        words: Its tokens, at least one.
    """
    first = words[0].text if words[0].kind is TokenKind.WORD else ""
    texts = [word.text for word in words]
    if first == "set":
        summary, step = read_set(words)
        # SET CONSTRAINTS … IMMEDIATE makes up for the checks that were deferred.
        workless = "constraints" not in texts[1:2]
        return Utility(summary, (step,) if step is not None else (), workless=workless)
    if first == "reset":
        summary, reset = read_reset(words)
        return Utility(summary, (reset,), workless=True)
    if first == "show":
        return Utility(_summary(words), workless=True)
    if first == "discard":
        everything = texts[1:2] == ["all"]
        # The role too, which RESET ALL leaves.
        steps = (StepPlan(SessionVerb.RESET_ALL), StepPlan(SessionVerb.RESET, AUTHORIZATION))
        return Utility(_summary(words), steps if everything else ())
    if texts[:2] == ["prepare", "transaction"]:
        # What was set without LOCAL stays, as with COMMIT.
        step = StepPlan(SessionVerb.COMMIT)
        return Utility(_summary(words), (step,), (Misuse.COMMIT_AS_SQL,))
    if first == "prepare":
        return _wrapping(first, words)
    if (executed := _executed(first, texts)) is not None:
        return Utility(_summary(words), (StepPlan(SessionVerb.EXECUTE, executed),))
    if first in {"fetch", "move"}:
        return Utility(_summary(words), (StepPlan(SessionVerb.EXECUTE),))
    if first == "call" and len(words) > 1:
        return Utility("CALL", inner=words[1].start, prefix="CALL", call=True)
    if first == "copy":
        return _copied(words)
    if first in {"explain", "declare", "create"}:
        return _wrapping(first, words)
    if first == "do":
        bodies = [word for word in words if word.kind is TokenKind.STRING]
        block = tuple(StepPlan(SessionVerb.SET, body=operand_of(body)) for body in bodies[:1])
        return Utility("DO", block)
    return _transaction(first, texts) or Utility(_summary(words))


def _executed(first: str, texts: list[str]) -> str | None:
    """The name of the prepared statement that is run; None where none is."""
    if "execute" not in texts:
        return None
    place = texts.index("execute")
    before = texts[:place]
    if first == "explain":
        runs = ("analyze" in before or "analyse" in before) and QUERIES.isdisjoint(before)
    else:
        runs = not before or (first == "create" and before[-1] == "as")
    return next(iter(texts[place + 1 :]), "?") if runs else None


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
    # COMMIT AND CHAIN begins the next transaction at once.
    chained = step.verb in _CHAINED and rest[-2:] == ["and", "chain"]
    steps = (step, StepPlan(SessionVerb.BEGIN)) if chained else (step,)
    summary = {"release": "RELEASE", "start": "START TRANSACTION"}.get(first, first.upper())
    if step.verb is SessionVerb.ROLLBACK_TO:
        summary = "ROLLBACK TO"
    # COMMIT writes what the transaction did to the log.
    return Utility(summary, steps, misuses, workless=step.verb is not SessionVerb.COMMIT)


def _wrapping(first: str, words: list[UtilityToken]) -> Utility:
    """A statement around a query, which begins at the first word of one outside parentheses."""
    depth, opening = 0, -1
    after = first == "explain"
    analyze = False
    for before, word in pairwise(words):
        if word.text == "(":
            # Where parentheses around nothing but a query begin, as in EXPLAIN (SELECT …).
            opening = opening if before.text == "(" else word.start
            depth += 1
        depth -= word.text == ")"
        if word.kind is not TokenKind.WORD:
            continue
        analyze = analyze or (first == "explain" and word.text in {"analyze", "analyse"})
        if before.text in {"analyze", "analyse"} and word.text in {"false", "off"}:
            analyze = False
        if depth > 0 and before.text != "(":
            continue
        if after and word.text in QUERIES:
            inner = opening if depth > 0 else word.start
            if first == "create":
                return _created(words, inner)
            runs = analyze or first != "explain"
            return Utility("", inner=inner, runs=runs, prefix=first.upper())
        after = after or word.text == ("for" if first == "declare" else "as")
        if first == "prepare" or (first == "create" and word.text in _DEFINED):
            break
    return Utility(_summary(words))


_CHANGES = frozenset({"insert", "update", "delete", "merge"})


def _copied(words: list[UtilityToken]) -> Utility:
    """`COPY (SELECT …) TO …`, or a table's."""
    end = _closing(words[1:])
    if end and words[2].text in _CHANGES:
        # The parser takes no brackets around a change.
        return Utility("COPY", inner=words[2].start, end=end - 1, prefix="COPY")
    return Utility("COPY", inner=words[1].start if end else -1, end=end, prefix="COPY")


def _created(words: list[UtilityToken], inner: int) -> Utility:
    """`CREATE TABLE … AS SELECT … WITH NO DATA`."""
    last = [word.text for word in words[-3:]]
    end, runs = None, True
    if last == ["with", "no", "data"]:
        end, runs = words[-3].start, False
    elif last[-2:] == ["with", "data"]:
        end = words[-2].start
    return Utility("", inner=inner, end=end, runs=runs, prefix=_summary(words))


def _closing(words: list[UtilityToken]) -> int | None:
    """Index behind the parenthesis that closes the one these words begin with; None without."""
    depth = 0
    for word in words:
        depth += (word.text == "(") - (word.text == ")")
        if depth <= 0:
            return word.start + 1 if word.text == ")" else None
    return None


def _summary(words: list[UtilityToken]) -> str:
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
            name, _ = dotted_name(rest)
            if rest[0].kind in {TokenKind.WORD, TokenKind.QUOTED}:
                parts.append(name)
    return " ".join(parts)
