"""Tables whose rows of others stay hidden, whatever a statement says of them."""

from __future__ import annotations

from collections.abc import Iterable

from tenantmetrics.tenant.identity.configured_names import Vocabulary

__all__ = ["are_guarded"]

_SERVERS = frozenset({"pg_catalog", "information_schema"})


def are_guarded(tables: Iterable[tuple[str, str]], vocabulary: Vocabulary) -> bool:
    """Whether all are PostgreSQL's own, everybody's, or guarded by row-level security.

    Args:
        tables: Schema, or nothing, as PostgreSQL reads it, and name of each, lower case.
        vocabulary: The tenant's names, and the schema that knows the rest.
    """
    found = False
    for schema, name in tables:
        if schema not in _SERVERS and (schema or not name.startswith("pg_")):
            known = vocabulary.schema
            facts = known.table(name, schema) if known is not None else None
            if facts is None or not (facts.guarded or facts.shared):
                return False
        found = True
    return found
