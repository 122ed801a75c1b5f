"""The work of a text grows with its length, not with its square; that of its values likewise.

Work is counted in lines of ours that are run, which is the same on any machine: a loop in a loop
shows at a few dozen parts, long before it takes a time that could be measured. What a compiled
expression does within itself is not seen here; `test_slow_texts` times that.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest

import tenantmetrics
from tenantmetrics import config
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql import query_plan, query_summary
from tenantmetrics.tenant.sql.operands import Values
from tenantmetrics.tenant.sql.plan import Plan
from tenantmetrics.tenant.sql.planner import analysed_plan
from tenantmetrics.tenant.sql.restrictions import evaluate
from tenantmetrics.tenant.sql.template import skeleton
from tests.tenant.sql.test_bounded_work import GROWING, TEXT_CHARS

SIZES = (8, 12, 16, 24, 32, 48, 64, 128, 500, 1_000, 4_000)
TWICE = 2.3
STEADY_LINES = 300
"""What a text takes however short it is."""
EVERY_PAIR = {"JOIN USING": 3.2, "NATURAL JOIN": 3.2, "columns without a table": 3.2}
"""Where each table is tied to each other: of many tables that is too many steps, and undecided."""
SEEN = (str(Path(tenantmetrics.__file__).parent), __file__)
"""Whose lines count: the package's, and a helper's that is planted here."""
VOCABULARY = Vocabulary(config.load({}))
GIVEN: dict[str, Any] = {
    **{name: {"value": {"stringValue": f"of {name}"}} for name in "tp"},
    **{f"p{n}": {"name": f"p{n}", "value": {"stringValue": f"t{n}"}} for n in range(9_000)},
}
"""Values of parameters, for every text."""


def lines_of(work: Callable[[], object]) -> int:
    """How many lines of the package a piece of work runs."""
    count = 0

    def of_frame(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return of_frame

    def of_call(frame: FrameType, _event: str, _argument: Any) -> Any:
        return of_frame if frame.f_code.co_filename.startswith(SEEN) else None

    before = sys.gettrace()
    sys.settrace(of_call)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


class Work(NamedTuple):
    """What a text takes, in lines."""

    why: str
    """How the text is read without the short way."""
    analysed: int
    """To plan it."""
    evaluated: int
    """To fill its plan."""


def work_of(sql: str) -> Work:
    cut = skeleton(sql)
    # Planned once before it is counted: caches are then filled by this text, not by some before.
    plan: Plan = analysed_plan(cut.template, VOCABULARY)
    return Work(
        plan.why,
        analysed=lines_of(lambda: analysed_plan(cut.template, VOCABULARY)),
        evaluated=lines_of(lambda: evaluate(plan.node, Values(cut.literals, GIVEN))),
    )


def too_much(shape: Callable[[int], str], twice: float = TWICE) -> list[tuple[str, int, int, int]]:
    """Sizes at which twice as much takes more than twice the work, with both.

    Only texts that are read in the same way are compared: what is beyond a limit is not read.
    """
    found = []
    count = functools.cache(work_of)  # one size is another's double, and long texts are cut alike
    for size in SIZES:
        once, two = (count(shape(n)[:TEXT_CHARS]) for n in (size, 2 * size))
        if once.why != two.why:
            continue
        for stage in ("analysed", "evaluated"):
            of_one, of_two = getattr(once, stage), getattr(two, stage)
            if of_two > twice * of_one + STEADY_LINES:
                found.append((stage, size, of_one, of_two))
    return found


@pytest.mark.parametrize("name", GROWING)
def test_twice_the_text_is_twice_the_work(name):
    """When it is planned, and when its plan is filled."""
    assert too_much(GROWING[name], EVERY_PAIR.get(name, TWICE)) == []


def test_a_loop_in_a_loop_is_seen(monkeypatch):
    """A helper that asks each function of each other fails the test above."""
    survey = query_summary.survey

    def planted(statement, vocabulary):
        found = survey(statement, vocabulary)
        for one in found.functions:
            for other in found.functions:
                assert one.name == other.name
                assert len(one.expressions) == len(other.expressions)
        return found

    assert too_much(GROWING["set_config"]) == []
    monkeypatch.setattr(query_plan, "survey", planted)
    assert too_much(GROWING["set_config"]) != []
