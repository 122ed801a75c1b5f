"""A plain statement as it is read: queries, what they read from, their conditions."""

from __future__ import annotations

from tenantmetrics.tenant.sql.restrictions import Named, Restriction

__all__ = ["Column", "NotPlainError", "PlainCondition", "PlainItem", "PlainQuery", "PlainSource"]

Column = tuple[int, str, bool]
"""In the proof: the number of the source, what it calls the column, whether a condition on it
restricts the source."""


class NotPlainError(Exception):
    """The statement takes the whole analysis."""


class PlainItem:
    """An item of the select list of a query that another one reads from.

    Attributes:
        name: What the query around it calls it, lower case.
        source: What it is read from; None for `count(*)` and the like.
        column: What its source calls it.
        is_tenant: Whether it is a tenant column.
        inward: Whether a condition on it restricts its source.
    """

    __slots__ = ("column", "inward", "is_tenant", "name", "source")

    def __init__(self, name: str, source: PlainSource | None, column: str) -> None:
        self.name = name
        self.source = source
        self.column = column
        self.is_tenant = False
        self.inward = True


class PlainSource:
    """An entry of FROM.

    Attributes:
        query: The derived table or WITH query that it is; None for a table.
        left: It is the nullable side of a LEFT JOIN.
        comma: It stands behind a comma, and so begins a tree of joins of its own.
        on: Conditions of its join.
        key: Its number among what the statement restricts.
        low: Its number in the proof.
        high: The number behind the last one in it.
        outputs: In the proof: the columns that it lists.
        star: In the proof: what its other columns come from.
    """

    __slots__ = ("comma", "high", "key", "left", "low", "on", "outputs", "query", "star")

    def __init__(self, key: int, query: PlainQuery | None) -> None:
        self.key = key
        self.query = query
        self.left = self.comma = False
        self.on: list[PlainCondition] = []
        self.low = self.high = 0
        self.outputs: dict[str, Column] = {}
        self.star: Column | None = None

    def has(self, name: str) -> bool:
        """Whether it has a column of this name."""
        query = self.query
        if query is None or name in query.columns:
            return True
        return query.star is not None and query.star.has(name)

    def output(self, name: str) -> Column | None:
        """A column in the proof."""
        found = self.outputs.get(name)
        if found is None and self.star is not None:
            number, _, inward = self.star
            return (number, name, inward)
        return found


class PlainQuery:
    """A SELECT.

    Attributes:
        outer: The query that it may refer to.
        sources: What it reads from, by alias, in the order of the text.
        where: The conditions of its WHERE.
        items: Where its select list stands in the shape.
        group: Where the columns of GROUP BY stand; an empty span for none.
        ordered: The shape of its ORDER BY, empty for none.
        cut: It has LIMIT or OFFSET.
        windowed: Its select list has windows.
        named: It is a WITH query.
        columns: Its columns by name where another query reads from it.
        star: The source of its `*` there.
        is_star_inward: Whether conditions on what `*` gives restrict that.
        node: Whom it names, once that is known.
        whole: In the proof of a WITH query: stands for all of it.
        outputs: In the proof: the columns that it lists.
        star_output: In the proof: what its other columns come from.
    """

    __slots__ = (
        "columns", "cut", "group", "is_star_inward", "items", "named", "node", "ordered", "outer",
        "outputs", "sources", "star", "star_output", "where", "whole", "windowed",
    )  # fmt: skip

    def __init__(self, outer: PlainQuery | None) -> None:
        self.outer = outer
        self.sources: dict[str, PlainSource] = {}
        self.where: list[PlainCondition] = []
        self.items = self.group = (0, 0)
        self.ordered = ""
        self.cut = self.named = self.windowed = False
        self.columns: dict[str, PlainItem] = {}
        self.star: PlainSource | None = None
        self.is_star_inward = True
        self.node: Restriction | None = None
        self.whole: int | None = None
        self.outputs: dict[str, Column] = {}
        self.star_output: Column | None = None


class PlainCondition:
    """A condition that every row of its query meets.

    Attributes:
        source: What its column is of; None where that is not told, or has no say.
        column: The column's name.
        named: The tenants that the column equals.
        other: What the other side is of, where it is a column.
        other_column: That column's name.
        query: The subquery of EXISTS, or of IN.
        negated: It is NOT EXISTS, or NOT IN.
        needs: It is true for no row that lacks its columns.
    """

    __slots__ = (
        "column", "named", "needs", "negated", "other", "other_column", "query", "source",
    )  # fmt: skip

    def __init__(self) -> None:
        self.source: PlainSource | None = None
        self.column = ""
        self.named: Named | None = None
        self.other: PlainSource | None = None
        self.other_column = ""
        self.query: PlainQuery | None = None
        self.negated = False
        self.needs = True
