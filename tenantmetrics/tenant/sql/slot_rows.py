"""The rows of a large INSERT as a restriction, apart from the parser that found them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tenantmetrics.records import UNATTRIBUTED
from tenantmetrics.tenant.sql.operands import Operand, Values
from tenantmetrics.tenant.sql.restrictions import State, Touched

__all__ = ["SlotRows"]


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
        end = self.first + self.stride * self.count
        shares: dict[str, int] = {}
        known = False
        reader = Operand(slot=self.first, cast=self.cast)
        for literal, rows in Counter(values.literals[self.first : end : self.stride]).items():
            tenants = reader.of_literal(literal) or (UNATTRIBUTED,)
            known = known or tenants[0] != UNATTRIBUTED
            shares[tenants[0]] = shares.get(tenants[0], 0) + rows
        return Touched(State.KNOWN, shares) if known else Touched(State.UNDECIDED)
