"""Statements of tables, plain conditions and plain values, read without the parser.

Most statements of an application are of this shape, and say in one place whom they are for. Their
plan is the one that the whole analysis makes, in a fraction of its time. A text that is in any way
different is left to the whole analysis; so is one whose tenant column stands in any other place
than `= value`, `IN (values)`, `= another tenant column` or a written row.
"""

from __future__ import annotations

import re

from tenantmetrics.limits import QUERY_SUMMARY_MAX_CHARS
from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.budget import Budget
from tenantmetrics.tenant.sql.build_restriction import build_restriction
from tenantmetrics.tenant.sql.closed_tables import if_closed
from tenantmetrics.tenant.sql.fast_path import grammar
from tenantmetrics.tenant.sql.guarded_tables import are_guarded
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.plan import Plan
from tenantmetrics.tenant.sql.proof.graph import ReachGraph
from tenantmetrics.tenant.sql.proof.key_names import key_ties
from tenantmetrics.tenant.sql.query_scope import MAX_STEPS, Facts, Key, QueryScope
from tenantmetrics.tenant.sql.restrictions import CLEAR, OPEN, UNKNOWN, Named, Restriction, Rows
from tenantmetrics.tenant.sql.template import range_of_string, slot_of_number, slot_of_string

__all__ = ["plain_plan"]


class _NotPlainError(Exception):
    """It takes the whole analysis."""


def plain_plan(template: str, tokens: list[str], vocabulary: Vocabulary) -> Plan | None:
    """The plan of a plain statement; None for any other text.

    Args:
        template: One statement without comments, literals replaced by slots.
        tokens: Its tokens without white space.
        vocabulary: The tenant's names.
    """
    if not template.isascii():
        return None
    try:
        return _Statement(tokens, vocabulary).plan()
    except _NotPlainError:
        return None


class _Statement:
    """One statement.

    Args:
        tokens: Its tokens.
        vocabulary: The tenant's names.
    """

    __slots__ = (
        "_aliases",
        "_conditions",
        "_restricted",
        "_schemas",
        "_shape",
        "_tables",
        "_ties",
        "_tokens",
        "_vocabulary",
    )

    def __init__(self, tokens: list[str], vocabulary: Vocabulary) -> None:
        self._tokens = tokens
        self._vocabulary = vocabulary
        self._shape = grammar.shape_of(tokens)
        self._aliases: dict[str, int] = {}
        self._tables: list[str] = []
        self._schemas: list[str] = []
        self._conditions: list[re.Match[str]] = []
        self._restricted: list[tuple[Key, Named]] = []
        self._ties: list[tuple[Key, Key]] = []

    def plan(self) -> Plan:
        """Its plan.

        Raises:
            _NotPlainError: It takes the whole analysis.
        """
        first = self._shape[:1]
        if first == "Y":
            return self._insert()
        if first == "S":
            verb, end = "SELECT", grammar.ORDER_AND_LIMIT
            at = self._where(self._from(self._match(grammar.SELECT, 0).end()))
        elif first == "U":
            verb, end = "UPDATE", grammar.RETURNING
            change = self._match(grammar.SET, self._source(1).end())
            if not self._vocabulary.columns.keys().isdisjoint(
                self._name(at) for at in range(change.start() + 1, change.end())
            ):
                # A row that is given to somebody.
                raise _NotPlainError
            at = self._where(change.end())
        elif first == "D" and self._shape[1:2] == "F":
            verb, end = "DELETE FROM", grammar.RETURNING
            at = self._where(self._source(2).end())
        else:
            raise _NotPlainError
        if end.fullmatch(self._shape, at) is None:
            raise _NotPlainError
        for condition in self._conditions:
            self._take(condition)
        columns = self._vocabulary.columns
        mentions = bool(self._restricted) or any(one[1] in columns for one, _ in self._ties)
        return self._planned(verb, self._node(), mentions)

    def _match(self, expression: re.Pattern[str], at: int) -> re.Match[str]:
        found = expression.match(self._shape, at)
        if found is None:
            raise _NotPlainError
        return found

    def _name(self, at: int) -> str:
        return self._tokens[at].strip('"').lower()

    def _source(self, at: int) -> re.Match[str]:
        """Read a table and its alias."""
        found = self._match(grammar.SOURCE, at)
        start, end = found.span("table")
        name = self._name(end - 1)
        alias = name if found["alias"] is None else self._name(found.end() - 1)
        vocabulary = self._vocabulary
        if (
            alias in self._aliases
            or name in vocabulary.tables
            or name in vocabulary.columns
            or alias in vocabulary.columns
        ):
            raise _NotPlainError
        self._aliases[alias] = len(self._tables)
        self._tables.append(self._tokens[end - 1].strip('"'))
        self._schemas.append(self._tokens[start].strip('"') if end - start > 1 else "")
        return found

    def _from(self, at: int) -> int:
        """Read what a query reads from; where it ends."""
        at = self._source(at).end()
        shape = self._shape
        while shape.startswith(("j", "kj"), at):
            at = self._source(at + (2 if shape[at] == "k" else 1)).end()
            if not shape.startswith("J", at):
                raise _NotPlainError
            at = self._all_of(at + 1)
        return at

    def _where(self, at: int) -> int:
        return self._all_of(at + 1) if self._shape.startswith("W", at) else at

    def _all_of(self, at: int) -> int:
        """Read conditions; where they end. Parentheses mean nothing among ANDs."""
        shape, conditions = self._shape, self._conditions
        # For each open parenthesis, and all around, the first condition, and whether it has an OR.
        opened: list[tuple[int, bool]] = [(len(conditions), False)]
        while True:
            while shape.startswith("(", at):
                opened.append((len(conditions), False))
                at += 1
            condition = self._match(grammar.CONDITION, at)
            conditions.append(condition)
            at = condition.end()
            while len(opened) > 1 and shape.startswith(")", at):
                self._close(*opened.pop())
                at += 1
            if shape.startswith("|", at):
                opened[-1] = (opened[-1][0], True)
            elif not shape.startswith("&", at):
                break
            at += 1
        if len(opened) > 1:
            raise _NotPlainError
        self._close(*opened.pop())
        return at

    def _close(self, first: int, has_or: bool) -> None:
        """The conditions of a parenthesis are read; those of one with an OR may say nothing."""
        if has_or:
            for condition in self._conditions[first:]:
                self._has_no_say(condition)

    def _has_no_say(self, condition: re.Match[str]) -> None:
        """Make sure that a condition neither restricts nor ties."""
        name = self._name(condition.end("column") - 1)
        if name in self._vocabulary.columns or condition["other"] is not None:
            raise _NotPlainError

    def _take(self, condition: re.Match[str]) -> None:
        """Take what a condition restricts and what it ties."""
        if condition["not"]:
            self._has_no_say(condition)
            return
        columns = self._vocabulary.columns
        start, end = condition.span("column")
        name = self._name(end - 1)
        other_start, other_end = condition.span("other")
        if other_start >= 0:
            other = self._name(other_end - 1)
            if (name in columns) is not (other in columns):
                raise _NotPlainError
            if len(self._tables) > 1 or name in columns:
                one = (self._number(start, end), name)
                two = (self._number(other_start, other_end), other)
                if one != two:
                    self._ties.append((one, two))
        elif name in columns:
            number = self._number(start, end)
            value, listed = condition.span("value"), condition.span("list")
            if value[0] >= 0:
                operands = [self._operand(*value)]
            elif listed[0] >= 0:
                found = grammar.WRITTEN.finditer(self._shape, *listed)
                operands = [self._operand(*one.span()) for one in found]
            else:
                raise _NotPlainError
            self._restricted.append(((number, name), Named(tuple(operands))))

    def _number(self, start: int, end: int) -> int:
        """The number of the table that a column is of."""
        if end - start == 1:
            if len(self._tables) > 1:
                raise _NotPlainError
            return 0
        number = self._aliases.get(self._name(start))
        if number is None:
            raise _NotPlainError
        return number

    def _operand(self, start: int, end: int) -> Operand:
        """A parameter or a literal, with its cast."""
        value = self._tokens[start]
        cast: tuple[str, ...] = ()
        if end - start > 1:
            name = grammar.CASTS.get(self._name(end - 1))
            if name is None:
                raise _NotPlainError
            cast = (name,)
        first = value[0]
        if first == ":":
            return Operand(parameter=value[1:], cast=cast)
        if first != "'":
            slot = slot_of_number(value)
        elif (ends := range_of_string(value[1:-1])) is not None:
            return Operand(slot=ends[0], last=ends[1], cast=cast)
        else:
            slot = slot_of_string(value[1:-1])
        if slot is None:
            raise _NotPlainError
        return Operand(slot=slot, cast=cast)

    def _node(self) -> Restriction:
        """Whose rows they are."""
        restricted = self._restricted
        count = len(self._tables)
        if count > 1 and self._vocabulary.schema is not None:
            # Keys decide then what belongs together.
            raise _NotPlainError
        if count == 1 and not self._ties:
            if not restricted:
                return OPEN
            if len(restricted) == 1:
                return restricted[0][1]
        budget = Budget(MAX_STEPS)
        facts = Facts()
        facts.tables = True
        columns = self._vocabulary.columns
        facts.main.constraints = list(restricted)
        facts.main.links = [tie for tie in self._ties if tie[0][1] in columns]
        node = build_restriction(facts, QueryScope(None, self._vocabulary, budget))
        if count == 1 or node in (UNKNOWN, OPEN, CLEAR):
            return node
        graph = ReachGraph(budget)
        for _ in self._tables:
            graph.source(table=True)
        for (number, _), named in restricted:
            graph.restrict(number, named)
        self._tie(graph)
        closed = graph.closed().issuperset(graph.tables)
        return if_closed(node, graph.groups() if closed else None)

    def _tie(self, graph: ReachGraph) -> None:
        """What closes each other by an equality."""
        for (one, name), (two, other) in self._ties:
            is_tenant = name in self._vocabulary.columns
            forward, back = (True, True) if is_tenant else key_ties(name, other)
            if forward:
                graph.edge(one, two)
            if back:
                graph.edge(two, one)
            if forward and back:
                graph.near(one, two)

    def _insert(self) -> Plan:
        """INSERT … VALUES."""
        found = self._match(grammar.INSERT, 0)
        if grammar.RETURNING.fullmatch(self._shape, found.end()) is None:
            raise _NotPlainError
        self._source(found.start("table"))
        columns = self._vocabulary.columns
        names = [self._name(at) for at in range(*found.span("columns"), 2)]
        ranked = [(columns[name], index) for index, name in enumerate(names) if name in columns]
        if not ranked:
            return self._planned("INSERT INTO", CLEAR, False)
        index = min(ranked)[1]
        rows: list[Restriction] = []
        for row in grammar.ROW.finditer(self._shape, *found.span("rows")):
            values = list(grammar.WRITTEN.finditer(self._shape, *row.span()))
            if index >= len(values):
                raise _NotPlainError
            rows.append(Named((self._operand(*values[index].span()),)))
        return self._planned("INSERT INTO", rows[0] if len(rows) == 1 else Rows(tuple(rows)), True)

    def _planned(self, verb: str, node: Restriction, mentions: bool) -> Plan:
        of_schemas: list[str] = []
        summary = verb
        for schema, name in zip(self._schemas, self._tables, strict=True):
            tenant = self._vocabulary.of_schema(schema) if schema else None
            if tenant is not None:
                of_schemas.append(tenant)
            shown = f"{schema}.{name}" if schema and tenant is None else name
            summary += f' "{shown}"' if any(map(str.isspace, shown)) else f" {shown}"
        if len(summary) > QUERY_SUMMARY_MAX_CHARS:
            raise _NotPlainError
        tables = [name.lower() for name in self._tables]
        return Plan(
            summary=summary,
            node=node,
            tables=tuple(dict.fromkeys(tables)),
            schemas=tuple(dict.fromkeys(of_schemas)),
            mentions=mentions or self._mentions(),
            guarded=are_guarded(
                zip(map(str.lower, self._schemas), tables, strict=True), self._vocabulary
            ),
        )

    def _mentions(self) -> bool:
        columns = self._vocabulary.columns
        return any(
            token.strip('"').lower() in columns
            for token, kind in zip(self._tokens, self._shape, strict=True)
            if kind == "n"
        )
