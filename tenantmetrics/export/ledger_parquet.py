"""How the rows of a ledger's tables are encoded as Parquet, each column as it suits it.

Times and bytes are packed by their differences (DELTA_BINARY_PACKED): few rows have another's. A
file of many tenants is about a fifth smaller so, and these columns are read in two thirds of the
time; docs/ledger.md says who reads that.
"""

from __future__ import annotations

from typing import IO, Any

__all__ = ["parquet_writer"]

_DISTINCT = {
    "duration_ns", "duration_min_ns", "duration_max_ns", "duration_us2", "waited_ns",
    "request_bytes", "response_bytes",
}  # fmt: skip
"""Few rows have another one's: a dictionary of them is longer than what it stands for."""


def parquet_writer(file: IO[bytes], schema: Any) -> Any:
    """What writes rows of one of the ledger's tables.

    Args:
        file: Where the rows go, as Parquet.
        schema: The table's, as `ledger.arrow_schema` gives it.

    Returns:
        A `pyarrow.parquet.ParquetWriter`, to be closed.
    """
    from pyarrow import parquet  # noqa: PLC0415 - loaded by the exporters' constructors

    # A list's values are a column of their own, by a path that Parquet's format gives.
    columns = [
        f"{field.name}.list.element" if field.type.num_fields else field.name for field in schema
    ]
    return parquet.ParquetWriter(
        file,
        schema,
        compression="zstd",
        use_dictionary=[name for name in columns if name not in _DISTINCT],
        column_encoding={name: "DELTA_BINARY_PACKED" for name in columns if name in _DISTINCT},
    )
