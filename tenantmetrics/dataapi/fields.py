"""Values on the wire: the Data API's `Field` and `SqlParameter`, from and to Python values.

| Python | Field | typeHint |
|---|---|---|
| None | isNull | |
| bool | booleanValue | |
| int | longValue | |
| float | doubleValue | |
| str | stringValue | |
| bytes, bytearray, memoryview | blobValue | |
| Decimal | stringValue | DECIMAL |
| datetime | stringValue, in UTC if it has a time zone | TIMESTAMP |
| date, time | stringValue | DATE, TIME |
| UUID | stringValue | UUID |

Lists are refused: the API knows arrays (`arrayValue`) but gives no way to tell an empty one's type.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

__all__ = ["python_value", "sql_parameter", "sql_parameters"]

_INT8_MIN, _INT8_MAX = -(2**63), 2**63 - 1


def sql_parameters(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Named values as a request's `parameters`.

    Args:
        values: Name → Python value.

    Raises:
        TypeError: The API has no Field for a value's type; names the parameter.
        ValueError: An integer does not fit in 64 bits.
    """
    return [sql_parameter(name, value) for name, value in values.items()]


def sql_parameter(name: str, value: Any) -> dict[str, Any]:
    """One named value as an SqlParameter. Errors as those of `sql_parameters`."""
    if value is None:
        return {"name": name, "value": {"isNull": True}}
    if isinstance(value, time) and value.tzinfo is not None:
        raise TypeError(f"parameter {name!r}: the Data API has no time with a time zone")
    if isinstance(value, int) and not _INT8_MIN <= value <= _INT8_MAX:
        raise ValueError(f"parameter {name!r}: an integer must fit in 64 bits")
    for types, member, convert, hint in _FIELDS:
        if isinstance(value, types):
            parameter: dict[str, Any] = {"name": name, "value": {member: convert(value)}}
            return parameter if hint is None else parameter | {"typeHint": hint}
    raise TypeError(
        f"parameter {name!r}: the Data API has no field for a {type(value).__name__}; "
        "convert it to a string and cast it in the SQL"
    )


def python_value(field: Mapping[str, Any]) -> Any:
    """A Field of a result as a Python value; an arrayValue is a list, NULL is None.

    Args:
        field: As boto3 returns it: blobs are bytes.
    """
    if field.get("isNull"):
        return None
    for member, value in field.items():
        if value is not None:
            return _array(value) if member == "arrayValue" else value
    return None


def _array(content: Mapping[str, Any]) -> list[Any]:
    """An arrayValue's elements; nested arrays are nested lists."""
    for member, items in content.items():
        if items is not None:
            return [_array(item) for item in items] if member == "arrayValues" else list(items)
    return []


def _timestamp(moment: datetime) -> str:
    """As the API writes timestamps: a space in the middle, no offset."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(" ")


_FIELDS: tuple[tuple[tuple[type, ...], str, Callable[[Any], Any], str | None], ...] = (
    # bool before int and datetime before date: the former are subclasses of the latter.
    ((bool,), "booleanValue", bool, None),
    ((int,), "longValue", int, None),
    ((float,), "doubleValue", float, None),
    ((str,), "stringValue", str, None),
    ((bytes, bytearray, memoryview), "blobValue", bytes, None),
    ((Decimal,), "stringValue", "{:f}".format, "DECIMAL"),
    ((datetime,), "stringValue", _timestamp, "TIMESTAMP"),
    ((date,), "stringValue", date.isoformat, "DATE"),
    ((time,), "stringValue", time.isoformat, "TIME"),
    ((UUID,), "stringValue", str, "UUID"),
)
"""Types → member of Field, its value, type hint; the first that fits is taken."""
