"""From a skeleton to its plan."""

from __future__ import annotations

import re
from dataclasses import replace

from sqlglot import exp

from tenantmetrics.records import SessionVerb
from tenantmetrics.sqltext import statement_spans
from tenantmetrics.sqltext.fingerprint import fingerprint, fingerprint_of
from tenantmetrics.sqltext.lexer import plain_tokens
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.budget import Budget, TooMuchWorkError
from tenantmetrics.tenant.sql.bulk_insert import BulkRows, bulk_rows, rows_node, tenant_index
from tenantmetrics.tenant.sql.guarded_tables import are_guarded
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.parser import parse_template, token_count
from tenantmetrics.tenant.sql.plain_statements import plain_plan
from tenantmetrics.tenant.sql.plan import Plan, StepPlan
from tenantmetrics.tenant.sql.queries import Queries
from tenantmetrics.tenant.sql.query_scope import CLEAR, MAX_STEPS, OPEN, UNKNOWN, QueryScope
from tenantmetrics.tenant.sql.query_summary import (
    clipped,
    is_inside,
    survey,
    unread_ctes,
)
from tenantmetrics.tenant.sql.reach import closing_restrictions
from tenantmetrics.tenant.sql.restrictions import (
    Also,
    Either,
    Fixed,
    Named,
    Restriction,
    State,
    Touched,
    if_closed,
)
from tenantmetrics.tenant.sql.sqlglot_trees import unwrapped
from tenantmetrics.tenant.sql.template import TOO_LONG
from tenantmetrics.tenant.sql.tenant_tables import with_tenant_tables
from tenantmetrics.tenant.sql.utility_statements import needs_parser, read_utility
from tenantmetrics.tenant.sql.utility_tokens import UtilityToken, operand_of, utility_tokens
from tenantmetrics.tenant.sql.value_expressions import SESSION, bare, function_name, value_operand
from tenantmetrics.tenant.sql.workless import does_no_work

__all__ = ["analysed_plan", "plan_of"]

_OF_ONE_TABLE = 2
"""Tokens of the summary of a statement about one table: `SELECT bookings`."""
_NAME_NOBODY = (UNKNOWN, OPEN, CLEAR)
_MAX_STATEMENTS = 100
_MAX_SEMICOLONS = 300
_MAX_SEVERAL = 16_384
"""Characters of a text of several statements, 6 ms to tell where each ends."""
_LONG = 4_000
_MAX_PLAIN = 3_000
"""As many tokens at most, which is the parser's own bound."""
_MAX_FINGERPRINTED = 8_000
"""Characters without literals, 4 ms; a longer text has no fingerprint."""
_MAX_LEXED = 800
_NAME = re.compile(r"[^\W0-9]\w*+")
_QUERY = re.compile(r"\s*+(?:select|insert|update|delete)\s", re.IGNORECASE)


def plan_of(template: str, vocabulary: Vocabulary) -> Plan:
    """The plan of a text, of all its statements together if it has several.

    Args:
        template: SQL without comments, literals replaced by slots.
        vocabulary: The tenant's names.
    """
    tokens = plain_tokens(template) if len(template) <= _MAX_PLAIN else None
    plan = plain_plan(template, tokens, vocabulary) if tokens else None
    plan = plan or analysed_plan(template, vocabulary)
    number = fingerprint_of(tokens) if tokens else _fingerprint(template)
    # Nobody else has it yet; replace() would take 3 µs of every first sight.
    object.__setattr__(plan, "fingerprint", number)
    return plan


def _fingerprint(template: str) -> int:
    """A template's fingerprint, which is its text's: slots are values too."""
    if len(template) > _LONG:
        rows = bulk_rows(template)
        template = template if rows is None else rows.short
    if len(template) > _MAX_FINGERPRINTED or template.endswith(TOO_LONG):
        return 0
    return fingerprint(template)


def analysed_plan(template: str, vocabulary: Vocabulary) -> Plan:
    """The plan of a text by the whole analysis, without its fingerprint."""
    if template.endswith(TOO_LONG):
        return Plan(node=UNKNOWN, mentions=True, why="too many tokens")
    if ";" in template and template.index(";") == len(template.rstrip()) - 1:
        template = template[: template.index(";")]
    if ";" not in template:
        return _plan(template, vocabulary)
    spans = _spans(template)
    if isinstance(spans, str):
        return Plan(node=UNKNOWN, mentions=True, why=spans)
    if not spans:
        return Plan()
    plans = [_plan(template[start:end], vocabulary) for start, end in spans]
    begun = False
    for index, plan in enumerate(plans):
        verbs = {step.verb for step in plan.steps}
        if begun and SessionVerb.COMMIT in verbs:
            # The COMMIT of a transaction that the same text began.
            plans[index] = replace(plan, misuses=())
        begun = SessionVerb.BEGIN in verbs or (begun and not verbs & _ENDS)
    return plans[0] if len(plans) == 1 else _combined(plans)


def _spans(template: str) -> list[tuple[int, int]] | str:
    """Where the statements of a text are, or why they are not looked for."""
    if template.count(";") > _MAX_SEMICOLONS:
        return f"more than {_MAX_SEMICOLONS} semicolons"
    if len(template) > _MAX_SEVERAL:
        return f"several statements in more than {_MAX_SEVERAL} characters"
    spans = statement_spans(template)
    return spans if len(spans) <= _MAX_STATEMENTS else f"more than {_MAX_STATEMENTS} statements"


def _combined(plans: list[Plan]) -> Plan:
    """Several statements in one call, as ExecuteSql takes them: it serves all their tenants."""
    return Plan(
        summary=clipped([part for plan in plans for part in plan.summary.split(" ") if part]),
        node=Either(tuple(plan.node for plan in plans)),
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


_ENDS = {SessionVerb.COMMIT, SessionVerb.ROLLBACK}


def _plan(text: str, vocabulary: Vocabulary) -> Plan:
    if _QUERY.match(text):
        return _query_plan(text, vocabulary)
    words = utility_tokens(text)
    if not words:
        return Plan()
    if needs_parser(words):
        return _query_plan(text, vocabulary)
    utility = read_utility(words)
    if utility.inner < 0:
        return Plan(
            summary=clipped(utility.summary.split(" ")),
            steps=utility.steps,
            sets_only=bool(utility.steps),
            misuses=utility.misuses,
            workless=utility.workless,
            probes=utility.workless,
        )
    inner = ("SELECT " if utility.call else "") + text[utility.inner : utility.end]
    plan = _query_plan(inner, vocabulary)
    rest = plan.summary.removeprefix("SELECT") if utility.call else plan.summary
    return replace(
        plan,
        summary=clipped([*utility.prefix.split(" "), *rest.split()]),
        steps=plan.steps if utility.runs else (),
        sets_only=False,
        workless=False,
        probes=False,
    )


def _query_plan(text: str, vocabulary: Vocabulary) -> Plan:
    rows = bulk_rows(text) if len(text) > _LONG else None
    if rows is not None:
        return _bulk_plan(text, rows, vocabulary)
    parsed = parse_template(text)
    if isinstance(parsed, str) or len(parsed) != 1:
        why = parsed if isinstance(parsed, str) else "not one statement"
        return _unparsed(text, vocabulary, why)
    try:
        statement = with_tenant_tables(parsed[0], vocabulary)
        return _analysed(statement, vocabulary, Budget(_steps(text)))
    except RecursionError:
        return _unparsed(text, vocabulary, "nested too deep")
    except TooMuchWorkError:
        return _unparsed(text, vocabulary, "too many steps of analysis")
    except (AttributeError, TypeError, IndexError, KeyError, StopIteration):
        # Of some texts that are no SQL the parser makes a tree with holes.
        return _unparsed(text, vocabulary, "not understood (incomplete)")


def _bulk_plan(text: str, rows: BulkRows, vocabulary: Vocabulary) -> Plan:
    """INSERT of many rows of plain values: parsed with one row, then filled with all."""
    plan = _query_plan(rows.short, vocabulary)
    parsed = parse_template(rows.short)
    index = None
    if isinstance(parsed, list) and parsed:
        index = tenant_index(with_tenant_tables(parsed[0], vocabulary), vocabulary)
    if plan.why or (index is not None and isinstance(plan.node, Also)):
        return replace(plan, node=UNKNOWN, why=plan.why or "many rows beside something else")
    functions = ("set_config", *vocabulary.setters, *vocabulary.functions)
    if plan.steps or rows.mentions(text, functions):
        # What each of the rows sets, or is for, only the whole text tells.
        return replace(plan, node=UNKNOWN, steps=(), why="many rows beside something else")
    if index is None:
        return plan
    return replace(plan, node=rows_node(rows, text, index, plan.node))


def _steps(text: str) -> int:
    """Steps that an analysis may take: what took long to parse has fewer left."""
    if len(text) < _LONG // 2:
        return MAX_STEPS
    return min(MAX_STEPS, MAX_STEPS + 400 - 3 * token_count(text) // 2)


def _analysed(statement: exp.Expr, vocabulary: Vocabulary, budget: Budget) -> Plan:
    names = QueryScope(None, vocabulary, budget)
    node = Queries(vocabulary).statement(statement, names)
    if node is UNKNOWN and not isinstance(
        unwrapped(statement), exp.Select | exp.SetOperation | exp.DML | exp.Values | exp.Table
    ):
        return Plan(node=UNKNOWN, mentions=True, why="not a statement that is analysed")
    seen = survey(statement, vocabulary)
    if len(seen.parts) > _OF_ONE_TABLE and node not in _NAME_NOBODY:
        node = _closed(statement, node, vocabulary, names)
    steps: list[StepPlan] = []
    beside: list[Restriction] = []
    confirms = False
    unread = unread_ctes(statement) if seen.functions else set()
    for call in seen.functions:
        name = function_name(call)
        if name == "current_setting":
            confirms = True
        elif name in vocabulary.functions:
            beside.append(_function(call, vocabulary.functions[name]))
        elif is_inside(call, unread):
            continue
        elif name == "set_config":
            steps.append(_if_it_runs(call, _set_config(call)))
        elif name in vocabulary.setters:
            steps.append(_if_it_runs(call, _setter(call, vocabulary.setters[name])))
    of_schema = [vocabulary.of_schema(schema) for schema, _ in seen.tables if schema]
    workless = not seen.reads and does_no_work(statement)
    return Plan(
        summary=clipped(seen.parts),
        node=Also(node, tuple(beside)) if beside else node,
        steps=tuple(steps),
        tables=tuple(dict.fromkeys(name for _, name in seen.tables)),
        schemas=tuple(dict.fromkeys(tenant for tenant in of_schema if tenant)),
        mentions=seen.mentions,
        confirms=confirms,
        sets_only=bool(steps) and not seen.reads,
        workless=workless,
        probes=workless and not steps,
        guarded=are_guarded(seen.tables, vocabulary),
    )


def _closed(
    statement: exp.Expr, node: Restriction, vocabulary: Vocabulary, names: QueryScope
) -> Restriction:
    """What a statement of several tables names, if all of them are closed."""
    groups = closing_restrictions(statement, vocabulary, names.budget)
    return if_closed(node, groups)


_CHOOSING = (exp.Case, exp.If, exp.And, exp.Or, exp.Where, exp.Having, exp.Join, exp.Filter)


def _if_it_runs(call: exp.Expr, step: StepPlan) -> StepPlan:
    """A step whose value is not known where it is not sure that the call is run.

    `SELECT set_config(…) WHERE false` sets nothing, and neither does a branch that is not taken.
    """
    part, above = call, call.parent
    while above is not None:
        if isinstance(above, _CHOOSING) or (
            isinstance(above, exp.Coalesce) and part is not above.this
        ):
            return step._replace(value=None)
        if isinstance(above, exp.Select) and _may_give_no_row(above, part):
            return step._replace(value=None)
        part, above = above, above.parent
    return step


def _may_give_no_row(select: exp.Select, part: exp.Expr) -> bool:
    where = select.args.get("where")
    if where is not None and not (isinstance(where.this, exp.Boolean) and where.this.this):
        return True
    if any(select.args.get(key) is not None for key in ("limit", "offset", "having")):
        return True
    from_ = select.args.get("from_")
    table = from_.this if from_ is not None else None
    # What reads a table gives no row where the table is empty.
    return (
        part.arg_key == "expressions"
        and isinstance(table, exp.Table)
        and not isinstance(table.this, exp.Func)
    )


def _set_config(node: exp.Anonymous) -> StepPlan:
    """`set_config(name, value, is_local)`, each of which may be a parameter."""
    arguments = [*node.expressions, None, None, None][:3]
    name = value_operand(arguments[0])
    value = value_operand(arguments[1])
    local = bare(arguments[2])
    how: bool | Operand = False
    if isinstance(local, exp.Boolean):
        how = bool(local.this)
    elif isinstance(operand := value_operand(local), Operand):
        how = operand
    return StepPlan(
        SessionVerb.SET,
        name if isinstance(name, Operand) else "",
        value if isinstance(value, Operand) else None,
        how,
    )


def _setter(node: exp.Anonymous, position: int) -> StepPlan:
    """A configured function that sets the session's tenant, for the transaction."""
    arguments = node.expressions[position : position + 1]
    value = value_operand(arguments[0]) if arguments else None
    name = function_name(node)
    return StepPlan(SessionVerb.SET, name, value if isinstance(value, Operand) else None, True)


def _function(node: exp.Anonymous, position: int) -> Restriction:
    """A configured function that takes a tenant."""
    arguments = node.expressions[position : position + 1]
    value = value_operand(arguments[0]) if arguments else None
    if value is SESSION:
        return Fixed(Touched(State.SESSION))
    return Named((value,)) if isinstance(value, Operand) else UNKNOWN


def _unparsed(text: str, vocabulary: Vocabulary, why: str) -> Plan:
    """What the lexer alone can tell: set_config with plain arguments, and whether tenants occur."""
    lower = text.lower()
    sets = "set_config" in lower
    sure = sets and {"where", "case", "having", "limit"}.isdisjoint(_NAME.findall(lower))
    words = utility_tokens(text, _MAX_LEXED if sets else 1)
    steps: list[StepPlan] = []
    for index, word in enumerate(words):
        if word.text == "set_config" and index + 7 < len(words) and words[index + 1].text == "(":
            step = _lexed_set_config(words[index + 2 : index + 8])
            steps.append(step if sure else step._replace(value=None))
    mentions = any(_occurs(name, lower) for name in vocabulary.columns)
    verb = words[0].text.upper() if words else ""
    return Plan(
        summary=verb if verb.isalpha() else "",
        node=UNKNOWN,
        steps=tuple(steps),
        mentions=mentions,
        why=why,
    )


def _occurs(name: str, text: str) -> bool:
    """Whether a text has a name as a whole word."""
    return name in text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _lexed_set_config(words: list[UtilityToken]) -> StepPlan:
    name, comma, value, second, local, closing = words
    if (comma.text, second.text, closing.text) != (",", ",", ")"):
        return StepPlan(SessionVerb.SET)
    return StepPlan(
        SessionVerb.SET,
        operand_of(name) or "",
        operand_of(value),
        local.text == "true",
    )
