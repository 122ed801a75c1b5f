"""Which source is believed, and what it means when two of them disagree.

The source believed first is billed; a source that names other tenants makes the call a conflict,
which is counted by kind and never resolved in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tenantmetrics.capture.request import TenantSource
from tenantmetrics.records import UNATTRIBUTED, Attribution, Claim, Claims, Misuse, Source

__all__ = ["Precedence", "asked_sources", "disagreements", "marked"]

_NOBODY = ((UNATTRIBUTED, 1),)
# A third of the time of the named tuple's own constructor.
_new = tuple.__new__
_APART = frozenset({Source.SCHEMA, Source.DATABASE, Source.UNATTRIBUTED})
"""A schema or a database of its own holds no other tenant's rows."""


class Precedence:
    """The order of the sources.

    Args:
        sources: `Source` values and sources of one's own, the one believed first at the front;
            others are not asked.
    """

    __slots__ = ("order", "rank")

    def __init__(self, sources: Iterable[str | TenantSource]) -> None:
        self.order = tuple(dict.fromkeys(map(_source, sources)))
        self.rank = {source: index for index, source in enumerate(self.order)}

    def settles(self, named: tuple[Claim, ...]) -> bool:
        """Whether nothing that comes later could be believed before these claims."""
        return any(claim.source is self.order[0] for claim in named)

    def attribute(  # noqa: C901 - the usual calls first, on the path of every one
        self,
        named: tuple[Claim, ...],
        session: str | None,
        misuses: tuple[Misuse, ...],
    ) -> Attribution:
        """Whose a call is.

        Args:
            named: What the call names itself.
            session: What its session names, if anything.
            misuses: What was seen already.
        """
        rank = self.rank
        if len(named) == 1:
            # Most calls name one tenant, and it is their session's. Nothing to compare or to sort.
            ((source, shares),) = named
            if source in rank:
                if session is None or Source.SESSION not in rank:
                    return _new(Attribution, (shares, source, misuses))
                if shares == ((session, 1),):
                    if rank[Source.SESSION] < rank[source]:
                        source = Source.SESSION
                    if misuses:
                        misuses = tuple(dict.fromkeys(misuses))
                    return _new(Attribution, (shares, source, misuses))
        claims = [claim for claim in named if claim.source in rank]
        if session is not None and Source.SESSION in rank:
            if not claims:
                return _new(Attribution, (((session, 1),), Source.SESSION, misuses))
            claims.append(Claim(Source.SESSION, ((session, 1),)))
        if not claims:
            return Attribution(_NOBODY, Source.UNATTRIBUTED, misuses)
        if len(claims) == 1:
            return Attribution(claims[0].shares, claims[0].source, misuses)
        claims.sort(key=lambda claim: rank[claim.source])
        believed = claims[0]
        kinds = dict.fromkeys(misuses)
        kinds.update(dict.fromkeys(disagreements(claims)))
        return Attribution(believed.shares, believed.source, tuple(kinds))


def marked(claims: Claims, attribution: Attribution) -> Attribution:
    """An attribution that says so if the call is billed to a tenant whose rows it may not be of.

    Args:
        claims: What the call says itself.
        attribution: Whose it is.
    """
    shares, source, misuses = attribution
    if not claims.exposed or source in _APART:
        return attribution
    return Attribution(shares, source, (*misuses, Misuse.UNDECIDED_UNDER_SESSION))


def asked_sources(sources: Iterable[str | TenantSource]) -> frozenset[Source]:
    """The sources that are asked.

    Args:
        sources: As for `Precedence`.
    """
    return frozenset(map(_source, sources))


def _source(source: str | TenantSource) -> Source:
    return Source(source) if isinstance(source, str) else Source.CUSTOM


def disagreements(claims: Sequence[Claim]) -> list[Misuse]:
    """The kinds of disagreement among claims that are ordered by precedence."""
    found: list[Misuse] = []
    tenants = {claim.source: _tenants(claim) for claim in claims}
    session, statement = tenants.get(Source.SESSION), tenants.get(Source.STATEMENT)
    if session and statement and session != statement:
        found.append(Misuse.OTHER_TENANTS_ROWS)
    first = claims[0]
    for claim in claims[1:]:
        if tenants[claim.source] != tenants[first.source] and {first.source, claim.source} != {
            Source.SESSION,
            Source.STATEMENT,
        }:
            found.append(Misuse.SOURCES_DISAGREE)
            break
    return found


def _tenants(claim: Claim) -> set[str]:
    return {tenant for tenant, _ in claim.shares if tenant != UNATTRIBUTED}
