"""What all providers' files are made of: one amount for one customer, with its identifier."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

__all__ = ["Form", "Record", "Unit", "identifier", "month_of", "properties", "told"]

_IDENTIFIER = re.compile(r"(\d{4}-\d{2})-[0-9a-f]{28}")


@dataclass(frozen=True, slots=True)
class Unit:
    """How a provider counts a currency.

    Attributes:
        exponent: One whole of the currency is 10 to this power of the provider's units.
        step: Amounts are multiples of so many units.
    """

    exponent: int
    step: int = 1

    @property
    def quantum(self) -> Decimal:
        """The smallest amount."""
        return Decimal(self.step).scaleb(-self.exponent)

    def of(self, amount: Decimal) -> int:
        """An amount in the provider's units."""
        return int(amount.scaleb(self.exponent))

    def amount(self, units: int) -> Decimal:
        """The provider's units as an amount."""
        return Decimal(units).scaleb(-self.exponent)


@dataclass(frozen=True, slots=True)
class Record:
    """One amount. What a provider's file does not tell is empty when it is read again.

    Attributes:
        identifier: What the provider knows it by.
        customer: Whom it is charged to, by the provider's own id.
        units: The amount, in the provider's unit; negative for a credit.
        moment_s: When it counts, seconds since the epoch.
        currency: ISO 4217 code.
        amount: The same in the currency.
        part: A pool's name, or `minimum` or `total`.
        title: The same for people.
        event_name: What the provider's meter calls such events.
        start_s: First second of the month.
        end_s: First second after it.
        month: Such as "2026-11".
        status: FINAL, DRAFT, ESTIMATE.
        tenant: Its id.
    """

    identifier: str
    customer: str
    units: int
    moment_s: int
    currency: str = ""
    amount: Decimal = Decimal(0)
    part: str = ""
    title: str = ""
    event_name: str = ""
    start_s: int = 0
    end_s: int = 0
    month: str = ""
    status: str = ""
    tenant: str = ""


def properties(one: Record) -> dict[str, Any]:
    """What an event says of its amount beside what its provider asks for."""
    return {
        "amount": f"{one.amount:f}",
        "amount_minor": one.units,
        "currency": one.currency,
        "part": one.part,
        "month": one.month,
        "status": one.status,
    }


def told(about: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record that `properties` were made of.

    Raises:
        KeyError: One is not there.
        ValueError: An amount is no number.
    """
    try:
        amount = Decimal(about["amount"])
    except InvalidOperation:
        raise ValueError(f"{about['amount']!r} is no amount") from None
    return {
        "amount": amount,
        "units": int(about["amount_minor"]),
        "currency": about["currency"],
        "part": about["part"],
        "month": about["month"],
        "status": about["status"],
    }


@dataclass(frozen=True, slots=True)
class Form:
    """A provider's file.

    Attributes:
        customer: Which of the tenants' ids it names, as `CUSTOMER_COLUMNS` has them.
        longest_customer: Characters that such an id may have.
        unit: How it counts a currency.
        write: The text of a file of records.
        read: The records of such a text, as far as it tells; raises ValueError, KeyError or
            TypeError for another text.
        sums_up: Whether the provider adds the amounts up to a quantity, which it takes for 0 where
            it is negative.
        oldest_hours: How old an event may be; None if the provider sets no limit.
        longest_event_name: Characters that the name of a meter's events may have; None if the
            provider sets no limit.
        file_name: A regular expression of the names that a file may have, and the same in words;
            None if it does not matter.
    """

    customer: str
    longest_customer: int
    unit: Callable[[str], Unit]
    write: Callable[[Sequence[Record]], str]
    read: Callable[[str], Iterable[Record]]
    sums_up: bool = True
    oldest_hours: int | None = None
    longest_event_name: int | None = None
    file_name: tuple[str, str] | None = None

    @property
    def oldest(self) -> str:
        """How old an event may be, in words."""
        days, hours = divmod(self.oldest_hours or 0, 24)
        return f"{days} days" if days else f"{hours} hours"

    def takes(self, name: str) -> bool:
        """Whether a file may be called so."""
        return self.file_name is None or re.fullmatch(self.file_name[0], name) is not None


def identifier(month: str, *of: str | int) -> str:
    """A name for an amount that is always the same: the month and 112 bits of a digest.

    36 characters, because Chargebee's `deduplication_id` has no more.
    """
    digest = hashlib.sha256(json.dumps([month, *of]).encode()).hexdigest()
    return f"{month}-{digest[:28]}"


def month_of(name: str) -> str | None:
    """The month that an identifier is of; None where it is none of ours."""
    match = _IDENTIFIER.fullmatch(name)
    return match[1] if match else None
