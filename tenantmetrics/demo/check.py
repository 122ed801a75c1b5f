"""Three counts of the same calls that know nothing of each other, held against each other."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Check", "compare"]


@dataclass(frozen=True, slots=True)
class Check:
    """What the demo proves.

    Attributes:
        recorded: Calls the workload wrote down.
        in_ledger: Calls in the ledger.
        attempts: HTTP attempts in the ledger.
        received: HTTP requests the endpoint counted.
        differing: (tenant, operation) pairs whose recorded and ledger counts differ.
        rows_checked: Rows read under row-level security.
        rows_of_others: Those of them that were another tenant's.
    """

    recorded: int
    in_ledger: int
    attempts: int
    received: int
    differing: tuple[tuple[str, str], ...]
    rows_checked: int
    rows_of_others: int

    @property
    def holds(self) -> bool:
        """Whether all counts agree and nobody saw another's rows."""
        return (
            self.recorded == self.in_ledger
            and self.attempts == self.received
            and not self.differing
            and not self.rows_of_others
        )


def compare(
    ledger: Path,
    recorded: Counter[tuple[str, str]],
    received: int,
    rows_checked: int,
    rows_of_others: int,
) -> Check:
    """Read the ledger's counts and hold them against the others.

    Args:
        ledger: The ledger's folder.
        recorded: (tenant, operation) → calls, from the workload's own record.
        received: HTTP requests that the endpoint counted meanwhile.
        rows_checked: Rows read under row-level security.
        rows_of_others: Those of them that were another tenant's.
    """
    import pyarrow.dataset as ds  # noqa: PLC0415 - an extra, and only for the demo

    columns = ["tenant", "operation", "calls", "attempts"]
    table = ds.dataset(ledger, format="parquet").to_table(columns=columns).to_pydict()
    metered: Counter[tuple[str, str]] = Counter()
    for tenant, operation, calls in zip(*(table[name] for name in columns[:3]), strict=True):
        metered[tenant, operation] += calls
    return Check(
        recorded=recorded.total(),
        in_ledger=metered.total(),
        attempts=sum(table["attempts"]),
        received=received,
        differing=tuple(sorted(key for key in recorded | metered if recorded[key] != metered[key])),
        rows_checked=rows_checked,
        rows_of_others=rows_of_others,
    )
