"""The rows that an INSERT writes, as a restriction: shares by number of rows.

Very many rows that are written alike have their tenants in slots at equal distances, or in
parameters, and need no node each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tenantmetrics.records import UNATTRIBUTED
from tenantmetrics.tenant.sql.operands import Operand, Values
from tenantmetrics.tenant.sql.parameter_lists import texts_of
from tenantmetrics.tenant.sql.restrictions import Named, Restriction, State, Touched

__all__ = ["MixedRows", "ParameterRows", "Rows", "SlotRows"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that are written, one node each: shares by number of rows, unknown ones on nobody."""

    rows: tuple[Restriction, ...]

    def found(self, values: Values) -> Touched:
        """Weights are numbers of rows."""
        shares: dict[str, int] = {}
        states = set()
        for row in self.rows:
            answer = row.found(values)
            states.add(answer.state)
            if answer.state is State.KNOWN:
                # An array in one operand is a row an element.
                for tenant in _written(row, values) or answer.shares:
                    shares[tenant] = shares.get(tenant, 0) + 1
            else:
                shares[UNATTRIBUTED] = shares.get(UNATTRIBUTED, 0) + 1
        if State.KNOWN not in states:
            return Touched(State.SESSION) if states == {State.SESSION} else Touched(State.UNDECIDED)
        return Touched(State.KNOWN, shares)


def _written(row: Restriction, values: Values) -> tuple[str, ...] | None:
    many = isinstance(row, Named) and len(row.operands) == 1 and row.operands[0].many
    return row.operands[0].tenants(values) if many else None  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class SlotRows:
    """Rows that are all written alike, with the tenant as a literal: one slot in every so many.

    Attributes:
        first: The slot of the first row's tenant.
        stride: Literals of one row.
        count: Rows.
        cast: How the literals are read.
    """

    first: int
    stride: int
    count: int
    cast: tuple[str, ...] = ()

    def operands(self) -> list[Operand]:
        """The tenants' literals."""
        slots = range(self.first, self.first + self.stride * self.count, self.stride)
        return [Operand(slot=slot, cast=self.cast) for slot in slots]

    def found(self, values: Values) -> Touched:
        """Weights are numbers of rows; a row that names nobody is nobody's."""
        values.budget.spend(self.count)
        end = self.first + self.stride * self.count
        reader = Operand(slot=self.first, cast=self.cast)
        literals = values.literals.counted(range(self.first, end, self.stride))
        return _shared((reader.of_literal(literal), rows) for literal, rows in literals)


@dataclass(frozen=True, slots=True)
class ParameterRows:
    """Rows that are all written alike, with a parameter each for the tenant.

    Attributes:
        names: The parameters, each once.
        counts: How many rows have them.
        cast: How they are read.
    """

    names: tuple[str, ...]
    counts: tuple[int, ...]
    cast: tuple[str, ...] = ()

    def operands(self) -> list[Operand]:
        """The tenants' parameters."""
        return [Operand(parameter=name, cast=self.cast) for name in self.names]

    def found(self, values: Values) -> Touched:
        """Weights are numbers of rows; a row that names nobody is nobody's."""
        return _shared(self.rows(values))

    def rows(self, values: Values) -> list[_Row]:
        """Whom they name."""
        values.budget.spend(len(self.names))
        reader = Operand(cast=self.cast)
        texts = texts_of(self.names, values.parameters, is_cast=bool(self.cast))
        if texts is None:
            given = map(values.parameters.get, self.names)
            return [
                (reader.of_parameter(parameter, values), count)
                for parameter, count in zip(given, self.counts, strict=True)
            ]
        by_text: dict[str, int] = {}
        for text, count in zip(texts, self.counts, strict=True):
            by_text[text] = by_text.get(text, 0) + count
        values.spend_on(by_text)
        return list(zip(reader.of_texts(by_text), by_text.values(), strict=True))


@dataclass(frozen=True, slots=True)
class MixedRows:
    """Rows of which some have a parameter for the tenant, some a literal, and some neither.

    Attributes:
        parameters: The first.
        slots: The literals' slots.
        others: How many there are of the last.
    """

    parameters: ParameterRows
    slots: tuple[int, ...]
    others: int

    def operands(self) -> list[Operand]:
        """What tells the tenants."""
        return [*self.parameters.operands(), *(Operand(slot=slot) for slot in self.slots)]

    def found(self, values: Values) -> Touched:
        """Weights are numbers of rows; a row that names nobody is nobody's."""
        values.budget.spend(len(self.slots))
        reader = Operand()
        literals = values.literals.counted(self.slots)
        rows: list[_Row] = [(reader.of_literal(literal), count) for literal, count in literals]
        return _shared([*self.parameters.rows(values), *rows, ((), self.others)])


_Row = tuple[tuple[str, ...] | None, int]
"""The tenants that a value names, and how many rows have it."""


def _shared(rows: Iterable[_Row]) -> Touched:
    """Tenants by their rows; a row that names nobody is nobody's."""
    shares: dict[str, int] = {}
    for tenants, count in rows:
        if not count:
            continue
        tenant = tenants[0] if tenants else UNATTRIBUTED
        shares[tenant] = shares.get(tenant, 0) + count
    known = len(shares) > (UNATTRIBUTED in shares)
    return Touched(State.KNOWN, shares) if known else Touched(State.UNDECIDED)
