"""What a text would take the parser and the analysis, told from its tokens before either begins.

The parser cannot be stopped, and takes some constructs in time that doubles with each level of
them, or grows with their square. So a text is weighed first, and its nesting is followed, in one
pass over its tokens that takes a twentieth of the time of parsing it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from sqlglot.dialects.postgres import Postgres

__all__ = ["measured", "nested_too_deep", "token_count", "too_long_to_parse"]

_MAX_WEIGHT = 850
"""4 ms on one 2.5 GHz core, 5 µs each: 2.5 for the parser, the rest for what goes with it. The
statements of the corpus weigh 340 at most; plain ones with hundreds of columns need no parser."""
_LIGHT = 1_000
"""Characters of a text that weighs little enough, unless it has subscripts."""
_SHORT = 300
"""Characters of a text that no run of prefix operators makes slow."""
_MAX_DEPTH = 40
"""Open parentheses at once. The parser recurses, and so does the plan; people write up to ten."""
_MAX_TRIED_TWICE = 6
"""Nested ARRAY[…], LIMIT (…), numeric(…), LATERAL (…): the parser tries each level in two ways, so
its time doubles with every one."""
_MAX_SUBSCRIPTS = 20
"""a[1][1]… as a whole: the parser's time grows with its square. PostgreSQL has six dimensions."""
_MAX_CHAIN = 12
"""f(1).g(2).h(3), a[1].b[2].c: the parser's time grows with the square of the links."""
_MAX_INDEXED = 12
"""((SELECT …)[1])[1]: as above, where each stands in the one around it."""
_MAX_BARE_JOINS = 6
"""JOINs that no ON or USING follows: no SQL, but the parser's time doubles with every one (20 take
20 s), because each may be nested in the one before."""
_MAX_RUN = 40
"""NOT NOT NOT …, - - - …, CASE CASE …: recursion without parentheses."""
_TOKEN = re.compile(r"""'[^']*+'|"[^"]*+"|\w++|[^\w\s]""")
_PREFIXES = (
    *("not", "case", "when", "interval", "any", "all", "some", "exists", "select", "from"),
    *("(", "-", "+", "~", "@", "!"),
)
_TRIED_TWICE = frozenset(
    [
        keyword.lower()
        for keyword, kind in Postgres.tokenizer_class.KEYWORDS.items()
        if kind in Postgres.parser_class.TYPE_TOKENS
    ],
)
_TRIED_OPENING = re.compile(r"\b([a-z]\w*)\s*\(")
_LIMITS = ("limit", "offset", "lateral")
"""Words that make the parser try the brackets around them twice."""
_WEIGHTS = {"(": 4, "[": 25, ":": 2, "select": 6, ";": 20, "case": 3, "over": 3}
"""What weighs more than one, as measured with the parser's version of today."""


class Measured(NamedTuple):
    """A text's measure.

    Attributes:
        weight: What it takes to parse it and to look at all of it once, in plain tokens.
        why: Why its nesting makes it too slow; empty if it does not.
    """

    weight: int
    why: str


def token_count(template: str) -> int:
    """About how many tokens a template has."""
    return len(_TOKEN.findall(template))


def too_long_to_parse(template: str) -> str:
    """Why a template takes too long to be parsed; empty if it does not."""
    if len(template) <= _LIGHT and "[" not in template:
        return ""
    if measured(template).weight > _MAX_WEIGHT:
        return f"more than {_MAX_WEIGHT} tokens, where a bracket counts as several"
    return ""


def nested_too_deep(template: str) -> str:
    """Why a template is nested too deep to be parsed; empty if it is not."""
    return measured(template).why if _may_be_deep(template) else ""


def _may_be_deep(template: str) -> bool:
    """Whether the whole measure is needed; most texts are too short and too plain."""
    if len(template) > _LIGHT or "[" in template or template.count(")") > _MAX_CHAIN:
        return True
    lower = template.lower()
    if lower.count("join") > _MAX_BARE_JOINS or lower.count("{") > _MAX_CHAIN:
        return True
    if len(template) > _SHORT and sum(map(lower.count, _PREFIXES)) >= _MAX_RUN:
        return True
    opened = template.count("(")
    if opened + lower.count("case") > _MAX_DEPTH:
        return True
    if opened <= _MAX_TRIED_TWICE:
        return False
    tried = sum(name in _TRIED_TWICE for name in _TRIED_OPENING.findall(lower))
    return tried + sum(map(lower.count, _LIMITS)) > _MAX_TRIED_TWICE


@lru_cache(maxsize=1)
def measured(template: str) -> Measured:
    """Measure a template; the last one is remembered, because several ask for it in turn."""
    words = _TOKEN.findall(template.lower())
    return Measured(sum(map(_weight, words)), _nesting(words))


class _Weights(dict[str, int]):
    """What tokens weigh: one, unless they are known to take longer."""

    def __missing__(self, word: str) -> int:
        return 1


_weight = _Weights(_WEIGHTS).__getitem__
_OPENING, _CLOSING, _DOT, _CASE, _END, _LIMIT, _PREFIX, _JOIN, _ON, _FREE, _PASSED = range(11)
_KINDS = {
    **dict.fromkeys(_PREFIXES, _PREFIX),
    **dict.fromkeys("([{", _OPENING),
    **dict.fromkeys(")]}", _CLOSING),
    **dict.fromkeys(_LIMITS, _LIMIT),
    **dict.fromkeys(("on", "using"), _ON),
    # JOINs without a condition.
    **dict.fromkeys(("cross", "natural"), _FREE),
    # What may stand between a call and what follows it in the chain.
    **dict.fromkeys(("over", "filter", "within", "group"), _PASSED),
    ".": _DOT,
    "case": _CASE,
    "end": _END,
    "join": _JOIN,
}


def _nesting(words: list[str]) -> str:  # noqa: C901, PLR0911, PLR0912, PLR0915 - one pass, hot
    """Why some tokens, lower case, are nested too deep; empty if they are not."""
    kind_of = _KINDS.get
    # For each open bracket whether the parser tries it twice; for each open CASE that it does not.
    opened: list[bool] = []
    # For each open bracket how many names there are in the chain behind it.
    links = [0]
    tried = run = subscripts = indexed = open_joins = 0
    # Whether a bracket closed just now, a dot came just now, a JOIN needs no condition; whether a
    # subscript of brackets is open, and whether one closed.
    closed = dotted = free = of_brackets = was_of_brackets = False
    before = earlier = ""
    for word in words:
        kind = kind_of(word)
        if dotted and (kind is None or word.isalpha()):
            # The name behind a dot, whatever word it is.
            dotted = closed = False
            run = 0
        elif kind is None:
            run = 0
            if word[0] != "'":
                links[-1] = 0
                closed = False
                free = free and word[0].isalnum()
        elif kind == _DOT:
            links[-1] += closed
            if links[-1] > _MAX_CHAIN:
                return f"more than {_MAX_CHAIN} names behind calls or subscripts in a row"
            dotted, closed, run = True, False, 0
        elif kind == _CLOSING:
            if opened:
                tried -= opened.pop()
            if len(links) > 1:
                links.pop()
            if word == "]":
                was_of_brackets, of_brackets = of_brackets, False
            closed, dotted, free, run = True, False, False, 0
        elif kind == _OPENING:
            twice = word == "[" or (before in _TRIED_TWICE and word == "(")
            opened.append(twice)
            tried += twice
            links.append(0)
            closed = dotted = free = False
            run = run + 1 if word == "(" else 0
            if word == "[":
                subscripts += before == "]"
                chained = before == ")" and earlier == "]" and was_of_brackets
                indexed = indexed + 1 if chained else 1
                of_brackets = before == ")"
            if len(opened) > _MAX_DEPTH:
                return f"nested deeper than {_MAX_DEPTH}"
            if tried > _MAX_TRIED_TWICE:
                return f"arrays, types or limits nested deeper than {_MAX_TRIED_TWICE}"
            if subscripts > _MAX_SUBSCRIPTS:
                return f"more than {_MAX_SUBSCRIPTS} subscripts of subscripts"
            if indexed > _MAX_INDEXED:
                return f"more than {_MAX_INDEXED} subscripts of brackets in brackets"
        elif kind != _PASSED:
            dotted = closed = False
            links[-1] = 0
            run = run + 1 if kind in (_PREFIX, _CASE) else 0
            if kind == _CASE:
                opened.append(False)
                if len(opened) > _MAX_DEPTH:
                    return f"nested deeper than {_MAX_DEPTH}"
            elif kind == _END:
                tried -= opened.pop() if opened else 0
            elif kind == _LIMIT:
                if opened and not opened[-1]:
                    opened[-1] = True
                    tried += 1
                    if tried > _MAX_TRIED_TWICE:
                        return f"arrays, types or limits nested deeper than {_MAX_TRIED_TWICE}"
            elif kind == _FREE:
                free = True
            elif kind == _JOIN:
                open_joins += not free
                free = False
            elif kind == _ON:
                open_joins -= open_joins > 0
        if run >= _MAX_RUN:
            return f"more than {_MAX_RUN} prefix operators in a row"
        earlier, before = before, word
    return (
        f"more than {_MAX_BARE_JOINS} joins without a condition"
        if open_joins > _MAX_BARE_JOINS
        else ""
    )
