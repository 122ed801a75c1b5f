"""Which statements make the server do no work: what such a call takes is the way there and back.

Their own server time is taken as 0, so that their mean tells what a call costs before it does
anything. They only set or show the session, begin or undo a transaction, or select constants.
COMMIT is not among them: the commit of a transaction that wrote waits for the disk.
"""

from __future__ import annotations

from sqlglot import exp

from tenantmetrics.tenant.sql.utility_tokens import Word

__all__ = ["is_workless_query", "is_workless_utility"]

_CONSTANTS = (exp.Literal, exp.Placeholder, exp.Parameter, exp.Null, exp.Boolean)
_WRAPPERS = (exp.Alias, exp.Cast, exp.Neg, exp.Paren)
# SET CONSTRAINTS runs the checks that were put off.
_WORK_OF_SET = frozenset({"constraints"})
_ALWAYS = frozenset({"begin", "reset", "show"})
_UNDOING = frozenset({"abort", "rollback"})


def is_workless_query(statement: exp.Expr) -> bool:
    """Whether a query only selects constants, parameters, or the results of `set_config`.

    Args:
        statement: A parsed statement.
    """
    if statement.__class__ is not exp.Select:
        return False
    if any(value for key, value in statement.args.items() if key != "expressions"):
        return False
    return bool(statement.expressions) and all(map(_is_constant, statement.expressions))


def _is_constant(node: exp.Expr) -> bool:
    while isinstance(node, _WRAPPERS):
        node = node.this
    if isinstance(node, _CONSTANTS):
        return True
    # Plain arguments: set_config(name, (SELECT …), true) may read anything.
    return (
        isinstance(node, exp.Anonymous)
        and str(node.this).lower() == "set_config"
        and all(map(_is_constant, node.expressions))
    )


def is_workless_utility(words: list[Word]) -> bool:
    """Whether a statement that is no query only sets, shows, begins or undoes.

    Args:
        words: Its tokens, at least one.
    """
    first = words[0].text
    texts = [word.text for word in words[1:3]]
    if first == "set":
        return not _WORK_OF_SET.intersection(texts)
    if first == "start":
        return texts[:1] == ["transaction"]
    if first in _UNDOING:
        return "prepared" not in texts
    return first in _ALWAYS
