"""What is said around a text: the context, the schema and the database of a call."""

from __future__ import annotations

from collections.abc import Collection

from tenantmetrics.records import Claim, Claims, Source
from tenantmetrics.tenant.identity.configured_names import Vocabulary

__all__ = ["Surroundings"]

_MAX_NAMES = 16_384
"""Tenants of contexts, and databases, whose claims are kept ready."""
# A third of the time of the named tuple's own constructor.
_new = tuple.__new__


class Surroundings:
    """Adds what is said around texts to their claims.

    Args:
        vocabulary: The tenant's names.
        asked: The sources that are asked.
    """

    def __init__(self, vocabulary: Vocabulary, asked: Collection[Source]) -> None:
        self.vocabulary = vocabulary
        self._asked = asked
        self._contexts: dict[str, Claim] = {}
        self._databases: dict[str, Claim | None] = {"": None}

    def added(
        self, claims: Claims, own: str | None, tenant: str | None, database: str, schema: str
    ) -> Claims:
        """The claims of a call with what is said around its text: context, schema, database."""
        named = claims.named
        if own is not None:
            named = (Claim(Source.CUSTOM, ((own, 1),)), *named)
        if tenant is not None:
            context = self._contexts.get(tenant)
            if context is None:
                context = Claim(Source.CONTEXT, ((tenant, 1),))
                if len(self._contexts) >= _MAX_NAMES:
                    self._contexts = {}
                self._contexts[tenant] = context
            named = (context, *named)
        asks_schema = bool(schema) and Source.SCHEMA in self._asked
        of_schema = self.vocabulary.of_schema(schema) if asks_schema else None
        if of_schema and all(claim.source is not Source.SCHEMA for claim in named):
            named = (*named, Claim(Source.SCHEMA, ((of_schema, 1),)))
        if database:
            if database not in self._databases:
                self._database(database)
            claim = self._databases[database]
            if claim is not None:
                named = (*named, claim)
        if named is claims.named:
            return claims
        summary, _, *rest = claims
        return _new(Claims, (summary, named, *rest))

    def _database(self, name: str) -> None:
        """Keep ready what a database's name says."""
        asks = Source.DATABASE in self._asked
        tenant = self.vocabulary.of_database(name) if asks else None
        claim = Claim(Source.DATABASE, ((tenant, 1),)) if tenant is not None else None
        if len(self._databases) >= _MAX_NAMES:
            self._databases = {"": None}
        self._databases[name] = claim
