"""Reads a plain statement's queries from the shape of its text; names are looked up at once."""

from __future__ import annotations

import re
from functools import lru_cache

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.sql.fast_path import grammar
from tenantmetrics.tenant.sql.fast_path.computed_values import (
    without_computed,
    without_subqueries,
)
from tenantmetrics.tenant.sql.fast_path.output_columns import describe
from tenantmetrics.tenant.sql.fast_path.query_tree import (
    NotPlainError,
    PlainCondition,
    PlainQuery,
    PlainSource,
)
from tenantmetrics.tenant.sql.fast_path.read_conditions import read_conditions
from tenantmetrics.tenant.sql.fast_path.read_sources import read_joins, read_source
from tenantmetrics.tenant.sql.long_lists import range_of_string
from tenantmetrics.tenant.sql.operands import Operand
from tenantmetrics.tenant.sql.restrictions import Named
from tenantmetrics.tenant.sql.template import slot_of_number, slot_of_string

__all__ = ["PlainReader"]

_MAX_LEVELS = 12
_MOST_VALUES = 1_024
"""Parameters that an application has, and places of literals, 0.5 kB each."""
_RANKS = frozenset(["row_number", "rank", "dense_rank"])
"""Functions of no arguments that only a window has."""


class PlainReader:
    """Reads one statement.

    Args:
        tokens: Its tokens.
        vocabulary: The tenant's names.

    Attributes:
        tokens: Its tokens.
        letters: One for each of them.
        shape: The same, with what is computed taken out.
        vocabulary: The tenant's names.
        columns: The tenant columns.
        summary: What it does and to which tables, in the order of the text.
        tables: Schema and name of each table, WITH queries left out: the name in lower case, the
            schema as PostgreSQL reads it.
        of_schemas: The tenants that its tables' schemas name.
        compared: By parameter, the columns that are no tenant's and that are equal to it.
        compares: Whether a condition compares a tenant column.
        values: What tenant columns are compared with, in the order of the text.
        with_queries: WITH queries by name.
        count: How many sources are read.
        levels: How many queries stand around the one that is read.
        all_hold: Whether each condition holds for the whole statement: it has no LEFT JOIN, nothing
            negated, and reads from tables alone.
    """

    __slots__ = (
        "_written", "all_hold", "columns", "compared", "compares", "count", "letters", "levels",
        "of_schemas", "schemas", "shape", "summary", "tables", "tokens", "values", "vocabulary",
        "with_queries",
    )  # fmt: skip

    def __init__(self, tokens: list[str], vocabulary: Vocabulary) -> None:
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.columns = vocabulary.columns
        self.with_queries: dict[str, PlainQuery] = {}
        self._written: dict[str, str] = {}
        self.count = self.levels = 0
        self.letters = grammar.shape_of(tokens)
        self.shape = without_computed(self.letters)
        self.summary: list[str] = []
        self.tables: list[tuple[str, str]] = []
        self.of_schemas: list[str] = []
        self.compared: dict[str, list[str]] = {}
        self.compares = False
        self.schemas: dict[str, set[str]] = {}
        """By alias or name, the schemas that tables are read by; empty for one that none is."""
        self.values: list[Named] = []
        self.all_hold = True

    def compare(self, name: str, start: int, end: int) -> None:
        """A column that is no tenant's is equal to one of some tokens.

        Args:
            name: What tells it from others.
            start: The first of the tokens.
            end: The place behind the last.
        """
        for token in self.tokens[start:end]:
            if token[0] == ":" and len(token) > 1:
                self.compared.setdefault(token, []).append(name)

    def check_keys(self) -> None:
        """Make sure that no two keys are equal to one parameter, which may tie their rows.

        Raises:
            NotPlainError: Two may be: columns of two names, or of sources that may rename theirs.
        """
        for names in self.compared.values():
            if len(names) > 1 and (not self.all_hold or len(set(names)) > 1):
                raise NotPlainError

    def match(self, expression: re.Pattern[str], at: int) -> re.Match[str]:
        """What stands at a place.

        Raises:
            NotPlainError: Something else.
        """
        found = expression.match(self.shape, at)
        if found is None:
            raise NotPlainError
        return found

    def name(self, at: int) -> str:
        """A name without its quotes, lower case."""
        return self.tokens[at].strip('"').lower()

    def scope_name(self, at: int) -> str:
        """The name of a source or of a WITH query, lower case.

        Raises:
            NotPlainError: Another one differs only in the case of letters.
        """
        token = self.tokens[at]
        name = token.strip('"').lower()
        written = token.strip('"') if token.startswith('"') else name
        if self._written.setdefault(name, written) != written:
            raise NotPlainError
        return name

    def selects(self) -> list[PlainQuery]:
        """Read a whole query: the branches of its UNION, or itself."""
        shape = self.shape
        at = 0
        while shape.startswith("H" if at == 0 else ",", at):
            found = self.match(grammar.WITH_QUERY, at)
            name = self.scope_name(found.end("name") - 1)
            if name in self.with_queries or name in self.columns or name in self.vocabulary.tables:
                raise NotPlainError
            query, at = self.inside(found.end(), None, read_from=True)
            if any(not schema and table == name for schema, table in self.tables):
                # Not itself and not another WITH query, but a table of that name.
                raise NotPlainError
            describe(self, query)
            query.named, self.all_hold = True, False
            self.with_queries[name] = query
        query, at = self._branch(at)
        found_queries = [query]
        while (union := grammar.UNION.match(shape, at)) is not None:
            if self.with_queries or (
                (query.ordered or query.cut) and not shape.startswith(")", at - 1)
            ):
                raise NotPlainError
            query, at = self._branch(union.end())
            found_queries.append(query)
        if len(found_queries) > 1 and shape.startswith(")", at - 1):
            at = self.match(grammar.TAIL, at).end()
        if grammar.END.fullmatch(shape, at) is None:
            raise NotPlainError
        return found_queries

    def _branch(self, at: int) -> tuple[PlainQuery, int]:
        """Read a branch of UNION, in parentheses or not; it and where it ends."""
        return (
            self.inside(at + 1, None) if self.shape.startswith("(S", at) else self.select(at, None)
        )

    def select(self, at: int, outer: PlainQuery | None) -> tuple[PlainQuery, int]:
        """Read a SELECT; it and where it ends."""
        shape = self.shape
        subqueries: list[int] | None = None
        head = grammar.SELECT.match(shape, at)
        if head is None and not self.levels:
            masked, subqueries = without_subqueries(shape, at)
            head = grammar.SELECT.match(masked, at)
        if head is None:
            raise NotPlainError
        self.summary.append("SELECT")
        spoken = (len(self.summary), len(self.tables), len(self.of_schemas)) if subqueries else None
        query = PlainQuery(outer)
        start, end = query.items = head.span("items")
        if head.string.find(grammar.WINDOW, start, end) >= 0:
            self._windows(head)
            query.windowed = True
        at = read_joins(self, query, read_source(self, query, head.end()))
        if shape.startswith("W", at):
            at = read_conditions(self, query, at + 1, query.where)
        tail = self.match(grammar.TAIL, at)
        if tail["group"]:
            query.group = tail.span("group")
            if tail["having"] and (
                self.mentions_tenant(*tail.span("having"))
                or any(source.left for source in query.sources.values())
            ):
                # It may speak of tenants, or need rows that a LEFT JOIN need not find.
                raise NotPlainError
        if tail["order"]:
            query.ordered = self.letters[slice(*tail.span("order"))]
        query.cut = bool(tail["cut"])
        if subqueries and spoken:
            self._read_listed(query, subqueries, spoken)
        return query, tail.end()

    def _read_listed(
        self, query: PlainQuery, subqueries: list[int], spoken: tuple[int, int, int]
    ) -> None:
        """Read the subqueries of a select list, which restrict nothing, as NOT EXISTS does not.

        Args:
            query: Whose select list it is; its sources are read.
            subqueries: Where they begin.
            spoken: Where what they speak of belongs: in the summary, the tables and the schemas.
        """
        kept = (self.summary, self.tables, self.of_schemas)
        self.summary, self.tables, self.of_schemas = [], [], []
        self.all_hold = False
        for start in subqueries:
            condition = PlainCondition()
            condition.negated, condition.needs = True, False
            condition.query, _ = self.inside(start, query)
            query.where.append(condition)
        kept[0][spoken[0] : spoken[0]] = self.summary
        kept[1][spoken[1] : spoken[1]] = self.tables
        kept[2][spoken[2] : spoken[2]] = self.of_schemas
        self.summary, self.tables, self.of_schemas = kept

    def _windows(self, head: re.Match[str]) -> None:
        """Make sure that the windows of a select list count rows, and hand nothing on."""
        shape = head.string
        start, end = head.span("items")
        at = shape.find(grammar.WINDOW, start, end)
        while at >= 0:
            ranks = not shape.startswith("n()", at - 3) or self.tokens[at - 3].lower() in _RANKS
            if not ranks:
                raise NotPlainError
            at = shape.find(grammar.WINDOW, at + 1, end)

    def inside(
        self, at: int, outer: PlainQuery | None, *, read_from: bool = False
    ) -> tuple[PlainQuery, int]:
        """Read a query up to the parenthesis that closes it.

        Args:
            at: Where it begins.
            outer: The query that it may refer to.
            read_from: Another query reads from it.

        Returns:
            The query, and where what is behind it begins.
        """
        self.levels += 1
        if self.levels > _MAX_LEVELS:
            raise NotPlainError
        query, at = self.select(at, outer)
        if query.windowed and not read_from:
            raise NotPlainError
        self.levels -= 1
        at = self.match(grammar.LOCK, at).end()
        if not self.shape.startswith(")", at):
            raise NotPlainError
        return query, at + 1

    def schema_at(self, at: int) -> str:
        """A schema; PostgreSQL reads it in lower case where it is not quoted."""
        token = self.tokens[at]
        return token.strip('"') if token.startswith('"') else token.lower()

    def source_if_told(self, query: PlainQuery, start: int, end: int) -> PlainSource | None:
        """What a column is of, None where that is not told.

        Raises:
            NotPlainError: What a query in FROM lists has to tell it.
        """
        if end - start == 1:
            sources = query.sources.values()
            if len(sources) == 1:
                return next(iter(sources))
            if any(source.query is not None for source in sources):
                raise NotPlainError
            return None
        alias = self.name(end - 3)
        around: PlainQuery | None = query
        while around is not None:
            source = around.sources.get(alias)
            if source is not None:
                return source
            around = around.outer
        return None

    def source_of(self, query: PlainQuery, start: int, end: int) -> PlainSource:
        """What a column is of.

        Raises:
            NotPlainError: That is not told, or there is no such column.
        """
        source = self.source_if_told(query, start, end)
        if source is None or not (source.query is None or source.has(self.name(end - 1))):
            raise NotPlainError
        return source

    def named(self, start: int, end: int) -> Named:
        """The tenant that a parameter or a literal names.

        Raises:
            NotPlainError: Its cast says something of its own, or it is no tenant's value.
        """
        tokens = self.tokens
        found = _named(tokens[start], tokens[end - 1].lower() if end - start > 1 else "")
        if found is None:
            raise NotPlainError
        return found

    def operand(self, start: int, end: int) -> Operand:
        """A parameter or a literal, with its cast.

        Raises:
            NotPlainError: As `named`.
        """
        return self.named(start, end).operands[0]

    def mentions_tenant(self, start: int, end: int) -> bool:
        """Whether a tenant column is among some tokens: a row that is given to somebody."""
        return not self.columns.keys().isdisjoint(map(self.name, range(start, end)))

    def check_schemas(self) -> None:
        """Make sure that columns asked for by a schema are of the table that the statement reads.

        Raises:
            NotPlainError: One may be of another table.
        """
        for found in grammar.BY_SCHEMA.finditer(self.letters):
            at = found.start()
            if self.schemas.get(self.name(at + 2)) != {self.schema_at(at)}:
                raise NotPlainError

    def mentions(self) -> bool:
        """Whether a tenant column occurs."""
        if self.compares:
            return True
        columns = self.columns
        behind = f"{self.letters[1:]};"
        # What stands before a dot is a table or its schema.
        return any(
            kind == "n" and after != "." and token.strip('"').lower() in columns
            for token, kind, after in zip(self.tokens, self.letters, behind, strict=True)
        )


@lru_cache(maxsize=_MOST_VALUES)
def _named(value: str, type_: str) -> Named | None:
    """What a parameter or a literal names: one node for all places that it is in."""
    cast: tuple[str, ...] = ()
    if type_:
        name = grammar.CASTS.get(type_)
        if name is None:
            return None
        cast = (name,)
    first = value[0]
    if first == ":":
        return Named((Operand(parameter=value[1:], cast=cast),))
    if first != "'":
        slot = slot_of_number(value)
    elif (ends := range_of_string(value[1:-1])) is not None:
        return Named((Operand(slot=ends[0], last=ends[1], cast=cast),))
    else:
        slot = slot_of_string(value[1:-1])
    return None if slot is None else Named((Operand(slot=slot, cast=cast),))
