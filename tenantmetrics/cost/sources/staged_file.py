"""The documents of a staging database as one Parquet file with the ledger's columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tenantmetrics import ledger
from tenantmetrics.cost.sources.documents import SUMS, Whose
from tenantmetrics.health import Loss
from tenantmetrics.ledger import COLUMNS, Kind
from tenantmetrics.records import OK, UNATTRIBUTED, Window

__all__ = ["write"]


def write(database: Any, folder: Path, first_s: int) -> None:
    """Write the file where a ledger has it.

    Args:
        database: A DuckDB connection. It has `documents`, without copies, and `short`: what a
            window's tenants have less than its fleet.
        folder: The ledger's folder.
        first_s: Start of the first window, seconds since the epoch.
    """
    tenants = {
        "tenant": "name", "calls": "calls - failed_calls",
        **{name: name for name in SUMS if name not in {"calls", "failed_calls", "lost"}},
    }  # fmt: skip
    failed = {"calls": "failed_calls", "outcome": "'error'"}
    nobody = {
        "tenant": f"'{UNATTRIBUTED}'", "calls": "calls - failed_calls",
        "duration_ns": "duration_ns", "billed_requests": "billed_requests",
    }  # fmt: skip
    lost = {"tenant": f"'{UNATTRIBUTED}'", "operation": "''", "lost": "lost"}
    parts = [
        _select(tenants, f"documents WHERE whose = '{Whose.TENANT}'"),
        _select(
            {"tenant": "name", **failed},
            f"documents WHERE whose = '{Whose.TENANT}' AND failed_calls > 0",
        ),
        _select(nobody, "short"),
        _select({"tenant": f"'{UNATTRIBUTED}'", **failed}, "short WHERE failed_calls > 0"),
        _select(
            {**lost, "outcome": "name"},
            f"documents WHERE whose = '{Whose.REASON}' AND lost > 0",
        ),
        _select(
            {**lost, "outcome": f"'{Loss.SERIES_CAP}'"},
            f"documents WHERE whose = '{Whose.FLEET}' AND lost > 0",
        ),
    ]
    target = folder / ledger.file_path(Window(first_s, 0, "staged", 0, {}, {}))
    target.parent.mkdir(parents=True)
    rows = " UNION ALL ".join(parts)
    database.execute(
        f"COPY ({rows}) TO $target (FORMAT parquet, COMPRESSION zstd)", {"target": str(target)}
    )


_SQL_TYPES = {
    Kind.TIMESTAMP: "TIMESTAMPTZ",
    Kind.STRING: "VARCHAR",
    Kind.INT32: "INTEGER",
    Kind.INT64: "BIGINT",
    Kind.INT32_LIST: "INTEGER[]",
    Kind.INT64_LIST: "BIGINT[]",
}
_NOTHING = {Kind.STRING: "''", Kind.INT32_LIST: "[]", Kind.INT64_LIST: "[]"}


def _select(given: dict[str, str], source: str) -> str:
    """Rows with the ledger's columns; what no document says is 0 or empty."""
    known: dict[str, Any] = {
        "window_start": "make_timestamptz(start_s * 1000000)",
        "writer": "writer",
        "sequence": "sequence",
        "operation": "'unknown'",
        "outcome": f"'{OK}'",
        "source": "'unknown'",
        **given,
    }
    columns = ", ".join(
        f"CAST({known.get(c.name, _NOTHING.get(c.kind, '0'))} AS {_SQL_TYPES[c.kind]}) AS {c.name}"
        for c in COLUMNS
    )
    return f"SELECT {columns} FROM {source}"  # noqa: S608 - names of our own
