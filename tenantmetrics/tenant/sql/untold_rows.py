"""Statements that touch rows of which their text does not tell whose they are.

TRUNCATE, CALL or `INSERT INTO b VALUES (:x)` name nobody. Alone that is all there is to say. In one
text with a statement that names a tenant they would be taken for that tenant's.
"""

from __future__ import annotations

from sqlglot import exp

from tenantmetrics.sqltext import TokenKind
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.restrictions import (
    CLEAR,
    Also,
    Either,
    Guarded,
    Joined,
    Restriction,
    Shared,
)
from tenantmetrics.tenant.sql.schema_ties import facts_of
from tenantmetrics.tenant.sql.utility_tokens import MAX_UTILITY_TOKENS, UtilityToken

__all__ = ["inserts_untold", "utility_touches_untold"]

_OF_NOBODY = frozenset(
    [
        *("abort", "begin", "commit", "end", "release", "rollback", "savepoint", "start"),
        *("deallocate", "discard", "prepare", "reset", "set", "show"),
        *("close", "listen", "lock", "notify", "unlisten"),
        *("comment", "grant", "revoke"),
    ],
)
"""Transactions, the session's own state, rights and words about tables: no rows."""
_DEFINED = frozenset(
    ["function", "policy", "procedure", "role", "rule", "trigger", "user", "view"],
)
"""What CREATE and DROP only write into the catalogue."""
_ALSO_CREATED = frozenset(["domain", "schema", "sequence", "type"])
_NOISE = frozenset(
    ["constraint", "global", "local", "or", "recursive", "replace", "temp", "temporary", "unlogged"]
)


def utility_touches_untold(words: list[UtilityToken]) -> bool:
    """Whether a statement that is no query, and holds none, may touch anybody's rows.

    Args:
        words: Its tokens, at least one.
    """
    first = words[0].text if words[0].kind is TokenKind.WORD else ""
    if first in _OF_NOBODY:
        return False
    texts = [word.text for word in words if word.kind is TokenKind.WORD]
    if first == "explain":
        # Without ANALYZE nothing is run.
        return not {"analyze", "analyse"}.isdisjoint(texts)
    if first not in {"create", "drop"}:
        return True
    kind = next((text for text in texts[1:] if text not in _NOISE), "")
    if kind in _DEFINED:
        return False
    if first == "drop":
        return True
    return kind not in _ALSO_CREATED and (kind != "table" or _fills_table(words))


def _fills_table(words: list[UtilityToken]) -> bool:
    """CREATE TABLE … AS EXECUTE, and PARTITION OF, which reads the default partition."""
    depth = 0
    for word in words:
        depth += (word.text == "(") - (word.text == ")")
        if not depth and word.kind is TokenKind.WORD and word.text in {"as", "of"}:
            return True
    return len(words) >= MAX_UTILITY_TOKENS


def inserts_untold(statement: exp.Expr, node: Restriction, vocabulary: Vocabulary) -> bool:
    """Whether a statement inserts values without a list of columns, and names nobody for them.

    Args:
        statement: The whole statement.
        node: Whom it names.
        vocabulary: The tenant's names.
    """
    if not _may_be_clear(node):
        return False
    # PostgreSQL takes changes in the statement's own WITH queries alone.
    with_ = statement.args.get("with_")
    changes = [statement, *(cte.this for cte in (with_.expressions if with_ is not None else ()))]
    return any(
        isinstance(insert, exp.Insert)
        and isinstance(insert.this, exp.Table)
        and insert.expression is not None
        and ((facts := facts_of(insert.this, vocabulary.schema)) is None or not facts.shared)
        for insert in changes
    )


def _may_be_clear(node: Restriction) -> bool:
    """Whether a node, or one of its branches, names nobody as if there were no rows."""
    if isinstance(node, Either):
        return any(map(_may_be_clear, node.branches))
    if isinstance(node, Joined):
        return all(map(_may_be_clear, node.parts))
    if isinstance(node, Also):
        return _may_be_clear(node.main)
    if isinstance(node, Shared | Guarded):
        return _may_be_clear(node.node)
    return node == CLEAR
