"""`"C1"` and `c1` are two names in PostgreSQL; the analysis reads all names in lower case.

A statement in which two sources or WITH queries differ in nothing else is not analysed.
"""

from __future__ import annotations

import re

from sqlglot import exp

__all__ = ["differ_in_case"]

_NAME = re.compile(r'"[^"]*+"|\w++')


def differ_in_case(text: str, statement: exp.Expr) -> bool:
    """Whether two of the names that columns are asked by differ only in the case of letters.

    Args:
        text: The statement.
        statement: Its tree.
    """
    found = dict.fromkeys(_NAME.findall(text))
    if all(name == name.lower() for name in found if name[0] == '"'):
        return False
    written: dict[str, str] = {}
    for name in found:
        spelt = name[1:-1] if name[0] == '"' else name.lower()
        if written.setdefault(spelt.lower(), spelt) != spelt:
            return _differ(statement)
    return False


def _differ(statement: exp.Expr) -> bool:
    names: dict[str, str] = {}
    for node in statement.find_all(exp.Table, exp.TableAlias):
        if isinstance(node, exp.Table) and node.args.get("alias") is not None:
            continue
        name = node.this
        if isinstance(name, exp.Identifier):
            folded = name.this if name.quoted else name.this.lower()
            if names.setdefault(folded.lower(), folded) != folded:
                return True
    return False
