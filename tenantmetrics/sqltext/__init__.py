"""PostgreSQL's lexical rules and the Data API's `:name` parameters.

One reading of a statement's text for everything that needs one: where literals and comments begin
and end, which `:name` is a parameter, which `;` ends a statement. Nothing here raises on any text:
what is not terminated runs to the end, and PostgreSQL itself is left to refuse it.

The rules are those of PostgreSQL's manual, "Lexical Structure", with `standard_conforming_strings`
on (the default since 9.1). A parameter is what the Data API takes for one: a colon and a name.
"""

from __future__ import annotations

from tenantmetrics.sqltext.lexer import tokenize
from tenantmetrics.sqltext.parameters import NamedParameter, is_parameter_name, parameters, rewrite
from tenantmetrics.sqltext.statements import statement_spans
from tenantmetrics.sqltext.tokens import Token, TokenKind
from tenantmetrics.sqltext.values import literals_and_comments

__all__ = [
    "NamedParameter",
    "Token",
    "TokenKind",
    "is_parameter_name",
    "literals_and_comments",
    "parameters",
    "rewrite",
    "statement_spans",
    "tokenize",
]
