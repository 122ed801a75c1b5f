"""What the recursive part of a WITH query reads of itself: keys that it hands on unchanged.

    WITH RECURSIVE tree AS (
        SELECT id, id AS place FROM pages WHERE tenant_id = :t
        UNION SELECT p.id, tree.place + 1 FROM pages p JOIN tree ON p.id = tree.place) …

`place` begins as a key and is a number from then on: it ties nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlglot import exp

from tenantmetrics.tenant.sql.proof.columns import Output, Relation
from tenantmetrics.tenant.sql.proof.key_names import is_key_name
from tenantmetrics.tenant.sql.sqlglot_trees import leftmost, read_from, unwrapped
from tenantmetrics.tenant.sql.value_expressions import bare

__all__ = ["forget_what_changes"]


def forget_what_changes(
    handed_on: Relation, name: str, body: exp.SetOperation, columns: Collection[str]
) -> None:
    """Take away the columns that a recursive part makes of something else.

    Args:
        handed_on: What the recursive part reads, as the first part gives it; is changed.
        name: The WITH query's.
        body: All its parts.
        columns: The tenant columns.
    """
    first = leftmost(body)
    seed = first.expressions if isinstance(first, exp.Select) else []
    places = _stars(seed)
    parts = list(_later_parts(body))
    outputs = handed_on.outputs
    if handed_on.star is not None and not all(_has_stars(p, places, len(seed)) for p in parts):
        # What such a part has in the place of a column that the first one does not list, nobody
        # knows: `SELECT * FROM pages … UNION SELECT p.floor + 1, p.title FROM pages p …`.
        handed_on.star = Output()
    changed = True
    while changed:
        changed = False
        for index, (label, output) in enumerate(outputs.items()):
            if not output.sources:
                continue
            if not all(
                isinstance(part, exp.Select)
                and _is_handed_on(
                    _item(part.expressions, index, len(outputs), places),
                    output,
                    _Names(outputs, _aliases(part, name), columns),
                )
                for part in parts
            ):
                outputs[label] = Output()
                changed = True


class _Names:
    """What a column's name means in the recursive part."""

    def __init__(self, outputs: dict[str, Output], own: set[str], columns: Collection[str]) -> None:
        self._outputs = outputs
        self._own = own
        self._columns = columns

    def meant(self, column: exp.Column) -> str | None:
        """The name of a table's column, None for one that is known to be something else."""
        name, table = column.name.lower(), column.table.lower()
        if table in self._own or (not table and name in self._outputs):
            found = self._outputs.get(name)
            return found.name if found is not None and found.sources else None
        return name

    def kind(self, name: str) -> str:
        """A tenant's column, a key, or what it is called."""
        if name in self._columns:
            return "tenant"
        return "key" if is_key_name(name) else name


def _is_handed_on(item: exp.Expr | None, output: Output, names: _Names) -> bool:
    column = bare(item.unalias()) if item is not None else None
    if not isinstance(column, exp.Column):
        return False
    name = names.meant(column)
    return name is not None and names.kind(name) == names.kind(output.name)


def _later_parts(body: exp.SetOperation) -> Iterator[exp.Expr]:
    """All branches but the first."""
    node: exp.Expr = body
    while isinstance(node, exp.SetOperation):
        branch = unwrapped(node.expression)
        if isinstance(branch, exp.SetOperation):
            yield unwrapped(leftmost(branch))
            yield from _later_parts(branch)
        else:
            yield branch
        node = unwrapped(node.this)


def _has_stars(part: exp.Expr, places: list[int], count: int) -> bool:
    """Whether a part gives tables' columns as they are, in the places where the first one does.

    Args:
        part: The part.
        places: Where the first one has `*`.
        count: How many items the first one has.
    """
    items = part.expressions if isinstance(part, exp.Select) else []
    if len(items) != count or _stars(items) != places:
        return False
    sources = [s.this if isinstance(s, exp.Join) else s for s in read_from(part)]
    tables = {s.alias_or_name.lower() for s in sources if isinstance(s, exp.Table)}
    names = {items[place].args.get("table") for place in places}
    if None in names and len(tables) < len(sources):
        return False
    return tables.issuperset(name.name.lower() for name in names if name is not None)


def _aliases(select: exp.Expr, name: str) -> set[str]:
    return {
        (table.alias or table.name).lower()
        for table in select.find_all(exp.Table)
        if table.name.lower() == name
    }


def _stars(items: list[exp.Expr]) -> list[int]:
    return [
        index
        for index, item in enumerate(items)
        if isinstance(item, exp.Star)
        or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star))
    ]


def _item(items: list[exp.Expr], index: int, count: int, seed: list[int]) -> exp.Expr | None:
    """What a part has at a place, counted from where no `*` stands between.

    Args:
        items: Its select list.
        index: The place among the columns of the first part that are listed.
        count: How many of them are listed.
        seed: Where the first part has `*`.
    """
    stars = _stars(items)
    if (not seed or index < seed[0]) and (not stars or index < stars[0]):
        return items[index] if index < len(items) else None
    back = count - index
    if (not seed or index >= seed[-1]) and (not stars or len(items) - back > stars[-1]):
        return items[-back] if back <= len(items) else None
    return None
