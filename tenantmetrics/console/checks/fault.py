"""What a check has found, and the error of the parsers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

__all__ = ["Fault", "Syntax", "Token", "Tokens", "load_json", "tokens"]


class Fault(NamedTuple):
    """One thing that is wrong.

    Attributes:
        file: The file it is in.
        place: The widget, alarm or panel, by its title or name.
        what: What is wrong and what is allowed.
    """

    file: str
    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.place}: {self.what}"


class Syntax(Exception):  # noqa: N818 - never leaves the checks; they make a Fault of it
    """A text does not parse; the message is one line."""


class Token(NamedTuple):
    """A word of a text, its kind, and the column it starts in, from 1."""

    kind: str
    text: str
    column: int


class Tokens:
    """A list of tokens that is read from left to right."""

    def __init__(self, found: list[Token]) -> None:
        self._found = found
        self._next = 0

    @property
    def now(self) -> Token:
        """The token that comes next; its kind is "end" after the last."""
        return self._found[self._next]

    def take(self) -> Token:
        """The next token, passed over."""
        token = self.now
        if token.kind != "end":
            self._next += 1
        return token

    def accept(self, *texts: str) -> Token | None:
        """The next token if it is one of these words (upper case) or signs."""
        if self.now.kind != "text" and self.now.text.upper() in texts:
            return self.take()
        return None

    def expect(self, text: str, after: str) -> Token:
        """The next token, which must be this.

        Raises:
            Syntax: It is another.
        """
        token = self.accept(text)
        if token is None:
            raise Syntax(f"{text} expected after {after}, {self.found()}")
        return token

    def found(self) -> str:
        """The next token in words, for an error."""
        if self.now.kind == "end":
            return "but the text ends"
        return f"but found {self.now.text!r} at column {self.now.column}"


def tokens(text: str, pattern: re.Pattern[str]) -> Tokens:
    """Cut a text into tokens.

    Args:
        text: What to cut.
        pattern: Alternatives with a named group for each kind; "space" is passed over.

    Raises:
        Syntax: A character belongs to no token, most often a quote that is not closed.
    """
    return Tokens([*_cut(text, pattern), Token("end", "", len(text) + 1)])


def load_json(text: str) -> Any:
    """JSON as AWS and Grafana read it: no NaN, and no name twice in one object.

    Raises:
        ValueError: It is not; one line that says where or what.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(
                f"{twice!r} is a duplicate key in one object: only the last one counts"
            )
        return found

    def no_number(word: str) -> NoReturn:
        raise ValueError(f"{word} is not a number in JSON")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _cut(text: str, pattern: re.Pattern[str]) -> Iterator[Token]:
    position = 0
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            rest = text[position]
            what = "quote is not closed" if rest in "\"'`" else f"character {rest!r} is not allowed"
            raise Syntax(f"{what} at column {position + 1}")
        if match.lastgroup != "space":
            yield Token(str(match.lastgroup), match.group(), position + 1)
        position = match.end()
