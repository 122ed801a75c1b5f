"""What a column means to the tables behind it: the sources, and whether they may be told by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlglot import exp

from tenantmetrics.tenant.identity.configured_names import Vocabulary
from tenantmetrics.tenant.identity.schema_file import TableFacts
from tenantmetrics.tenant.sql.proof.key_names import PLACE
from tenantmetrics.tenant.sql.restrictions import Restriction

__all__ = ["MAYBE", "Binding", "Origin", "Output", "ReachScope", "Relation", "unnamed"]


MAYBE = "\0\0maybe"
"""The name of columns that a source may have, or none."""


def unnamed(kind: str, which: object) -> str:
    """The name of a column that has none in its source; another for each, and never a key's.

    Args:
        kind: What it begins with, which says what it may be.
        which: Its place, or what it is called here.
    """
    return f"{kind}{which}\0"


class Origin(NamedTuple):
    """Where a column is one of a table's that the schema knows.

    Attributes:
        table: The table.
        column: What it is called there; empty where it is the name that it is asked for by.
    """

    table: TableFacts
    column: str = ""


class Output(NamedTuple):
    """A column.

    Attributes:
        sources: The sources that its values come from, one a branch of a UNION.
        name: What the sources call it.
        whole: Every row's value comes from these sources.
        inward: A condition on it restricts these sources.
        value: What a column of plain values names.
        of: The tables' columns that it is, where the schema knows them; empty where it does not.
        origin: The sources that its name is one in, where `sources` stand for several of them.
    """

    sources: tuple[int, ...] = ()
    name: str = ""
    whole: bool = False
    inward: bool = True
    value: Restriction | None = None
    of: tuple[Origin, ...] = ()
    origin: tuple[int, ...] = ()

    def standing_in(self, number: int) -> Output:
        """The same column as one of a source that stands for all of a query."""
        return self._replace(sources=(number,), origin=self.origin or self.sources)


@dataclass(slots=True)
class Relation:
    """What a query gives.

    Attributes:
        outputs: Its columns by name, in order.
        star: What columns that are not listed come from.
        tables: The sources inside: tables, and what stands for the WITH queries that it reads.
        table: The name of the table that it is; empty for what a query gives.
    """

    outputs: dict[str, Output] = field(default_factory=dict)
    star: Output | None = None
    tables: tuple[int, ...] = ()
    table: str = ""

    def output(self, name: str) -> Output | None:
        """A column by its name."""
        found = self.outputs.get(name)
        if found is None and self.star is not None:
            if name == PLACE:
                # Rows of two tables have it in common: it is told with its table's name.
                return self.star._replace(name=f"{self.table} {PLACE}") if self.table else None
            # What two NULs begin is of no known name, whatever it is called.
            unknown = self.star.name.startswith("\0\0")
            return self.star._replace(name=unnamed(self.star.name, name) if unknown else name)
        return found


class Binding(NamedTuple):
    """An entry of FROM."""

    relation: Relation


class ReachScope:
    """What names mean, looking outward.

    Args:
        parent: The scope around it.
        vocabulary: The tenant's names.

    Attributes:
        makes_one_row: The query gives a row whatever its tables hold: `SELECT count(*) FROM …`.
    """

    def __init__(self, parent: ReachScope | None, vocabulary: Vocabulary) -> None:
        self.parent = parent
        self.makes_one_row = False
        self.vocabulary = vocabulary
        self.bindings: dict[str, Binding] = {}
        self.ctes: dict[str, object] = {}

    def cte(self, name: str) -> object | None:
        """The WITH query of a name."""
        for scope in self.outward():
            if name in scope.ctes:
                return scope.ctes[name]
        return None

    def binding(self, name: str) -> Binding | None:
        """The entry of FROM that has a name, here or further out."""
        scope: ReachScope | None = self
        while scope is not None:
            binding = scope.bindings.get(name)
            if binding is not None:
                return binding
            scope = scope.parent
        return None

    def outward(self) -> Iterator[ReachScope]:
        """This scope and those around it."""
        scope: ReachScope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def may_be(self, output: Output, name: str) -> bool:
        """Whether the schema allows that a source has a column.

        Args:
            output: The column as the source's.
            name: What it is asked for by.
        """
        return all(
            bool(column) or self.vocabulary.may_have(table, name) for table, column in output.of
        )

    def columns(self, column: exp.Column) -> list[Output]:
        """What a column may mean: one, or several where the text does not tell."""
        name, qualifier = column.name.lower(), column.table.lower()
        if qualifier:
            binding = self.binding(qualifier)
            found = binding.relation.output(name) if binding is not None else None
            return [found] if found is not None else []
        fallback: list[Output] = []
        for scope in self.outward():
            listed = [b.relation.outputs[name] for b in scope.bindings.values()
                      if name in b.relation.outputs]  # fmt: skip
            if len(listed) == 1:
                return listed
            known: list[Output] = []
            possible: list[Output] = []
            maybe: list[Output] = []
            for (relation,) in scope.bindings.values():
                output = relation.output(name)
                if output is not None and output.name.startswith(MAYBE):
                    maybe.append(output)
                elif output is not None:
                    known.append(output)
                    # The schema may know that one of the tables has it, or one of a query around.
                    if name in relation.outputs or self.may_be(output, name):
                        possible.append(output)
            if possible or maybe:
                return possible or maybe[:1]
            fallback = fallback or known
        return fallback
