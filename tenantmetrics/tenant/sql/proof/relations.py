"""The columns that a query gives: renamed, united, or taken as those of one source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from tenantmetrics.tenant.sql.proof.columns import Origin, Output, ReachScope, Relation, unnamed
from tenantmetrics.tenant.sql.proof.key_names import is_no_key

__all__ = [
    "WithQuery",
    "origins",
    "renamed",
    "standing_for",
    "united",
    "without_inward",
    "without_inward_to_outer",
]


@dataclass(slots=True)
class WithQuery:
    """A WITH query, analysed at its first use; each use has a source that stands for all of it."""

    node: exp.CTE
    scope: ReachScope
    recursive: bool
    relation: Relation | None = None
    start: int = 0
    closed: bool | None = None
    told: set[int] | None = None
    whole: int | None = None
    uses: list[int] = field(default_factory=list)
    roots: dict[tuple[int, ...], bool] = field(default_factory=dict)


def without_inward(relation: Relation) -> None:
    """Make every column one that passes no condition inward."""
    relation.outputs = {
        name: output._replace(inward=False) for name, output in relation.outputs.items()
    }
    if relation.star is not None:
        relation.star = relation.star._replace(inward=False)


def without_inward_to_outer(relation: Relation, start: int) -> None:
    """Let no condition on a row of several queries in to the outer rows that it was made of.

    `a.id IN (SELECT a.id UNION SELECT b.aid)` is true of all rows of `b`: a condition takes rows of
    the second query away, and the first one's stay.

    Args:
        relation: What the queries give together.
        start: The number of the first source that is in one of them.
    """
    for name, output in relation.outputs.items():
        if output.sources and min(output.sources) < start:
            relation.outputs[name] = output._replace(inward=False)
    star = relation.star
    if star is not None and star.sources and min(star.sources) < start:
        relation.star = star._replace(inward=False)


def standing_for(relation: Relation, number: int, told: set[int]) -> Relation:
    """The same columns, all from one source; a value that is written there is of no source.

    Args:
        relation: The columns.
        number: The source.
        told: The sources that are closed if all tables in it are.
    """

    def of_all(output: Output) -> Output:
        if not output.whole or not output.sources or not told.issuperset(output.sources):
            return Output()
        return output._replace(whole=True, value=None).standing_in(number)

    outputs = {name: of_all(output) for name, output in relation.outputs.items()}
    star = of_all(relation.star) if relation.star is not None else None
    return Relation(outputs, star, relation.tables)


def renamed(relation: Relation, names: list[str]) -> Relation:
    """The columns under other names, by their place; further columns keep theirs."""
    old = list(relation.outputs.values())
    if relation.star is not None:
        # Which column of the table it is is not known, nor whether it is a tenant's.
        star = relation.star
        unknown = {name: unnamed(star.name or "\0\0", name) for name in names}
        columns = {
            name: star._replace(name=label, of=tuple(Origin(table, label) for table, _ in star.of))
            for name, label in unknown.items()
        }
        return Relation(columns, star, relation.tables)
    outputs = {
        name: old[index] if index < len(old) else Output() for index, name in enumerate(names)
    }
    rest = list(relation.outputs.items())[len(names) :]
    return Relation({**outputs, **dict(rest)}, None, relation.tables)


def united(relations: list[Relation]) -> Relation:
    """Columns by their place; one of which a branch is not known is no column of any."""
    first = relations[0]
    lists = [list(relation.outputs.values()) for relation in relations]
    if any(relation.star is not None for relation in relations):
        if all(relation.star is not None and not relation.outputs for relation in relations):
            stars = [relation.star for relation in relations if relation.star is not None]
            return Relation({}, _together(stars))
        # Without a list of columns the first branch may have others.
        star = Output() if first.star is not None else None
        return Relation(dict.fromkeys(first.outputs, Output()), star)
    outputs = {}
    for index, name in enumerate(first.outputs):
        outputs[name] = _together(
            [columns[index] if index < len(columns) else Output() for columns in lists], index
        )
    return Relation(outputs)


def origins(outputs: Sequence[Output]) -> tuple[Origin, ...]:
    """What all columns are in their tables; nothing where it is not known of one of them."""
    if not all(output.of for output in outputs):
        return ()
    return tuple(
        dict.fromkeys(
            Origin(table, column or output.name)
            for output in outputs
            for table, column in output.of
        )
    )


def _together(outputs: list[Output], index: int = 0) -> Output:
    names = {output.name for output in outputs}
    # What is no key in one branch is none in all.
    several = "\0\0" if any(map(is_no_key, names)) else "\0"
    return Output(
        tuple(dict.fromkeys(source for output in outputs for source in output.sources)),
        names.pop() if len(names) == 1 else unnamed(several, index),
        all(output.whole and output.sources for output in outputs),
        all(output.inward and output.sources for output in outputs),
        of=origins(outputs),
    )
