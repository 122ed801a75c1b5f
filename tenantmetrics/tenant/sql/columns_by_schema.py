"""`app.bookings.tenant_id`: a column that is asked for by its table's schema.

The analysis asks for columns by the name or alias of a table alone. A statement is not analysed in
which that may be another table than the schema's: `FROM s.b WHERE app.b.tenant_id = :t` inside a
query on `app.b`, and `FROM app.b JOIN s.b USING (id)`, whose tables have one name.
"""

from __future__ import annotations

from sqlglot import exp

from tenantmetrics.tenant.sql.sqlglot_trees import read_from, schema_of, sources_of

__all__ = ["may_be_of_another_table"]

_HIDDEN = "\0"
"""Stands for the schema of what has an alias: SQL cannot ask for it by a schema."""


def may_be_of_another_table(text: str, statement: exp.Expr) -> bool:
    """Whether a column may be of another table than the one that its name or alias tells.

    Args:
        text: The statement.
        statement: Its tree.
    """
    if text.count(".") < 2:  # noqa: PLR2004 - a column has two, two tables have one each
        return False
    schemas: dict[str, set[str]] = {}
    columns: list[tuple[str, str]] = []
    for node in statement.find_all(exp.Table, exp.Column):
        schema = schema_of(node)
        if isinstance(node, exp.Table):
            alias = node.alias.lower()
            schemas.setdefault(alias or node.name.lower(), set()).add(_HIDDEN if alias else schema)
        elif isinstance(node, exp.Column) and schema:
            columns.append((node.table.lower(), schema))
    if any(schemas.get(table, {""}) not in ({schema}, {""}) for table, schema in columns):
        return True
    several = {name for name, found in schemas.items() if len(found - {_HIDDEN}) > 1}
    return bool(several) and any(
        _has_one_twice(node, several) for node in statement.find_all(exp.Select, exp.DML)
    )


def _has_one_twice(node: exp.Expr, names: set[str]) -> bool:
    """Whether two tables of one FROM, or a target and a table of its FROM, have one name."""
    items = [node.args.get("using"), *read_from(node)]
    if not isinstance(node, exp.Select):
        items.append(node.this)
    found = [
        item.name.lower()
        for item, _ in sources_of(items)
        if isinstance(item, exp.Table) and not item.alias and item.name.lower() in names
    ]
    return len(found) != len(set(found))
