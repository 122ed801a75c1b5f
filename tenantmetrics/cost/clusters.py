"""Which charges of a bill are of which clusters' usage: each cluster its own pools and hours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tenantmetrics.arns import region_of
from tenantmetrics.cost.bill import Bill
from tenantmetrics.cost.bill.model import Charges, Place
from tenantmetrics.cost.bill.pools import OF_CLUSTERS
from tenantmetrics.cost.cluster_names import (
    ClusterNames,
    Reference,
    account_of,
    same_name,
    short,
)
from tenantmetrics.errors import ReportError

__all__ = ["Matched", "Part", "match"]

_NAMED = 5
"""Clusters that a note names one by one."""


@dataclass(frozen=True, slots=True)
class Part:
    """Charges that the usage of some clusters bears.

    Attributes:
        clusters: ARNs of those; empty for charges of what nobody called.
        cells: The clusters, and the places without usage, that the charges are of: a credit of an
            account is a credit of the account's clusters that nobody called, too.
        charges: The charges.
    """

    clusters: tuple[str, ...]
    cells: frozenset[str]
    charges: Charges


@dataclass(frozen=True, slots=True)
class Matched:
    """A bill's parts, what a reader must know of them, and why they are a draft."""

    parts: Sequence[Part]
    notes: Sequence[str]
    draft: Sequence[str]


def match(
    bill: Bill,
    calls: Mapping[str, int],
    names: ClusterNames,
) -> Matched:
    """Give each charge the clusters whose usage it is divided by.

    Args:
        bill: The bill.
        calls: Calls by ARN of the clusters that were called.
        names: What else they are called on bills.

    Raises:
        ReportError: The charges are of more clusters than were called, under names that tell
            nothing.
    """
    matching = _Matching(bill, sorted(calls), names)
    matching.run()
    parts = matching.parts()
    return Matched(parts, tuple(matching.notes(calls, parts)), tuple(matching.draft()))


@dataclass(slots=True)
class _Matching:
    bill: Bill
    called: Sequence[str]
    names: ClusterNames
    given: dict[Place, tuple[str, ...]] = field(default_factory=dict)
    guessed: set[Place] = field(default_factory=set)

    def run(self) -> None:
        """By name first: a cluster with charges of its own needs no guess."""
        by_name: dict[Place, tuple[str, ...]] = {}
        open_: dict[Place, tuple[str, ...]] = {}
        claimed: dict[str, set[str]] = defaultdict(set)
        for place in self._places():
            if not place.resource:
                continue
            here = self._here(place)
            found, might_be = self._by_name(place.resource, here)
            if found or not might_be:
                by_name[place] = found
                for arn in found:
                    claimed[arn] |= self._pools(place)
            else:
                open_[place] = might_be
        self.given |= by_name
        self._guess(open_, claimed)
        for place in self._places():
            if not place.resource:
                self.given[place] = self._here(place)

    def _places(self) -> Iterable[Place]:
        return sorted(
            self.bill.places, key=lambda place: (place.account, place.region, place.resource)
        )

    def _pools(self, place: Place) -> set[str]:
        return set(self.bill.places[place].pools) & OF_CLUSTERS

    def _here(self, place: Place) -> tuple[str, ...]:
        """The clusters that were called in a place's account and region."""
        accounts = {account_of(arn) for arn in self.called} - {""}
        regions = {region_of(arn) for arn in self.called} - {""}
        account = account_of(place.resource) or place.account
        region = region_of(place.resource) or place.region
        # A bill of altogether another account or region was asked for by name, or is noted.
        if not accounts & self.bill.accounts:
            account = ""
        if not regions & self.bill.regions:
            region = ""
        here = tuple(
            arn
            for arn in self.called
            if {account, account_of(arn)} & {""} or account == account_of(arn)
            if {region, region_of(arn)} & {""} or region == region_of(arn)
        )
        # Whoever pays for an organisation has its taxes and credits.
        return here or (tuple(self.called) if place.payer and not place.resource else ())

    def _by_name(
        self, resource: str, here: Sequence[str]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The clusters that a resource names, else those that it may be of."""
        cluster = self.names.cluster_of(resource)
        wanted = cluster or resource
        reference = Reference.of(resource)
        is_instance = not cluster and resource.startswith("arn:") and not reference.is_cluster
        found = tuple(
            arn for arn in here if arn == wanted or (not is_instance and same_name(arn, wanted))
        )
        if found or cluster:
            return found, ()
        if reference.is_cluster and not reference.is_id:
            # It names another cluster than those that are known by name.
            return (), tuple(arn for arn in here if not region_of(arn))
        return (), tuple(here)

    def _guess(
        self, places: Mapping[Place, tuple[str, ...]], claimed: Mapping[str, set[str]]
    ) -> None:
        """Resource ids and instances: of the clusters that have no such charges by name."""
        rests: dict[tuple[str, ...], list[Place]] = defaultdict(list)
        for place, might_be in places.items():
            rest = tuple(a for a in might_be if not claimed.get(a, set()) & self._pools(place))
            self.given[place] = rest
            if rest:
                rests[rest].append(place)
                self.guessed.add(place)
        for rest, alike in rests.items():
            clusters = {p.resource for p in alike if Reference.of(p.resource).is_cluster}
            if len(clusters) > len(rest):
                of = ", ".join(short(arn) or "no named cluster" for arn in rest)
                raise ReportError(
                    f"the bill has charges of {self._words(alike)} and the usage is of {of}: name "
                    "the bill's cluster, or say in a file which resource is of which cluster"
                ).about("bill_cluster", "clusters")

    def parts(self) -> list[Part]:
        """The charges by what they are of."""
        nobody = {place: self._cell(place) for place, found in self.given.items() if not found}
        sums: dict[tuple[tuple[str, ...], frozenset[str]], Charges] = defaultdict(Charges)
        for place, found in self.given.items():
            charges = self.bill.places[place]
            key: tuple[tuple[str, ...], frozenset[str]]
            if place.resource:
                key = (found, frozenset(found or {nobody[place]}))
            else:
                beside = {
                    cell
                    for other, cell in nobody.items()
                    if other.resource
                    if not place.account or not other.account or place.account == other.account
                    if not place.region or not other.region or place.region == other.region
                }
                key = (found, frozenset({*found, *beside} or {nobody[place]}))
            sums[key].add(charges)
        # In an order of their own: parts of equal remainders are rounded by it.
        return [Part(*key, sums[key]) for key in sorted(sums, key=lambda key: sorted(key[1]))]

    @staticmethod
    def _cell(place: Place) -> str:
        if place.resource.startswith("arn:"):
            return place.resource
        return f"{place.account}/{place.region}/{place.resource}"

    def _words(self, places: Iterable[Place]) -> str:
        amounts: dict[str, Decimal] = defaultdict(Decimal)
        for place in places:
            name = short(place.resource) or " ".join(
                filter(None, (place.account and f"account {place.account}", place.region))
            )
            amounts[name] += self.bill.places[place].total
        code = self.bill.currency
        return ", ".join(
            f"{name} ({amount.normalize():f} {code})" for name, amount in sorted(amounts.items())
        )

    def notes(self, calls: Mapping[str, int], parts: Sequence[Part]) -> Iterable[str]:
        """What of the one side the other does not have, with amounts."""
        lost = [place for place, found in self.given.items() if not found]
        if of := [place for place in lost if place.resource]:
            yield (f"Charges of clusters without usage are on no tenant's line: {self._words(of)}.")
        if of := [place for place in lost if not place.resource]:
            yield (
                "Charges of accounts and regions in which no cluster was called are on no tenant's "
                f"line: {self._words(of)}."
            )
        charged = {
            arn
            for part in parts
            if set(part.charges.pools) & (OF_CLUSTERS - {"data_api"})
            for arn in part.clusters
        }
        if any(place.resource for place in self.given) and (
            free := [arn for arn in self.called if arn not in charged]
        ):
            words = ", ".join(f"{arn or 'no named cluster'} ({calls[arn]:,} calls)" for arn in free)
            yield f"Usage of clusters without a charge on the bill bears none of others': {words}."
        billed = {short(place.resource).lower() for place in self.given}
        here = {short(arn).lower() for arn in self.called}
        strange = sorted(
            {
                short(cluster)
                for alias, cluster in self.names.aliases.items()
                if short(cluster).lower() not in here | billed
                if short(alias).lower() not in billed
            }
        )
        if strange:
            more = f" and {len(strange) - _NAMED:,} more" if len(strange) > _NAMED else ""
            yield (
                "The file of clusters names some that were neither called nor charged for: "
                f"{', '.join(strange[:_NAMED])}{more}."
            )
        sure = [p for p in self.guessed if len(self.given[p]) == 1]
        if sure:
            of_what = ", ".join(sorted({short(self.given[p][0]) or "usage that names no cluster"
                                        for p in sure}))  # fmt: skip
            yield (
                f"Charges of {self._words(sure)} are taken for those of {of_what}: it is the one "
                "cluster that they may be of."
            )
        if len(self.called) > 1:
            sums: dict[str, Decimal] = defaultdict(Decimal)
            for part in parts:
                of_part = " and ".join(short(arn) or "no named cluster" for arn in part.clusters)
                sums[of_part or "without usage"] += part.charges.total
            words = "; ".join(f"{name}: {sums[name].normalize():f}" for name in sorted(sums))
            yield f"The bill by the clusters that bear it, {self.bill.currency}: {words}."

    def draft(self) -> Iterable[str]:
        """What could not be told apart."""
        rests: dict[tuple[str, ...], list[Place]] = defaultdict(list)
        for place in self.guessed:
            if len(self.given[place]) > 1:
                rests[self.given[place]].append(place)
        for rest, places in rests.items():
            of = ", ".join(short(arn) or "no named cluster" for arn in rest)
            yield (
                f"no name tells whether the charges of {self._words(places)} are of {of}: they are "
                "divided among those as if they were one; say in a file which resource is of which "
                "cluster"
            )
