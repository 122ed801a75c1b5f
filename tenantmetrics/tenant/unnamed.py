"""Why a statement names no tenant, in the words of whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from tenantmetrics.sqltext import statement_spans, tokenize
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.plan import Plan

__all__ = ["in_plain_words", "why_unnamed"]

_COMMANDS = frozenset([
    "abort", "alter", "analyze", "begin", "call", "checkpoint", "close", "cluster", "comment",
    "commit", "copy", "create", "deallocate", "declare", "delete", "discard", "do", "drop", "end",
    "execute", "explain", "fetch", "grant", "import", "insert", "listen", "load", "lock", "merge",
    "move", "notify", "prepare", "reassign", "refresh", "reindex", "release", "reset", "revoke",
    "rollback", "savepoint", "security", "select", "set", "show", "start", "table", "truncate",
    "unlisten", "update", "vacuum", "values", "with",
])  # fmt: skip
"""The first words of PostgreSQL's commands (documentation of version 18, "SQL Commands")."""
_OF_ROWS = frozenset(
    {"delete", "explain", "insert", "merge", "select", "table", "update", "values", "with"}
)
_OF_CODE = frozenset({"call", "do", "execute"})
_SHOWN_CHARS = 40


def why_unnamed(sql: str, plan: Plan, vocabulary: Vocabulary) -> Iterator[str]:
    """Why a statement that was analysed names no tenant.

    Args:
        sql: The text.
        plan: What was made of it.
        vocabulary: The names that stand for tenants.

    Yields:
        One sentence, or none where the statement is clear as it is.
    """
    if len(statement_spans(sql)) > 1:
        yield "it is several statements, and the Data API takes one a call"
        return
    first = _first_word(sql)
    command = first.lower()
    if command not in _COMMANDS:
        near = get_close_matches(command, _COMMANDS, 1)
        hint = f" (did you mean {near[0].upper()}?)" if near else ""
        yield f"it was not understood: {first[:_SHOWN_CHARS]!r} is no command of PostgreSQL{hint}"
    elif command in _OF_CODE:
        yield f"what {command.upper()} runs is not in its text"
    elif plan.tables:
        columns = ", ".join(sorted(vocabulary.columns))
        yield f"it uses no tenant column ({columns}) of its tables: {', '.join(plan.tables)}"
    elif command in _OF_ROWS:
        yield "it uses no table"
    elif not plan.steps:
        yield f"{command.upper()} says nothing of whose rows it touches"


def in_plain_words(why: str) -> str:
    """What a plan says of its failure, for somebody who does not know the parser."""
    if "ParseError" in why or "TokenError" in why:
        return "its syntax was not understood; check quotes, brackets and commas"
    return why


def _first_word(sql: str) -> str:
    """The first word, behind comments and opening parentheses."""
    for token in tokenize(sql):
        text = sql[token.start : token.end]
        if not (text.isspace() or text == "(" or text.startswith(("--", "/*"))):
            return text
    return ""
