"""From a skeleton to its plan."""

from __future__ import annotations

import re

from tenantmetrics.records import SessionVerb
from tenantmetrics.sqltext import statement_spans
from tenantmetrics.sqltext.fingerprint import fingerprint, fingerprint_of
from tenantmetrics.sqltext.lexer import LETTER, plain_tokens
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.budget import Budget
from tenantmetrics.tenant.sql.fast_path.plain_plan import plain_plan
from tenantmetrics.tenant.sql.many_row_insert import bulk_rows
from tenantmetrics.tenant.sql.plan import Plan, StepPlan
from tenantmetrics.tenant.sql.query_plan import LONG, query_plan, steps_of
from tenantmetrics.tenant.sql.query_scope import UNKNOWN
from tenantmetrics.tenant.sql.query_summary import clipped
from tenantmetrics.tenant.sql.restrictions import Either, Restriction
from tenantmetrics.tenant.sql.template import TOO_LONG
from tenantmetrics.tenant.sql.text_limits import token_count, too_long_to_parse
from tenantmetrics.tenant.sql.unread_steps import steps_unread
from tenantmetrics.tenant.sql.untold_rows import utility_touches_untold
from tenantmetrics.tenant.sql.utility_statements import QUERIES, read_utility
from tenantmetrics.tenant.sql.utility_tokens import UtilityToken, dotted_name, utility_tokens

__all__ = ["analysed_plan", "plan_of"]

_MAX_STATEMENTS = 60
"""Statements of one text, 0.12 ms each."""
_MAX_SEMICOLONS = 300
_MAX_SEVERAL = 8_192
"""Characters of a text of several statements, 3 ms to tell where each ends."""
_MAX_PLAIN = 6_000
"""Characters of a text that is looked at without the parser, which takes less of it."""
_MAX_FINGERPRINTED = 8_000
"""Characters without literals; a longer text has no fingerprint."""
_MAX_FINGERPRINTED_TOKENS = 2_000
"""1.2 ms."""
_MAX_FINGERPRINTED_SLOWLY = 500
"""1 ms: tokens of a text with square brackets or dollar signs, which are told one by one."""
_QUERY = re.compile(
    rf"[ \t\n\r\f\v(]*+(?:{'|'.join(sorted(QUERIES))})(?!{LETTER})",
    re.IGNORECASE,
)
"""What the parser reads; the tokens of the others are."""


def plan_of(template: str, vocabulary: Vocabulary) -> Plan:
    """The plan of a text, of all its statements together if it has several.

    A plain statement has a plan without the parser, and without its limits of weight: of one with
    hundreds of columns the tenant is told, where `analysed_plan` says that it is too long.

    Args:
        template: SQL without comments, literals replaced by slots.
        vocabulary: The tenant's names.
    """
    tokens = plain_tokens(template) if len(template) <= _MAX_PLAIN else None
    if not tokens:
        return analysed_plan(template, vocabulary)._replace(fingerprint=_fingerprint(template))
    number = fingerprint_of(tokens)
    plan = plain_plan(template, tokens, vocabulary, number)
    return plan or analysed_plan(template, vocabulary)._replace(fingerprint=number)


def _fingerprint(template: str) -> int:
    """A template's fingerprint, which is its text's: slots are values too."""
    if len(template) > LONG:
        rows = bulk_rows(template)
        template = template if rows is None else rows.short
    if len(template) > _MAX_FINGERPRINTED or template.endswith(TOO_LONG):
        return 0
    if (tokens := plain_tokens(template)) is not None:
        return fingerprint_of(tokens) if len(tokens) <= _MAX_FINGERPRINTED_TOKENS else 0
    return fingerprint(template) if token_count(template) <= _MAX_FINGERPRINTED_SLOWLY else 0


def analysed_plan(template: str, vocabulary: Vocabulary) -> Plan:
    """The plan of a text by the whole analysis, without its fingerprint."""
    if template.endswith(TOO_LONG):
        return _unread(template, vocabulary, "too many tokens")
    if ";" in template and template.index(";") == len(template.rstrip()) - 1:
        template = template[: template.index(";")]
    if ";" not in template:
        return _plan(template, vocabulary, None)
    spans = _spans(template)
    if isinstance(spans, str):
        return _unread(template, vocabulary, spans)
    if not spans:
        return Plan()
    if len(spans) > 1 and (too_long := too_long_to_parse(template)):
        return _unread(template, vocabulary, too_long)
    budget = Budget(steps_of(template))
    plans = [_plan(template[start:end], vocabulary, budget) for start, end in spans]
    begun = False
    for index, plan in enumerate(plans):
        verbs = {step.verb for step in plan.steps}
        if begun and SessionVerb.COMMIT in verbs:
            # The COMMIT of a transaction that the same text began.
            plans[index] = plan._replace(misuses=())
        begun = SessionVerb.BEGIN in verbs or (begun and not verbs & _ENDS)
    return plans[0] if len(plans) == 1 else _combined(plans)


def _unread(template: str, vocabulary: Vocabulary, why: str) -> Plan:
    """The plan of a text of which nothing is read but whether it may set anything."""
    steps = steps_unread(template, vocabulary)
    return Plan(node=UNKNOWN, steps=steps, mentions=True, why=why)


def _spans(template: str) -> list[tuple[int, int]] | str:
    """Where the statements of a text are, or why they are not looked for."""
    if template.count(";") > _MAX_SEMICOLONS:
        return f"more than {_MAX_SEMICOLONS} semicolons"
    if len(template) > _MAX_SEVERAL:
        return f"several statements in more than {_MAX_SEVERAL} characters"
    spans = statement_spans(template)
    return spans if len(spans) <= _MAX_STATEMENTS else f"more than {_MAX_STATEMENTS} statements"


def _steps(first: str, plan: Plan) -> tuple[StepPlan, ...]:
    """What a query within a statement does to its session; a cursor's is run when it is fetched."""
    if first == "declare":
        return (StepPlan(SessionVerb.PREPARE, "", None, True),) if plan.steps else ()
    if first == "create":
        return tuple(step._replace(value=None) for step in plan.steps)
    return plan.steps


def _combined(plans: list[Plan]) -> Plan:
    """Several statements in one call, as ExecuteSql takes them: it serves all their tenants."""
    return Plan(
        summary=clipped([part for plan in plans for part in plan.summary.split(" ") if part]),
        node=Either(tuple(map(_part, plans))),
        steps=tuple(step for plan in plans for step in plan.steps),
        tables=tuple(dict.fromkeys(table for plan in plans for table in plan.tables)),
        schemas=tuple(dict.fromkeys(tenant for plan in plans for tenant in plan.schemas)),
        mentions=any(plan.mentions for plan in plans),
        confirms=any(plan.confirms for plan in plans),
        sets_only=bool(plans) and all(plan.sets_only for plan in plans),
        misuses=tuple(dict.fromkeys(misuse for plan in plans for misuse in plan.misuses)),
        workless=all(plan.workless for plan in plans),
        probes=bool(plans) and all(plan.probes or plan.sets_only for plan in plans),
        guarded=any(plan.guarded for plan in plans)
        and all(plan.guarded or not plan.tables for plan in plans),
        why="; ".join(plan.why for plan in plans if plan.why),
    )


def _part(plan: Plan) -> Restriction:
    """What one of several statements touches: TRUNCATE and the like touch anybody's rows."""
    return UNKNOWN if plan.untold else plan.node


_OF_PREPARED = {SessionVerb.PREPARE, SessionVerb.EXECUTE}
_ENDS = {SessionVerb.COMMIT, SessionVerb.ROLLBACK}


def _is_configured(call: list[UtilityToken], vocabulary: Vocabulary) -> bool:
    """Whether a procedure's call is one that says for whom it is; any other may do anything."""
    name = dotted_name(call)[0].rpartition(".")[2]
    return name in vocabulary.functions or name in vocabulary.setters


def _plan(text: str, vocabulary: Vocabulary, budget: Budget | None) -> Plan:
    if _QUERY.match(text):
        return query_plan(text, vocabulary, budget)
    words = utility_tokens(text)
    if not words:
        return Plan()
    utility = read_utility(words)
    if utility.inner < 0:
        steps = utility.steps
        if words[0].text == "prepare" and not steps and words[1:]:
            # What is prepared may set something when it is executed, and that text does not say it.
            sets = bool(steps_unread(f";{text[words[1].start :]}", vocabulary))
            steps = (StepPlan(SessionVerb.PREPARE, words[1].text, None, sets),)
        return Plan(
            summary=clipped(utility.summary.split(" ")),
            steps=steps,
            sets_only=bool(steps) and steps[0].verb not in _OF_PREPARED,
            misuses=utility.misuses,
            workless=utility.workless,
            probes=utility.workless,
            untold=utility_touches_untold(words),
        )
    inner = ("SELECT " if utility.call else "") + text[utility.inner : utility.end]
    plan = query_plan(inner, vocabulary, budget)
    untold = utility.runs and (
        plan.untold or (utility.call and not _is_configured(words[1:], vocabulary))
    )
    rest = plan.summary.removeprefix("SELECT") if utility.call else plan.summary
    return plan._replace(
        summary=clipped([*utility.prefix.split(" "), *rest.split()]),
        steps=_steps(words[0].text, plan) if utility.runs else (),
        sets_only=False,
        workless=False,
        probes=False,
        untold=untold,
    )
