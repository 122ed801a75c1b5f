"""From one query or change to its plan."""

from __future__ import annotations

from sqlglot import exp

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.budget import Budget, TooMuchWorkError
from tenantmetrics.tenant.sql.closed_tables import if_closed
from tenantmetrics.tenant.sql.columns_by_schema import may_be_of_another_table
from tenantmetrics.tenant.sql.guarded_tables import are_guarded
from tenantmetrics.tenant.sql.many_row_insert import BulkRows, bulk_rows, rows_node, tenant_index
from tenantmetrics.tenant.sql.names_differing_in_case import differ_in_case
from tenantmetrics.tenant.sql.parser import parse_template
from tenantmetrics.tenant.sql.plan import Plan
from tenantmetrics.tenant.sql.proof.closing import closing_restrictions
from tenantmetrics.tenant.sql.queries import Queries
from tenantmetrics.tenant.sql.query_scope import MAX_STEPS, UNKNOWN, QueryScope
from tenantmetrics.tenant.sql.query_summary import clipped, is_inside, survey, unread_ctes
from tenantmetrics.tenant.sql.restrictions import NAME_NOBODY, Also, Restriction
from tenantmetrics.tenant.sql.session_calls import SessionCalls, tenant_of_call
from tenantmetrics.tenant.sql.sqlglot_trees import unwrapped
from tenantmetrics.tenant.sql.tenant_tables import with_tenant_tables
from tenantmetrics.tenant.sql.text_limits import measured, too_long_to_parse
from tenantmetrics.tenant.sql.unparsed import unparsed_plan
from tenantmetrics.tenant.sql.unread_steps import SETTINGS, all_unknown, call_names, unknown_steps
from tenantmetrics.tenant.sql.untold_rows import inserts_untold
from tenantmetrics.tenant.sql.value_expressions import function_name
from tenantmetrics.tenant.sql.workless import does_no_work

__all__ = ["LONG", "query_plan", "steps_of"]

_OF_ONE_TABLE = 2
"""Tokens of the summary of a statement about one table: `SELECT bookings`."""
LONG = 3_000
"""Characters; a shorter text of plain rows is read without the parser."""
_SHORT = 800
"""Characters of a text that leaves its analysis all the steps."""
_ALL_STEPS = 2_900
_STEPS_OF_WEIGHT = 30
"""Tenths of a step that a text's weight of one takes from its analysis."""


def query_plan(text: str, vocabulary: Vocabulary, budget: Budget | None = None) -> Plan:
    """The plan of one statement that the parser is needed for.

    Args:
        text: The statement, literals replaced by slots.
        vocabulary: The tenant's names.
        budget: The steps that its analysis may take; None for those of one that is alone.
    """
    rows = bulk_rows(text) if len(text) > LONG or too_long_to_parse(text) else None
    if rows is not None:
        return _bulk_plan(text, rows, vocabulary)
    parsed = parse_template(text)
    if not isinstance(parsed, str):
        if len(parsed) != 1:
            parsed = "not one statement"
        elif '"' in text and differ_in_case(text, parsed[0]):
            parsed = "two of its names differ only in case"
        elif may_be_of_another_table(text, parsed[0]):
            parsed = "a table's name alone does not tell it from one of another schema"
    if isinstance(parsed, str):
        return unparsed_plan(text, vocabulary, parsed)
    try:
        statement = with_tenant_tables(parsed[0], vocabulary)
        return _analysed(statement, vocabulary, budget or Budget(steps_of(text)))
    except RecursionError:
        return unparsed_plan(text, vocabulary, "nested too deep")
    except TooMuchWorkError:
        return unparsed_plan(text, vocabulary, "too many steps of analysis")
    except (AttributeError, TypeError, IndexError, KeyError, StopIteration):
        # Of some texts that are no SQL the parser makes a tree with holes.
        return unparsed_plan(text, vocabulary, "not understood (incomplete)")


def _bulk_plan(text: str, rows: BulkRows, vocabulary: Vocabulary) -> Plan:
    """INSERT of many rows of plain values: parsed with one row, then filled with all."""
    plan = query_plan(rows.short, vocabulary)
    parsed = parse_template(rows.short)
    index = None
    reads = False
    if isinstance(parsed, list) and parsed:
        reads = parsed[0].find(exp.Select, exp.SetOperation) is not None
        index = tenant_index(with_tenant_tables(parsed[0], vocabulary), vocabulary)
    # What it reads besides is no row's: `RETURNING (SELECT count(*) FROM c)`.
    beside = index is not None and (reads or isinstance(plan.node, Also))
    # What each of the rows sets, or is for, only the whole text tells.
    sets = plan.steps or rows.mentions(text, call_names(vocabulary))
    steps = unknown_steps(vocabulary) if sets else ()
    if plan.why or beside or sets or rows.mentions(text, vocabulary.functions):
        why = plan.why or "many rows beside something else"
        return plan._replace(node=UNKNOWN, steps=steps, why=why)
    if index is None:
        return plan
    node = rows_node(rows, text, index, plan.node)
    return plan._replace(node=node, why="many rows of many kinds" if node is UNKNOWN else "")


def steps_of(text: str) -> int:
    """Steps that the analysis of a text may take: what took long to parse has fewer left."""
    if len(text) < _SHORT:
        return MAX_STEPS
    return min(MAX_STEPS, _ALL_STEPS - _STEPS_OF_WEIGHT * measured(text).weight // 10)


def _analysed(statement: exp.Expr, vocabulary: Vocabulary, budget: Budget) -> Plan:
    names = QueryScope(None, vocabulary, budget)
    node = Queries(vocabulary).statement(statement, names)
    if node is UNKNOWN and not isinstance(
        unwrapped(statement), exp.Select | exp.SetOperation | exp.DML | exp.Values | exp.Table
    ):
        return Plan(node=UNKNOWN, mentions=True, why="not a statement that is analysed")
    seen = survey(statement, vocabulary)
    untold = "INSERT INTO" in seen.parts and inserts_untold(statement, node, vocabulary)
    if (seen.several or len(seen.parts) > _OF_ONE_TABLE) and node not in NAME_NOBODY:
        node = _closed(statement, node, vocabulary, names)
    setting: list[exp.Anonymous] = []
    beside: list[Restriction] = []
    confirms = False
    unread = unread_ctes(statement) if seen.functions else set()
    calls = SessionCalls(vocabulary, names.budget)
    for call in seen.functions:
        name = function_name(call)
        if name == "current_setting":
            confirms = True
        elif name in vocabulary.functions:
            beside.append(tenant_of_call(call, vocabulary.functions[name]))
        elif not is_inside(call, unread):
            setting.append(call)
    steps = calls.steps(setting)
    if any(table == SETTINGS for _, table in seen.tables) and statement.find(exp.Update):
        steps += all_unknown(vocabulary)
    of_schema = [vocabulary.of_schema(schema) for schema, _ in seen.tables if schema]
    workless = not seen.reads and does_no_work(statement)
    return Plan(
        summary=clipped(seen.parts),
        node=Also(node, tuple(beside)) if beside else node,
        steps=steps,
        tables=tuple(dict.fromkeys(name for _, name in seen.tables)),
        schemas=tuple(dict.fromkeys(tenant for tenant in of_schema if tenant)),
        mentions=seen.mentions,
        confirms=confirms,
        sets_only=bool(steps) and not seen.reads,
        workless=workless,
        probes=workless and not steps,
        guarded=are_guarded(seen.tables, vocabulary),
        untold=untold,
    )


def _closed(
    statement: exp.Expr, node: Restriction, vocabulary: Vocabulary, names: QueryScope
) -> Restriction:
    """What a statement of several tables names, if all of them are closed."""
    groups = closing_restrictions(statement, vocabulary, names.budget)
    return if_closed(node, groups)
