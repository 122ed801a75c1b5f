"""The rows of a large INSERT as a restriction, apart from the parser that found them.

Rows that are written alike have their tenants in slots at equal distances, or in parameters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from tenantmetrics.records import UNATTRIBUTED
from tenantmetrics.tenant.sql.operands import Operand, Values
from tenantmetrics.tenant.sql.parameter_lists import texts_of
from tenantmetrics.tenant.sql.restrictions import State, Touched

__all__ = ["ParameterRows", "SlotRows"]


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
        reader = Operand(slot=self.first, cast=self.cast)
        literals = Counter(values.literals[self.first : end : self.stride])
        return _shared((reader.of_literal(literal), rows) for literal, rows in literals.items())


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
        reader = Operand(cast=self.cast)
        texts = texts_of(self.names, values.parameters, is_cast=bool(self.cast))
        if texts is None:
            given = map(values.parameters.get, self.names)
            return _shared(
                (reader.of_parameter(parameter, values), count)
                for parameter, count in zip(given, self.counts, strict=True)
            )
        by_text: dict[str, int] = {}
        for text, count in zip(texts, self.counts, strict=True):
            by_text[text] = by_text.get(text, 0) + count
        return _shared((reader.of_text(text), count) for text, count in by_text.items())


def _shared(rows: Iterable[tuple[tuple[str, ...] | None, int]]) -> Touched:
    """Tenants by their rows; a row that names nobody is nobody's."""
    shares: dict[str, int] = {}
    for tenants, count in rows:
        tenant = tenants[0] if tenants else UNATTRIBUTED
        shares[tenant] = shares.get(tenant, 0) + count
    known = len(shares) > (UNATTRIBUTED in shares)
    return Touched(State.KNOWN, shares) if known else Touched(State.UNDECIDED)
