"""Statements made of others: one node of their tree is written in another way, some times."""

from __future__ import annotations

import random

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

__all__ = ["mutated"]

EQUALITIES = (
    *("NOT ({a} <> {b})", "{a} IN ({b})", "{a} = ANY (ARRAY[{b}])", "({a}, 1) = ({b}, 1)"),
    *("{a} IS NOT DISTINCT FROM {b}", "{a} BETWEEN {b} AND {b}", "({a} = {b}) IS NOT FALSE"),
    *("COALESCE({a} = {b}, true)", "CASE WHEN {a} <> {b} THEN false ELSE true END"),
    *("NOT ({a} = {b})", "({a} = {b} OR {a} IS NULL)", "{a} IN (SELECT {b})", "{b} = {a}"),
    *("EXISTS (SELECT {a} INTERSECT SELECT {b})", "({a} = {b}) <> false", "{a} IN ({a}, {b})"),
    *("({a} = {b} OR {a} > {b})", "({a} = {b} OR {b} = {b})", "({a} = {b} OR {a} = {b})"),
    *("{a} IN (SELECT {a} EXCEPT SELECT {b})", "{a} IN (SELECT {a} UNION SELECT {b})"),
    "EXISTS (SELECT 1 FROM unnest(ARRAY[{b}]) AS z(v) WHERE z.v = {a})",
    "NOT EXISTS (SELECT 1 FROM unnest(ARRAY[{b}]) AS z(v) WHERE z.v = {a})",
    *("COALESCE({a}, {b}) = {b}", "{a} = COALESCE({b}, {a})", "(({a} = {b}) = ({b} = {a}))"),
)
TABLES = (
    *("(SELECT * FROM {n} OFFSET 0)", "(SELECT DISTINCT * FROM {n})", "(TABLE {n})"),
    *("(SELECT q.* FROM {n} q, tasks z)", "(SELECT q.*, count(*) OVER () AS c FROM {n} q)"),
    *("(SELECT q.* FROM {n} q EXCEPT SELECT q.* FROM {n} q)", "ONLY {n}"),
    *("(WITH c AS (SELECT * FROM {n}) SELECT * FROM c)", "LATERAL (SELECT * FROM {n})"),
    "(SELECT q.*, (SELECT max(id) FROM tasks) AS m FROM {n} q)",
    """json_populate_recordset(NULL::{n}, '[{{"tenant_id": "acme", "id": 21, "no": 21}}]')""",
)
WHOLES = (
    *("SELECT * FROM ({s}) AS w", "SELECT count(*) FROM ({s}) AS w", "SELECT EXISTS ({s})"),
    *("SELECT * FROM ({s}) AS w WHERE w.tenant_id = 'acme'", "WITH w AS ({s}) SELECT * FROM w"),
    *("SELECT * FROM tasks o WHERE o.tenant_id = 'acme' AND EXISTS ({s})", "({s}) EXCEPT ({s})"),
    *("SELECT * FROM tasks o WHERE o.id IN (SELECT w.id FROM ({s}) AS w)", "({s}) UNION ({s})"),
    *("SELECT * FROM tasks o JOIN ({s}) AS w ON w.id = o.id", "SELECT ARRAY({s}) IS NULL"),
    "DELETE FROM tasks WHERE ctid IN (SELECT ctid FROM ({s}) AS w)",
    "WITH links AS (SELECT * FROM tasks LIMIT 9) {s}",
)
NAMES = ("id", "tenant_id", "project_id", "parent_id", "title", "status")


def mutated(sql: str, chosen: random.Random) -> str | None:
    """A statement that is like another one.

    Args:
        sql: The other one.
        chosen: What chooses.

    Returns:
        The statement; None where the parser does not take it.
    """
    try:
        tree = parse_one(sql, read="postgres")
        for _ in range(chosen.choice((1, 1, 2, 3))):
            tree = chosen.choice(_KINDS)(tree, chosen)
        return tree.sql("postgres")
    except SqlglotError:
        return None


def _one(tree, kind, chosen):
    found = [node for node in tree.find_all(kind) if node.parent is not None]
    return chosen.choice(found) if found else None


def _equality(tree, chosen):
    if (node := _one(tree, exp.EQ, chosen)) is not None:
        a, b = node.this.sql("postgres"), node.expression.sql("postgres")
        form = chosen.choice(EQUALITIES).format(a=a, b=b)
        node.replace(exp.Paren(this=parse_one(form, read="postgres")))
    return tree


def _table(tree, chosen):
    node = _one(tree, exp.Table, chosen)
    if node is not None and isinstance(node.parent, exp.From | exp.Join):
        form = chosen.choice(TABLES).format(n=exp.to_identifier(node.name).sql("postgres"))
        query = parse_one(f"SELECT 1 FROM {form} AS {node.alias_or_name}", read="postgres")
        node.replace(query.args["from_"].this)
    return tree


def _column(tree, chosen):
    """Another column, with its table's name: without it, one may be of a query further out."""
    node, other = _one(tree, exp.Column, chosen), _one(tree, exp.Column, chosen)
    if node is not None and node.table and other.table:
        if chosen.randrange(2):
            node.replace(other.copy())
        else:
            node.set("this", exp.to_identifier(chosen.choice(NAMES)))
    return tree


def _loose(tree, chosen):
    """The tenant's column without its table's name, in a query that no other one stands around."""
    node = _one(tree, exp.Column, chosen)
    if node is not None and node.name == "tenant_id":
        query = node.find_ancestor(exp.Query)
        if query is not None and query.parent is None:
            node.set("table", None)
    return tree


def _join(tree, chosen):
    node = _one(tree, exp.Join, chosen)
    if node is not None and not node.args.get("method"):
        node.set("side", chosen.choice(("LEFT", "RIGHT", "FULL", None)))
        node.set("kind", None)
    return tree


def _whole(tree, chosen):
    if not isinstance(tree, exp.Query):
        return tree
    return parse_one(chosen.choice(WHOLES).format(s=tree.sql("postgres")), read="postgres")


_KINDS = (_equality, _equality, _table, _column, _loose, _join, _whole)
