"""Charges, each in its pool and place; what is not of Aurora, and what no pool takes, is told."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from tenantmetrics.cost.bill.classify import (
    COMMITMENTS,
    is_aws,
    is_other_database,
    is_others,
    is_taken_back,
    is_undecided,
    pool_of,
    sessions_of,
)
from tenantmetrics.cost.bill.model import Charges, Place, PoolCharge
from tenantmetrics.cost.known import plus
from tenantmetrics.errors import ReportError

__all__ = ["OF_CLUSTERS", "Row", "Sorter"]

OF_CLUSTERS = frozenset(
    {
        "compute", "storage", "io", "backup", "data_api", "extended_support", "proxy", "insights",
        "export", "backtrack",
    }
)  # fmt: skip
"""Pools whose charges a cluster has."""

_HOUR_S = 3600
_DRAFT_FROM = Decimal("0.5")
_NOTE_FROM = Decimal("0.05")
"""Parts of the charges that no pool takes, from which on that is a draft's reason, or a note."""


@dataclass(frozen=True, slots=True)
class Row:
    """Charges that are alike.

    Attributes:
        kind: CUR's line item type, Cost Explorer's record type or FOCUS's charge category.
        hour: Of compute, since the epoch; None where it is not known.
        longest_s: The longest charge of compute; None where it is not known.
        other: The amount with commitments counted the other way; None where it is not known.
        invoices: The first and the last of the invoices that they are on, by number.
        listed: The amount at list prices; None where it is not known.
        contracted: The amount at agreed prices; None where it is not known.
        corrects: Whether the bill calls it a correction of an earlier one.
        cut: Whether a border of the month cut the charges.
    """

    kind: str
    usage_type: str
    currency: str
    amount: Decimal
    quantity: Decimal
    count: int
    service: str = ""
    engine: str = ""
    operation: str = ""
    provider: str = ""
    account: str = ""
    payer: str = ""
    region: str = ""
    resource: str = ""
    hour: int | None = None
    longest_s: int | None = None
    other: Decimal | None = None
    invoices: tuple[str, ...] = ()
    listed: Decimal | None = None
    contracted: Decimal | None = None
    corrects: bool = False
    cut: bool = False

    @property
    def worth(self) -> Decimal:
        """The amount with commitments counted the other way; as it is where that is not known."""
        return self.amount if self.other is None else self.other


@dataclass(slots=True)
class Sorter:
    """Takes rows, and knows what became of them.

    Attributes:
        first_hour: Of the bill's month, since the epoch: what is before it corrects an earlier one.
    """

    first_hour: int = 0
    whole: Charges = field(default_factory=Charges)
    places: dict[Place, Charges] = field(default_factory=lambda: defaultdict(Charges))
    _charged_in: set[str] = field(default_factory=set)
    _named: set[str] = field(default_factory=set)
    _without_currency: int = 0
    payers: set[str] = field(default_factory=set)
    regions: set[str] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    _databases: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    _providers: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    _foreign: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    _unknown: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    _undecided: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    _corrected: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    _refunds: Decimal = Decimal(0)
    _ahead: set[str] = field(default_factory=set)
    _cut: Decimal = Decimal(0)

    def add(self, row: Row) -> None:
        """Sort one in."""
        if not is_aws(row.provider):
            self._providers[f"{row.currency} of {row.provider}"] += row.amount
            return
        if is_other_database(row.service, row.engine, row.operation, row.usage_type):
            of = row.engine or row.service or row.operation or row.usage_type
            self._databases[f"{row.currency} of {of}"] += row.amount
            return
        name = pool_of(row.kind, row.usage_type, row.service, row.operation)
        self._note(name, row)
        place = Place()
        if name != "unclassified":
            of_cluster = row.resource.startswith("arn:") or name in OF_CLUSTERS
            place = Place(
                row.account,
                row.region,
                row.resource if of_cluster else "",
                row.account != "" and row.account == row.payer,
            )
        if row.corrects or (row.hour is not None and row.hour < self.first_hour):
            self._corrected[name] += row.amount
            # Its hour is no hour of this month: it is divided as the rest of its pool is.
            row = replace(row, hour=None, longest_s=None)
        for charges in (self.whole, self.places[place]):
            self._book(charges, name, row)

    def _note(self, name: str, row: Row) -> None:
        """What the row says of the bill."""
        currency = row.currency.strip().upper()
        self._named.add(currency)
        if row.amount or row.other:
            self._charged_in.add(currency)
            self._without_currency += row.count if not currency else 0
        self.payers.add(row.payer)
        if name in OF_CLUSTERS:
            self.regions |= {row.region} - {""}
            self.accounts |= {row.account} - {""}
        if name == "unclassified" and is_others(row.service):
            self._foreign[row.service] += row.amount
        elif name == "unclassified":
            self._unknown[row.usage_type or row.kind] += row.amount
        if name == "credits" and row.kind.strip().lower() in {"refund", "adjustment"}:
            self._refunds += row.amount
        if is_undecided(row.service, row.engine, row.operation, row.usage_type):
            self._undecided[row.usage_type] += row.amount
        if name == "compute" and (row.kind in COMMITMENTS or row.worth != row.amount):
            self._ahead.add(row.kind)
        if row.cut:
            self._cut += row.amount

    @staticmethod
    def _book(charges: Charges, name: str, row: Row) -> None:
        pool: PoolCharge = charges.pools[name]
        pool.amount += row.amount
        pool.other += row.worth
        if name == "unclassified" and is_others(row.service):
            pool.foreign += row.amount
            pool.foreign_other += row.worth
        pool.listed = plus(pool.listed, row.listed)
        pool.contracted = plus(pool.contracted, row.contracted)
        pool.quantity += 0 if is_taken_back(row.kind) else row.quantity
        pool.rows += row.count
        pool.usage_types.add(row.usage_type)
        pool.invoices.update(row.invoices)
        # A fee stands in its month's first hour and is of all of them.
        if name == "compute" and row.hour is not None and not row.kind.endswith("Fee"):
            charges.by_hour[row.hour] += row.amount
            each = sessions_of(row.usage_type)
            if not is_taken_back(row.kind) and row.quantity > 0 and each is not None:
                charges.sessions[row.hour] += row.quantity * each
            elif row.amount > 0:
                charges.unknown_hours.add(row.hour)
            if row.other is not None and row.other > 0:
                charges.ahead_hours.add(row.hour)
            charges.hourly = (
                charges.hourly and row.longest_s is not None and row.longest_s <= _HOUR_S
            )

    def currency(self, origin: str, hint: str = "") -> str:
        """The currency of the charges; of a bill of nothing but zeros, the one that it names.

        Args:
            origin: The bill, for error messages.
            hint: What to do where there are several.

        Raises:
            ReportError: There are several, or a charge has none, or what it has is no code.
        """
        found = sorted(self._charged_in - {""})
        if self._without_currency:
            beside = f"; others are in {', '.join(found)}{hint}" if found else ""
            raise ReportError(
                f"{origin} has charges without a currency: {self._without_currency:,}{beside}"
            )
        if len(found) > 1:
            raise ReportError(f"{origin} mixes currencies: {', '.join(found)}{hint}")
        named = self._named if len(self._named) == 1 else {"USD"}
        (currency,) = self._charged_in or named - {""} or {"USD"}
        if not re.fullmatch("[A-Z]{3}", currency):
            raise ReportError(f"{origin}: currency {currency!r} is not a code such as USD")
        return currency

    def notes(self, *, amortized: bool) -> Iterator[str]:
        """What a reader must know."""
        if self._databases:
            yield (
                f"Charges of databases that are not Aurora were excluded: {_sums(self._databases)}."
            )
        if self._providers:
            yield f"Charges of other providers than AWS were excluded: {_sums(self._providers)}."
        if self._corrected:
            of = ", ".join(
                f"{amount.normalize():f} of {name}" for name, amount in self._corrected.items()
            )
            yield (f"Corrections of earlier charges are in the amounts, and of no hour: {of}.")
        if self._refunds:
            yield (
                "Refunds and adjustments of earlier charges are among the credits: "
                f"{self._refunds.normalize():f}."
            )
        if self._undecided:
            yield (
                "The bill does not say of which engine these instances are, and they are taken for "
                f"Aurora's: {_most(self._undecided)}."
            )
        if self._foreign and (worth := sum(self._foreign.values(), Decimal(0))):
            part = worth / self._charged if self._charged else Decimal(0)
            yield (
                f"{worth.normalize():f} ({part:.0%} of what was charged) is of services that have "
                f"no pool, and unclassified: {_most(self._foreign)}."
            )
        if _NOTE_FROM < self._unknown_part <= _DRAFT_FROM:
            yield f"{self._unknown_words}."
        if self._cut:
            yield (
                "Charges that the time zone's borders of the month cut count with the part of "
                f"their time within it: {self._cut.normalize():f}."
            )
        if self._ahead and not amortized:
            yield (
                "Compute was paid ahead by commitments and stands where it was paid "
                f"({', '.join(sorted(self._ahead))}): use amortized costs, which count it in the "
                "hours that used it."
            )

    def draft(self, *, has_usage_types: bool, columns: str) -> Iterator[str]:
        """Why the bill cannot be final."""
        if not has_usage_types:
            yield (
                f"no column of the bill says what was used ({columns}), so its charges cannot be "
                "told apart"
            )
        elif self._unknown_part > _DRAFT_FROM:
            yield self._unknown_words

    @property
    def _charged(self) -> Decimal:
        """What was charged, before credits."""
        amounts = (pool.amount for pool in self.whole.pools.values())
        return sum((amount for amount in amounts if amount > 0), Decimal(0))

    @property
    def _unknown_part(self) -> Decimal:
        known = self._charged
        return sum(self._unknown.values(), Decimal(0)) / known if known else Decimal(0)

    @property
    def _unknown_words(self) -> str:
        return (
            f"{self._unknown_part:.0%} of what was charged matches no pool and is unclassified: "
            f"{_most(self._unknown)}"
        )


def _sums(amounts: Mapping[str, Decimal]) -> str:
    return "; ".join(f"{amount.normalize():f} {of}" for of, amount in sorted(amounts.items()))


def _most(amounts: Mapping[str, Decimal]) -> str:
    """The three largest in words."""
    largest = sorted(amounts.items(), key=lambda item: (-abs(item[1]), item[0]))
    words = [f"{amount.normalize():f} {name or 'without a name'}" for name, amount in largest[:3]]
    more = [f"{len(largest) - 3} more"] if len(largest) > 3 else []  # noqa: PLR2004
    return ", ".join([*words, *more])
