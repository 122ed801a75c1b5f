"""ExecuteSql's form of an answer: version 1's first operation, with Values instead of Fields."""

from __future__ import annotations

from typing import Any

__all__ = ["with_rows", "without_rows"]

_MEMBERS = {"longValue": "bigIntValue", "booleanValue": "bitValue"}


def without_rows(affected: int) -> dict[str, Any]:
    """The result of a statement without rows.

    Args:
        affected: Rows that it wrote.
    """
    return {"numberOfRecordsUpdated": affected}


def with_rows(columns: list[dict[str, Any]], records: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """The result of a statement that returned rows.

    Args:
        columns: Its columnMetadata.
        records: Its rows as Fields.
    """
    return {
        "numberOfRecordsUpdated": -1,
        "resultFrame": {
            "resultSetMetadata": {"columnCount": len(columns), "columnMetadata": columns},
            "records": [{"values": [_value(field) for field in record]} for record in records],
        },
    }


def _value(field: dict[str, Any]) -> dict[str, Any]:
    """A Field as a Value."""
    ((member, content),) = field.items()
    if member == "arrayValue":
        ((kind, items),) = content.items()
        single = _MEMBERS.get(kind[:-1], kind[:-1])
        return {
            "arrayValues": [{"isNull": True} if item is None else {single: item} for item in items],
        }
    return {_MEMBERS.get(member, member): content}
