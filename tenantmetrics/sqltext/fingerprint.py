"""A statement's fingerprint: one number for our text of it and for `pg_stat_statements`' text.

The client writes `WHERE id = :id AND kind = 'a'`, the view shows `where id = $1 AND kind = $2`.
Both are cut into tokens, and what may differ between the two is folded:

- white space, comments, the case of words, a trailing `;`;
- values: literals in any notation, numbers with their sign, TRUE, FALSE, NULL, `:name`, `$1`,
  psycopg's `%s` and `%(name)s`, with the cast or the type's name that belongs to them;
- lists: `?, ?, ?` is one value, `(…), (…)` with the same inside is one row. PostgreSQL 18 folds
  lists too, and writes `IN ($1 /*, ... */)`;
- words that PostgreSQL reads as values: `EXTRACT(year FROM ...)`, `LIMIT ALL`, `IS NFC NORMALIZED`;
- what SET sets a variable to, and the name of a savepoint, of a prepared statement or of a cursor,
  which drivers make up anew for each.

Two statements that differ only in these have one fingerprint: they are one statement with other
values. Nothing of the text can be had back from the number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from operator import length_hint

from tenantmetrics.sqltext.kept import KeptTokens
from tenantmetrics.sqltext.lexer import plain_tokens, tokenize
from tenantmetrics.sqltext.tokens import Token, TokenKind

__all__ = ["MAX_TEXT", "fingerprint", "fingerprint_of"]

MAX_TEXT = 65_536
"""Characters of a text that are read: the Data API takes no longer one (its API reference,
ExecuteStatement, `sql`). It bounds the time that a text from elsewhere can take."""

_VALUE = "?"
_CAST = "::"
_VALUES = frozenset(
    {TokenKind.STRING, TokenKind.NUMBER, TokenKind.PARAMETER, TokenKind.POSITIONAL},
)
_PASSED_OVER = frozenset(
    {TokenKind.SPACE, TokenKind.COMMENT, TokenKind.SEMICOLON, TokenKind.UNTERMINATED},
)
_PAIRS = frozenset({"::", ":=", ".."})
_CONSTANTS = frozenset({"true", "false", "null"})
_OPENING = {")": "(", "]": "["}
_SIMPLE_NAME = re.compile(r'"([a-z_][a-z0-9_]*)"')
# A literal directly behind a word: the view then shows SELECT$1, which reads as one word.
_VALUE_IN_WORD = re.compile(r"\$[0-9]+")
_FORMATTED = re.compile(r"%(?:[sbt](?![A-Za-z0-9_])|\([^()]*\)[sbt](?![A-Za-z0-9_]))")
# Types whose name may stand before a literal (DATE '2026-11-28'), and what may follow the first
# word of a type's name.
_BEFORE_LITERAL = frozenset(
    [
        *("bigint", "bit", "bool", "boolean", "box", "bytea", "char", "cidr", "circle", "date"),
        *("decimal", "float", "inet", "int", "integer", "interval", "json", "jsonb", "line"),
        *("lseg", "macaddr", "money", "numeric", "path", "point", "polygon", "real", "smallint"),
        *("text", "time", "timestamp", "timestamptz", "timetz", "uuid", "varchar", "xml", "zone"),
    ]
)
_LONGER_TYPES = frozenset(
    {"bit", "char", "character", "double", "national", "time", "timestamp"},
)
_TYPE_WORDS = frozenset(
    {"char", "character", "precision", "time", "varying", "with", "without", "zone"},
)
_NAME_FOLLOWS = frozenset({"deallocate", "release", "savepoint"})
_CURSOR_IS_LAST = frozenset({"close", "fetch", "move"})
_NORMAL_FORMS = frozenset({"nfc", "nfd", "nfkc", "nfkd"})
_MAY_BE_VALUES = frozenset({"extract", "all"}) | _NORMAL_FORMS
_FOLDED = frozenset({_VALUE, _CAST, "(", "[", ")", "]"})
_NO_VARIABLE = frozenset({"constraints", "role", "transaction"})


def fingerprint(sql: str) -> int:
    """The fingerprint of a statement.

    Args:
        sql: Its text: the client's, or the view's.

    Returns:
        A number from 1 to 2**63 - 1; 0 for a text without any token.
    """
    return _number(_simplified(sql[:MAX_TEXT]))


def fingerprint_of(tokens: list[str]) -> int:
    """The fingerprint of a text whose tokens are known.

    Args:
        tokens: What `lexer.plain_tokens` gives.
    """
    return _number(_simplified_plain(tokens))


def _number(simplified: list[str]) -> int:
    tokens = _without_names(_fold(_words_as_values(simplified)))
    if not tokens:
        return 0
    digest = blake2b(" ".join(tokens).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % (2**63 - 1) + 1


def _simplified(sql: str) -> list[str]:
    """Words and symbols in one notation, every value as `?`."""
    if (plain := plain_tokens(sql)) is not None:
        return _simplified_plain(plain)
    if "%" in sql:
        sql = _without_percents(sql)
    found: list[str] = []
    for kind, start, end in tokenize(sql):
        if kind in _PASSED_OVER:
            continue
        text = sql[start:end]
        if kind in _VALUES:
            found.append(_VALUE)
        elif kind is TokenKind.WORD:
            _add_word(found, text.lower())
        elif kind is TokenKind.QUOTED:
            simple = _SIMPLE_NAME.fullmatch(text)
            found.append(simple.group(1) if simple else text)
        else:
            found.append(text)
    return found


class _Simple(KeptTokens):
    """Tokens of plain texts as `_simplified` has them; empty for a `;`."""

    def told(self, token: str) -> str:
        """One token, whose first character tells what it is."""
        first = token[0]
        if first.isalpha() or first == "_" or first > "\x7f":
            return token.lower()
        if first in "'0123456789" or (first in ":." and len(token) > 1 and token not in _PAIRS):
            return _VALUE
        if first == '"':
            simple = _SIMPLE_NAME.fullmatch(token)
            return simple.group(1) if simple else token
        return "" if first == ";" else token


_SIMPLE_TOKENS = _Simple()


def _simplified_plain(tokens: list[str]) -> list[str]:
    """The same for tokens whose first characters tell what they are."""
    found = list(map(_SIMPLE_TOKENS.__getitem__, tokens))
    if not _CONSTANTS.isdisjoint(found):
        found, all_of = [], found
        for word, token in zip(all_of, tokens, strict=True):
            if word in _CONSTANTS and token[0] != '"':
                _add_word(found, word)
            else:
                found.append(word)
    return [word for word in found if word] if "" in found else found


def _add_word(found: list[str], word: str) -> None:
    """A word, or the value that it is."""
    if word in _CONSTANTS:
        # IS NULL and IS NOT TRUE are tests; everywhere else these are constants.
        last = found[-2:]
        test = last[-1:] == ["is"] or last == ["is", "not"]
        found.append(word if test else _VALUE)
        return
    if "$" not in word:
        found.append(word)
        return
    for number, part in enumerate(_VALUE_IN_WORD.split(word)):
        if number:
            found.append(_VALUE)
        # N'x' becomes N$1.
        if part and part != "n":
            found.append(part)


def _words_as_values(tokens: list[str]) -> list[str]:
    """The tokens with `?` for words that are constants to PostgreSQL's grammar, as the view has."""
    if _MAY_BE_VALUES.isdisjoint(tokens):
        return tokens
    if "extract" in tokens:
        tokens = [
            _VALUE
            if tokens[at - 2 : at] == ["extract", "("] and tokens[at + 1 : at + 2] == ["from"]
            else word
            for at, word in enumerate(tokens)
        ]
    if "all" in tokens:
        tokens = [
            _VALUE if word == "all" and tokens[at - 1 : at] == ["limit"] else word
            for at, word in enumerate(tokens)
        ]
    if not _NORMAL_FORMS.isdisjoint(tokens):
        tokens = [
            _VALUE
            if word in _NORMAL_FORMS
            and (
                tokens[at + 1 : at + 2] == ["normalized"]
                or (tokens[at - 1 : at] == [","] and tokens[at + 1 : at + 2] == [")"])
            )
            else word
            for at, word in enumerate(tokens)
        ]
    return tokens


def _without_percents(sql: str) -> str:
    """The text with psycopg's placeholders as `$1` and its `%%` as `%`, outside literals."""

    def pieces() -> Iterator[str]:
        # From here on a symbol is skipped that a placeholder has taken.
        taken = 0
        last: Token | None = None
        for token in tokenize(sql):
            if token.start < taken:
                continue
            if sql[token.start] == "%" and token.kind is TokenKind.SYMBOL:
                placeholder = _FORMATTED.match(sql, token.start)
                if placeholder is not None:
                    taken = placeholder.end()
                    yield " $1 "
                    continue
                doubled = last is not None and last.end == token.start
                if doubled and last is not None and sql[last.start] == "%":
                    last = None
                    continue
            last = token
            yield sql[token.start : token.end]

    return "".join(pieces())


def _fold(tokens: list[str]) -> list[str]:
    """Values with their signs and casts as one, lists of values and of equal rows as one each."""
    folded: list[str] = []
    opened: list[int] = []
    rest = iter(tokens)
    for token in rest:
        if token not in _FOLDED:
            folded.append(token)
        elif token == _VALUE:
            _fold_value(folded)
        elif token == _CAST and folded and folded[-1] == _VALUE:
            at = len(tokens) - length_hint(rest)
            for _ in range(at, _past_type(tokens, at)):
                next(rest, None)
        elif token in ("(", "["):
            opened.append(len(folded))
            folded.append(token)
        elif token in (")", "]"):
            folded.append(token)
            if opened:
                _fold_brackets(folded, opened.pop())
        else:
            folded.append(token)
    return folded


def _fold_value(folded: list[str]) -> None:
    """A value joins its sign, its type's name and the values before it."""
    while folded and folded[-1] == "-":
        folded.pop()
    while folded and folded[-1] in _BEFORE_LITERAL:
        word = folded.pop()
        if word == "zone":
            _drop_words(folded)
    if folded[-1:] == [_VALUE] or folded[-2:] == [_VALUE, ","]:
        # 'a' <newline> 'b' is one literal; a list of values is one value.
        if folded[-1] == ",":
            folded.pop()
        return
    folded.append(_VALUE)


def _drop_words(folded: list[str]) -> None:
    """Drop TIME or TIMESTAMP, WITH or WITHOUT, of `TIMESTAMP WITH TIME ZONE '…'`."""
    while folded and folded[-1] in ("time", "timestamp", "with", "without"):
        folded.pop()


def _fold_brackets(folded: list[str], start: int) -> None:
    """What to fold when a bracket closes: `CAST(? AS type)`, or a row like the one before."""
    inside = folded[start + 1 : start + 3]
    if inside == [_VALUE, "as"] and folded[start - 1 : start] == ["cast"]:
        del folded[start - 1 :]
        _fold_value(folded)
        return
    if start and folded[start - 1] == ",":
        length = len(folded) - start
        before = start - 1 - length
        if before >= 0 and folded[before : start - 1] == folded[start:]:
            del folded[start - 1 :]


def _past_type(tokens: list[str], at: int) -> int:
    """Where the type that begins at `at` ends."""
    count = len(tokens)
    word = tokens[at] if at < count else ""
    at += 1
    while at + 1 < count and tokens[at] == ".":
        at += 2
    longer = word in _LONGER_TYPES
    while at < count:
        if longer and tokens[at] in _TYPE_WORDS:
            at += 1
        elif tokens[at] in _OPENING.values():
            closing = ")" if tokens[at] == "(" else "]"
            while at < count and tokens[at] != closing:
                at += 1
            at += 1
        else:
            break
    return at


def _without_names(tokens: list[str]) -> list[str]:
    """Utility statements without the values and names that differ from one use to the next."""
    first = tokens[0] if tokens else ""
    if first in _NAME_FOLLOWS:
        return [first, _VALUE] if len(tokens) > 1 else tokens
    if len(tokens) > 1 and (first == "declare" or first in _CURSOR_IS_LAST):
        at = 1 if first == "declare" else len(tokens) - 1
        return [*tokens[:at], _VALUE, *tokens[at + 1 :]]
    if first == "rollback" and "to" in tokens:
        return [first, "to", _VALUE]
    if first != "set" or any(word in _NO_VARIABLE for word in tokens[1:3]):
        return tokens
    for at, token in enumerate(tokens):
        if token in ("=", "to"):
            return [*tokens[:at], "=", _VALUE]
    return tokens
