"""Rules of what tenants are charged: a TOML file, complete and strict.

    markup_percent = 20            # on cost
    minimum = "5.00"               # a tenant and month, in the report's currency
    rounding = "half-even"         # or "half-up"
    round_per = "line"             # or "invoice"
    lines = "pool"                 # or "total": one line a tenant

    [pools.compute]
    markup_percent = 35
    title = "Database compute"

    [groups.plan.enterprise]       # the tenants whose column `plan` says `enterprise`
    markup_percent = 10

    [tenants.acme]
    minimum = 0
    stripe_customer = "cus_Nci8"
    pools.compute.markup_percent = 5

What is said of a tenant goes before what is said of its groups, and that before what is said of
everybody; within each of the three, a pool's markup goes before the general one.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

from tenantmetrics.cost.drivers import DEFAULT_DRIVERS
from tenantmetrics.cost.inputs import CUSTOMER_COLUMNS
from tenantmetrics.errors import ReportError, why_unreadable

__all__ = ["Lines", "RoundPer", "Rounding", "Rules", "Terms", "read_rules", "suggestion"]


class Rounding(StrEnum):
    """Where an amount in the middle of two coins goes."""

    HALF_EVEN = "half-even"
    HALF_UP = "half-up"


class RoundPer(StrEnum):
    """What is rounded."""

    LINE = "line"
    INVOICE = "invoice"


class Lines(StrEnum):
    """What a tenant's invoice has lines for."""

    POOL = "pool"
    TOTAL = "total"


class WithoutCustomer(StrEnum):
    """What happens to a tenant that has an amount and no id at the provider."""

    REFUSE = "refuse"
    LEAVE_OUT = "leave-out"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is said of somebody; None where nothing is.

    Attributes:
        markup: Percent on cost.
        pools: Percent on the cost of a pool.
        minimum: The least that a month is charged at.
        export: Whether an invoice is made at all.
    """

    markup: Decimal | None = None
    pools: Mapping[str, Decimal] = field(default_factory=dict)
    minimum: Decimal | None = None
    export: bool | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """A file of rules; without one, cost is charged as it is.

    Attributes:
        origin: The file, for messages.
        everybody: What holds where nothing else is said.
        groups: Terms by column of the tenants' file and value.
        tenants: Terms by tenant.
        customers: Ids at providers, by tenant and column of `CUSTOMER_COLUMNS`.
        titles: What pools are called on invoices, where not as in the report.
        rounding: Where the middle goes.
        round_per: What is rounded.
        round_to: The smallest amount, where it is more than the currency's coin.
        lines: What there are lines for.
        without_customer: What to do where a tenant has no id.
        event_name: What the provider's meter calls its events.
        title: What the one line is called where `lines` is `total`.
    """

    origin: str = ""
    everybody: Terms = Terms()
    groups: Mapping[str, Mapping[str, Terms]] = field(default_factory=dict)
    tenants: Mapping[str, Terms] = field(default_factory=dict)
    customers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    rounding: Rounding = Rounding.HALF_EVEN
    round_per: RoundPer = RoundPer.LINE
    round_to: Decimal | None = None
    lines: Lines = Lines.POOL
    without_customer: WithoutCustomer = WithoutCustomer.REFUSE
    event_name: str = "database_cost"
    title: str = "Database usage"


def read_rules(path: str | os.PathLike[str]) -> Rules:
    """The rules in a TOML file.

    Raises:
        ReportError: The file cannot be read or is no TOML; a key is unknown; a value is not what
            it must be. Names the file and the key.
    """
    name = os.fspath(path)
    try:
        document = tomllib.loads(Path(path).read_text("utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{name!r} cannot be read: {why_unreadable(error)}") from None
    except tomllib.TOMLDecodeError as error:
        raise ReportError(f"{name!r} is no TOML: {error}") from None
    return _Reader(name).rules(document)


def suggestion(word: str, known: Iterable[str]) -> str:
    """What a word may have been meant to be: "; did you mean 'acme'?", or nothing."""
    by_fold = {name.casefold(): str(name) for name in sorted(known)}
    found = get_close_matches(word.casefold(), list(by_fold), n=1, cutoff=0.6)
    return f"; did you mean {by_fold[found[0]]!r}?" if found else ""


_CHOICES: Mapping[str, type[StrEnum]] = {
    "rounding": Rounding,
    "round_per": RoundPer,
    "lines": Lines,
    "without_customer": WithoutCustomer,
}
_TERMS = ("markup_percent", "minimum", "export", "pools")


class _Reader:
    """One file; every error names it and the key."""

    def __init__(self, origin: str) -> None:
        self._origin = origin

    def rules(self, document: dict[str, Any]) -> Rules:
        top = (*_TERMS, *_CHOICES, "round_to", "event_name", "title", "groups", "tenants")
        self._only("", document, top)
        chosen: dict[str, Any] = {
            name: self._choice(name, document[name], kind)
            for name, kind in _CHOICES.items()
            if name in document
        }
        if "round_to" in document:
            chosen["round_to"] = self._number("round_to", document["round_to"])
            if not chosen["round_to"]:
                raise self._wrong("round_to", document["round_to"], "a number above 0")
        for name in ("event_name", "title"):
            if name in document:
                chosen[name] = self._text(name, document[name])
        tenants = self._table("tenants", document.get("tenants", {}))
        groups = self._table("groups", document.get("groups", {}))
        by_tenant = {
            tenant: self._table(f"tenants.{tenant}", table) for tenant, table in tenants.items()
        }
        return Rules(
            origin=self._origin,
            everybody=self._terms("", document, (*top, *_TERMS), titles=True),
            groups={
                column: {
                    value: self._terms(f"groups.{column}.{value}", table, _TERMS)
                    for value, table in self._table(f"groups.{column}", values).items()
                }
                for column, values in groups.items()
            },
            tenants={
                tenant: self._terms(f"tenants.{tenant}", table, (*_TERMS, *CUSTOMER_COLUMNS))
                for tenant, table in by_tenant.items()
            },
            customers={
                tenant: {
                    column: self._text(f"tenants.{tenant}.{column}", table[column])
                    for column in CUSTOMER_COLUMNS
                    if column in table
                }
                for tenant, table in by_tenant.items()
            },
            titles={
                pool: self._text(f"pools.{pool}.title", table["title"])
                for pool, table in document.get("pools", {}).items()
                if "title" in table
            },
            **chosen,
        )

    def _terms(
        self, where: str, value: Any, known: tuple[str, ...], *, titles: bool = False
    ) -> Terms:
        table = self._table(where, value)
        self._only(where, table, known)
        pools = {}
        for pool, entry in self._table(_key(where, "pools"), table.get("pools", {})).items():
            place = _key(where, f"pools.{pool}")
            if pool not in DEFAULT_DRIVERS:
                raise ReportError(
                    f"{self._origin!r}: {place}: there is no pool {pool!r}"
                    f"{suggestion(pool, DEFAULT_DRIVERS)}"
                )
            of_pool = self._table(place, entry)
            self._only(place, of_pool, ("markup_percent", *(("title",) if titles else ())))
            if "markup_percent" in of_pool:
                key = _key(place, "markup_percent")
                pools[pool] = self._number(key, of_pool["markup_percent"])
        export = table.get("export")
        if not isinstance(export, bool | None):
            raise self._wrong(_key(where, "export"), export, "true or false")
        return Terms(
            markup=self._optional(where, table, "markup_percent"),
            pools=pools,
            minimum=self._optional(where, table, "minimum"),
            export=export,
        )

    def _only(self, where: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
        for name in table:
            if name not in known:
                raise ReportError(
                    f"{self._origin!r}: key {_key(where, name)!r} is unknown"
                    f"{suggestion(name, known) or '; known are ' + ', '.join(sorted(set(known)))}"
                )

    def _table(self, where: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(where, value, "a table")
        return value

    def _text(self, where: str, value: Any) -> str:
        # `${` is evaluated by the Stripe CLI, which reads files of invoice items.
        if not isinstance(value, str) or not value.strip() or "${" in value:
            raise self._wrong(where, value, "a text without '${'")
        return value.strip()

    def _choice(self, where: str, value: Any, kind: type[StrEnum]) -> StrEnum:
        if not isinstance(value, str) or value not in list(kind):
            raise self._wrong(where, value, f"one of {', '.join(kind)}")
        return kind(value)

    def _optional(self, where: str, table: Mapping[str, Any], name: str) -> Decimal | None:
        return self._number(_key(where, name), table[name]) if name in table else None

    def _number(self, where: str, value: Any) -> Decimal:
        """A number that is not negative; as text, too, because 5.10 is written so in money."""
        wanted = "a number, 0 or more"
        if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
            raise self._wrong(where, value, wanted)
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise self._wrong(where, value, wanted) from None
        # Beyond these bounds it is a slip, and exact arithmetic would take minutes.
        exponent = number.as_tuple().exponent
        if not number.is_finite() or number < 0 or number.adjusted() > _DIGITS:
            raise self._wrong(where, value, wanted)
        if isinstance(exponent, int) and exponent < -_DIGITS:
            raise self._wrong(where, value, f"{wanted}, of at most {_DIGITS} decimals")
        return number

    def _wrong(self, where: str, value: Any, wanted: str) -> ReportError:
        shown = value if isinstance(value, str | bool | int) else str(value)
        return ReportError(f"{self._origin!r}: {where} = {shown!r} is not {wanted}")


_DIGITS = 12


def _key(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
