"""The names that carry a tenant, as configured, ready to be asked for."""

from __future__ import annotations

import re

from tenantmetrics.config import Config
from tenantmetrics.tenant.identity.schema_file import TableFacts, load_schema
from tenantmetrics.tenant.identity.tenant_ids import from_text

__all__ = ["Vocabulary"]


class Vocabulary:
    """Columns, variables, functions, comment keys and patterns that carry a tenant.

    Args:
        config: The settings.

    Raises:
        ConfigError: The file of `tenant_schema` cannot be read.
    """

    def __init__(self, config: Config) -> None:
        self.columns = {name.lower(): rank for rank, name in enumerate(config.tenant_columns)}
        self.variables = frozenset(name.lower() for name in config.tenant_variables)
        self.tables = _columns_of(config.tenant_tables)
        self.schema = load_schema(config.tenant_schema)
        if self.schema is not None:
            # A tenant column of another name than the usual ones is one in its table alone.
            for name, column in self.schema.tenant_columns():
                if column not in self.columns:
                    self.tables.setdefault(name, column)
        self.shared_rows = config.tenant_shared_rows
        self.trusts_updates = config.tenant_trust_updates
        self.functions = _positions(config.tenant_functions)
        self.setters = _positions(config.tenant_setters)
        self.comment_keys = frozenset(key.lower() for key in config.tenant_comment_keys)
        self._schema = _compiled(config.tenant_schema_pattern)
        self._database = _compiled(config.tenant_database_pattern)
        self._role = _compiled(config.tenant_role_pattern)

    def may_have(self, table: TableFacts, column: str) -> bool:
        """Whether a column without a table's name may be a table's.

        Args:
            table: What the schema knows of it. A table of tenants has its key here under the tenant
                columns' names.
            column: In lower case.
        """
        return table.may_have(column) or (
            column in self.columns and table.name.rpartition(".")[2] in self.tables
        )

    def of_schema(self, name: str) -> str | None:
        """The tenant whose schema this is."""
        return _match(self._schema, name)

    def of_database(self, name: str) -> str | None:
        """The tenant whose database this is."""
        return _match(self._database, name)

    def of_role(self, name: str) -> str | None:
        """The tenant whose role this is."""
        return _match(self._role, name)

    def of_search_path(self, path: str) -> str | None:
        """The tenant of the first tenant's schema in a search path."""
        for part in path.split(","):
            if tenant := self.of_schema(part.strip().strip('"')):
                return tenant
        return None


def _columns_of(names: tuple[str, ...]) -> dict[str, str]:
    """Table without its schema → the column that is the tenant."""
    pairs = (name.lower().rpartition(":") for name in names)
    return {table.rpartition(".")[2]: column for table, _, column in pairs}


def _positions(names: tuple[str, ...]) -> dict[str, int]:
    """Function name without its schema → index of the argument that is the tenant."""
    found = {}
    for name in names:
        function, _, position = name.partition(":")
        found[function.lower().rpartition(".")[2]] = int(position or 1) - 1
    return found


def _compiled(pattern: str) -> re.Pattern[str] | None:
    return re.compile(pattern) if pattern else None


def _match(pattern: re.Pattern[str] | None, name: str) -> str | None:
    found = pattern.fullmatch(name) if pattern is not None else None
    return from_text(found.group(1)) if found is not None and found.group(1) else None
