"""The clauses of a statement, cut by PostgreSQL's lexical rules where no bracket is open.

Nothing is understood here but where a clause begins; whether that is right is proved in `gate`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from tenantmetrics.sqltext import TokenKind, statement_spans, tokenize

__all__ = ["Clauses", "NotCutError", "cut"]

_MAX_CHARS = 32_768
_QUERIES = frozenset({"select", "values", "table"})
_MAIN = _QUERIES | {"insert", "update", "delete", "merge"}
_KINDS = {"insert": "insert", "update": "update", "delete": "delete"} | dict.fromkeys(
    _QUERIES, "select"
)
_LEAVE = frozenset({"set_config"})
_LITERAL, _OTHER, _NULL = "literal", "other", "null"


class NotCutError(ValueError):
    """A statement that is not cut.

    Args:
        reason: Why.
        applies: Whether it is a query or a change of rows at all.
    """

    def __init__(self, reason: str, *, applies: bool = True) -> None:
        super().__init__(reason)
        self.applies = applies


@dataclass(frozen=True, slots=True, kw_only=True)
class Clauses:
    """A statement in pieces.

    Attributes:
        kind: select, insert, update, delete.
        text: The statement, without what is around it.
        leading: What stands before it: comments.
        trailing: What stands behind it: comments, a semicolon.
        head: WITH, and what stands before the source: `INSERT INTO t (a)`, `UPDATE t SET a = 1`.
        source: The query, the rows of VALUES, or what stands behind FROM or USING.
        where: The condition of an UPDATE or a DELETE.
        tail: ON CONFLICT and RETURNING.
        is_row: Whether the source is the inside of the one row of VALUES.
        is_values: Whether the source is a VALUES of several rows.
    """

    kind: str
    text: str
    leading: str
    trailing: str
    head: str
    source: str
    where: str = ""
    tail: str = ""
    is_row: bool = False
    is_values: bool = False


class _Word(NamedTuple):
    """A token that means something.

    Attributes:
        text: In lower case if it is an unquoted word, else as it is.
        kind: Of the token.
        start: Where it begins.
        end: Where it ends.
        depth: Brackets that are open around it; an opening one counts itself not.
    """

    text: str
    kind: TokenKind
    start: int
    end: int
    depth: int


def cut(sql: str) -> Clauses:
    """Cut one statement.

    Args:
        sql: Its text.

    Raises:
        NotCutError: It is none that could be gated, or nobody can be sure where its clauses are.
    """
    if len(sql) > _MAX_CHARS:
        raise NotCutError("it is too long")
    spans = statement_spans(sql)
    if len(spans) != 1:
        raise NotCutError("it is not one statement", applies=False)
    start, end = spans[0]
    words = [word for word in _words(sql) if start <= word.start < end]
    first = words[0].text
    main = _main(words) if first == "with" else 0
    lead = words[main].text
    kind = "select" if lead == "(" else _KINDS.get(lead)
    if kind is None:
        raise NotCutError(f"{lead[:20]!r} is not gated", applies=lead == "merge")
    if any(word.text in _LEAVE for word in words):
        raise NotCutError("it sets variables itself")
    pieces = _Pieces(sql, words, main, end)
    found: dict[str, Any] = getattr(pieces, kind)()
    return Clauses(
        kind=kind,
        text=sql[start:end],
        leading=sql[:start],
        trailing="\n" + sql[end:],
        **found,
    )


def _words(sql: str) -> Iterator[_Word]:
    depth = 0
    for kind, start, end in tokenize(sql):
        if kind in {TokenKind.SPACE, TokenKind.COMMENT}:
            continue
        if kind in {TokenKind.UNTERMINATED, TokenKind.POSITIONAL}:
            raise NotCutError("a literal does not end, or a parameter has no name")
        text = sql[start:end].lower() if kind is TokenKind.WORD else sql[start:end]
        opens = kind is TokenKind.SYMBOL and text in {"(", "["}
        closes = kind is TokenKind.SYMBOL and text in {")", "]"}
        depth -= closes
        if depth < 0:
            raise NotCutError("a closing bracket has no opening one")
        yield _Word(text, kind, start, end, depth)
        depth += opens
    if depth:
        raise NotCutError("a bracket is not closed")


def _main(words: list[_Word]) -> int:
    """Where the statement behind WITH begins."""
    for at, word in enumerate(words[1:], 1):
        if word.depth:
            continue
        opens = word.kind is TokenKind.SYMBOL and word.text == "("
        if (word.kind is TokenKind.WORD and word.text in _MAIN) or (
            opens and words[at - 1].text == ")"
        ):
            return at
    raise NotCutError("nothing follows WITH", applies=False)


class _Pieces:
    """Cuts the statement that begins at a word.

    Args:
        sql: The text.
        words: The statement's.
        main: Index of the first word behind WITH.
        end: Where the statement ends in the text.
    """

    def __init__(self, sql: str, words: list[_Word], main: int, end: int) -> None:
        self._sql, self._words, self._main, self._end = sql, words, main, end
        self._begin = words[0].start

    def select(self) -> dict[str, Any]:
        """All of a query is its source."""
        at = self._words[self._main].start
        return {"head": self._sql[self._begin : at], "source": self._sql[at : self._end]}

    def insert(self) -> dict[str, Any]:
        """What is inserted is the source."""
        at = self._source()
        source = self._words[at].start
        stop = self._next(at + 1, "returning", ("on", "conflict"))
        ends = self._at(stop)
        found: dict[str, Any] = {
            "head": self._sql[self._begin : source],
            "source": self._sql[source:ends],
            "tail": self._sql[ends : self._end],
        }
        if self._words[at].text != "values":
            return found
        rows = self._rows(at + 1, stop)
        if len(rows) == 1:
            opening, closing = rows[0]
            inner = self._sql[self._words[opening].end : self._words[closing].start]
            return found | {"source": inner, "is_row": True}
        return found | {"is_values": True}

    def update(self) -> dict[str, Any]:
        """What stands behind FROM is the source."""
        begin = self._next(self._main + 1, "set")
        if begin == len(self._words):
            raise NotCutError("an UPDATE has no SET")
        return self._change(begin, "from")

    def delete(self) -> dict[str, Any]:
        """What stands behind USING is the source."""
        return self._change(self._main, "using")

    def _change(self, begin: int, others: str) -> dict[str, Any]:
        returning = self._next(begin, "returning")
        where = min(self._next(begin, "where"), returning)
        source = min(self._next(begin + 1, others), where)
        if where < returning and self._words[where + 1].text == "current":
            raise NotCutError("it follows a cursor")
        return {
            "head": self._sql[self._begin : self._at(source)],
            "source": self._between(source, where),
            "where": self._between(where, returning),
            "tail": self._sql[self._at(returning) : self._end],
        }

    def _source(self) -> int:
        """The word that an INSERT's rows begin with."""
        for at in range(self._main + 2, len(self._words)):
            word = self._words[at]
            if word.depth or word.kind not in {TokenKind.WORD, TokenKind.SYMBOL}:
                continue
            if word.text == "default":
                raise NotCutError("it inserts nothing but defaults")
            if word.text in _QUERIES | {"with"}:
                return at
            if word.text == "(" and self._words[at + 1].text in _QUERIES | {"with", "("}:
                return at
        raise NotCutError("an INSERT has no rows")

    def _rows(self, begin: int, stop: int) -> list[tuple[int, int]]:
        """The brackets of VALUES' rows; columns of many rows need one type each."""
        found: list[tuple[int, int]] = []
        opening = -1
        for at in range(begin, stop):
            word = self._words[at]
            if word.depth == 0 and word.text == "(" and opening < 0 and self._parts(begin, at):
                opening = at
            elif word.depth == 0 and word.text == ")" and opening >= 0:
                found.append((opening, at))
                opening = -1
            elif word.depth == 0 and word.text != ",":
                raise NotCutError("VALUES is followed by something else")
        items = [self._items(*row) for row in found]
        if not items or any(word == "default" for row in items for word in row):
            raise NotCutError("a row of VALUES has a DEFAULT")
        if len(items) > 1 and not all(_one_type(set(kinds)) for kinds in zip(*items, strict=False)):
            raise NotCutError("a column of VALUES has literals and others")
        return found

    def _parts(self, begin: int, at: int) -> bool:
        return at == begin or self._words[at - 1].text == ","

    def _items(self, opening: int, closing: int) -> list[str]:
        """What each column of a row is: a literal, NULL, DEFAULT, or something else."""
        found: list[str] = []
        item: list[_Word] = []
        for word in self._words[opening + 1 : closing + 1]:
            if (word.depth == 1 and word.text == ",") or word.depth == 0:
                found.append(_kind(item))
                item = []
            else:
                item.append(word)
        return found

    def _next(self, begin: int, *clauses: str | tuple[str, str]) -> int:
        """The first word outside of brackets that begins one of the clauses."""
        for at in range(begin, len(self._words)):
            word = self._words[at]
            if word.depth or word.kind is not TokenKind.WORD:
                continue
            if word.text == "from" and self._words[at - 1].text == "distinct":
                continue  # IS DISTINCT FROM
            following = self._words[at + 1].text if at + 1 < len(self._words) else ""
            if word.text in clauses or (word.text, following) in clauses:
                return at
        return len(self._words)

    def _at(self, index: int) -> int:
        return self._words[index].start if index < len(self._words) else self._end

    def _between(self, index: int, stop: int) -> str:
        """The text of a clause behind its word; empty where there is none."""
        return self._sql[self._words[index].end : self._at(stop)] if index < stop else ""


def _kind(item: list[_Word]) -> str:
    if len(item) != 1:
        return _OTHER
    word = item[0]
    if word.kind is TokenKind.STRING:
        return _LITERAL
    return word.text if word.text in {"default", _NULL} else _OTHER


def _one_type(kinds: set[str]) -> bool:
    """Whether a column has one type whichever way it is found.

    A literal's type is the column's in VALUES of INSERT, and text or that of its neighbours in a
    query. Where text is not the column's type PostgreSQL refuses it; neighbours could change it.
    """
    return not {_LITERAL, _OTHER} <= kinds
