"""Parameters: from the Data API's Field to PostgreSQL's extended protocol, with explicit types."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from tenantmetrics import sqltext
from tenantmetrics.dataapi import guesses
from tenantmetrics.dataapi.errors import ApiError, bad_request, invalid, malformed
from tenantmetrics.dataapi.requests import is_well_formed

__all__ = ["BoundStatement", "Value", "bind_parameters", "prepare"]

_INT8_MIN, _INT8_MAX = -(2**63), 2**63 - 1
_TEXT, _BINARY = 0, 1

_BEFORE_ELEMENTS = re.compile(r"(?:\barray|[\[,(])\s*\[\Z", re.IGNORECASE)
"""ARRAY[ and the inner brackets of ARRAY[[1, 2], [3, 4]]: what follows is an element."""

# OIDs of pg_type.dat.
_UNKNOWN = 0
_HINTS = {"DATE": 1082, "TIME": 1083, "TIMESTAMP": 1114, "DECIMAL": 1700, "UUID": 2950}
_HINTS["JSON"] = 3802
_HINT_ARRAYS = {"DATE": 1182, "TIME": 1183, "TIMESTAMP": 1115, "DECIMAL": 1231, "UUID": 2951}
_HINT_ARRAYS["JSON"] = 3807


class Value(NamedTuple):
    """A parameter ready to be bound.

    Attributes:
        data: PostgreSQL's text or binary form; None is NULL.
        oid: Its type; 0 leaves it to PostgreSQL.
        format: 0 text, 1 binary.
    """

    data: bytes | None
    oid: int
    format: int = _TEXT


class BoundStatement(NamedTuple):
    """A statement with PostgreSQL's own placeholders.

    Attributes:
        sql: The text.
        names: Parameters in the order of $1, $2, ….
    """

    sql: bytes
    names: tuple[str, ...]


def prepare(sql: str, names: Mapping[str, Any]) -> BoundStatement:
    """Put `$n` where the text has `:name`; a repeated name is the same `$n`.

    Args:
        sql: One statement.
        names: The parameters that are supplied.

    Raises:
        ApiError: The text has a parameter with a malformed name, or one that is not supplied.
    """
    numbers: dict[str, int] = {}

    def placeholder(found: sqltext.NamedParameter) -> str | None:
        name = found.name
        if name not in names:
            if _is_colon_of_sql(sql[: found.start]):
                return None
            _check_name(name)
            status, code, text = guesses.MISSING_PARAMETER
            raise ApiError(code, text.format(name=name), status=status)
        return f"${numbers.setdefault(name, len(numbers) + 1)}"

    rewritten = sqltext.rewrite(sql, placeholder, names)
    return BoundStatement(rewritten.encode(), tuple(numbers))


def _is_colon_of_sql(before: str) -> bool:
    """Whether a colon after this text is SQL's own: JSON_OBJECT('key':value), a[:high].

    Asked of names that are not supplied: directly behind an operand no parameter can stand.
    """
    ended = before.rstrip()
    if ended.endswith("["):
        return not _BEFORE_ELEMENTS.search(ended)
    if ended.endswith(("'", '"', ")", "]")):
        return True
    return ended == before and ended[-1:].isalnum()


def bind_parameters(parameters: Any, where: str, version: int = 2) -> dict[str, Value]:
    """Check a list of SqlParameter and convert each value.

    Args:
        parameters: What the request has; None is an empty list.
        where: Its place in the request, for errors ("parameters").
        version: The endpoint's version; 1 knows no arrays.

    Raises:
        ApiError: Something is not as the service model says.
    """
    if parameters is None:
        return {}
    if not isinstance(parameters, list):
        raise malformed(where, "a list")
    values: dict[str, Value] = {}
    for index, parameter in enumerate(parameters):
        here = f"{where}[{index}]"
        if not isinstance(parameter, dict):
            raise malformed(here, "a structure")
        if not parameter:
            continue  # how AWS documents a set without parameters: one empty SqlParameter
        name = parameter.get("name")
        if not isinstance(name, str):
            raise invalid(f"{here}.name is missing: each parameter needs a name")
        _check_name(name)
        if name in values:
            status, code, text = guesses.REPEATED_PARAMETER
            raise ApiError(code, text.format(name=name), status=status)
        values[name] = _value(parameter, here, version)
    return values


def _check_name(name: str) -> None:
    if not sqltext.is_parameter_name(name):
        raise invalid(f"Named parameter syntax is invalid, input: {name}")


def _value(parameter: dict[str, Any], where: str, version: int) -> Value:
    """One SqlParameter's value under its type hint."""
    hint = parameter.get("typeHint")
    if hint is not None and hint not in _HINTS:
        raise invalid(f"{where}.typeHint must be one of {', '.join(sorted(_HINTS))}")
    member, content = union(parameter.get("value"), f"{where}.value", _FIELD)
    if member == "isNull":
        if content is not True:
            raise invalid(f"{where}.value.isNull must be true if it is given")
        return Value(None, _UNKNOWN)
    if member == "arrayValue":
        if version == 1:
            raise bad_request(guesses.V1_REFUSES_ARRAYS)
        return _array(content, f"{where}.value.arrayValue", hint)
    value = _FIELD[member](content, f"{where}.value.{member}")
    if hint is not None and value.format == _TEXT:
        return Value(value.data, _HINTS[hint])
    return value


def union(value: Any, where: str, members: Collection[str]) -> tuple[str, Any]:
    """The one member that is set; members that are null count as not set."""
    if not isinstance(value, dict):
        raise malformed(where, "a structure")
    given = [(name, content) for name, content in value.items() if content is not None]
    known = [pair for pair in given if pair[0] in members]
    if len(known) != 1 or len(given) != 1:
        names = ", ".join(name for name, _ in given) or "none"
        raise invalid(f"{where} must have exactly one of {', '.join(members)}; it has: {names}")
    return known[0]


def _boolean(content: Any, where: str) -> Value:
    return Value(_boolean_text(content, where).encode(), 16)


def _boolean_text(content: Any, where: str) -> str:
    if not isinstance(content, bool):
        raise malformed(where, "true or false")
    return "true" if content else "false"


def _long(content: Any, where: str) -> Value:
    return Value(_long_text(content, where).encode(), 20)


def _long_text(content: Any, where: str) -> str:
    if isinstance(content, float) and content.is_integer():
        # JavaScript has one kind of number, and 1e21 is how it writes a large one.
        content = int(content)
    if not isinstance(content, int) or isinstance(content, bool):
        raise malformed(where, "an integer")
    if not _INT8_MIN <= content <= _INT8_MAX:
        raise malformed(where, "an integer of 64 bits")
    return str(content)


def _double(content: Any, where: str) -> Value:
    return Value(_double_text(content, where).encode(), 701)


def _double_text(content: Any, where: str) -> str:
    # The REST-JSON protocol writes what JSON has no number for as these texts.
    if content in ("NaN", "Infinity", "-Infinity"):
        return str(content)
    if not isinstance(content, int | float) or isinstance(content, bool):
        raise malformed(where, "a number")
    try:
        return repr(float(content))
    except OverflowError:
        raise malformed(where, "a number within the range of a double") from None


def _string(content: Any, where: str) -> Value:
    return Value(_string_text(content, where).encode(), 25)


def _string_text(content: Any, where: str) -> str:
    if not isinstance(content, str):
        raise malformed(where, "a string")
    if not is_well_formed(content):
        raise malformed(where, "well-formed Unicode")
    if "\0" in content:
        # What PostgreSQL itself says of such a string; libpq would cut it off without an error.
        raise ApiError(
            "DatabaseErrorException",
            'ERROR: invalid byte sequence for encoding "UTF8": 0x00; SQLState: 22021',
            sqlstate="22021",
        )
    return content


def _blob(content: Any, where: str) -> Value:
    if not isinstance(content, str):
        raise malformed(where, "base64 text")
    try:
        return Value(base64.b64decode(content, validate=True), 17, _BINARY)
    except (binascii.Error, ValueError):
        raise malformed(where, "valid base64") from None


_FIELD: dict[str, Callable[[Any, str], Value]] = {
    "isNull": _boolean,
    "booleanValue": _boolean,
    "longValue": _long,
    "doubleValue": _double,
    "stringValue": _string,
    "blobValue": _blob,
    "arrayValue": _string,
}
_ELEMENTS: dict[str, tuple[int, Callable[[Any, str], str]]] = {
    "booleanValues": (1000, _boolean_text),
    "longValues": (1016, _long_text),
    "doubleValues": (1022, _double_text),
    "stringValues": (1009, lambda item, where: _quoted(_string_text(item, where))),
}
_ARRAY = (*_ELEMENTS, "arrayValues")


def _array(content: Any, where: str, hint: str | None) -> Value:
    """An arrayValue as PostgreSQL's array text."""
    oid, text = _array_text(content, where)
    return Value(text.encode(), _HINT_ARRAYS[hint] if hint else oid)


def _array_text(content: Any, where: str) -> tuple[int, str]:
    """OID and text of an array; nested ones are one array of more dimensions."""
    member, items = union(content, where, _ARRAY)
    where = f"{where}.{member}"
    if not isinstance(items, list):
        raise malformed(where, "a list")
    if member == "arrayValues":
        parts = [_array_text(item, f"{where}[{index}]") for index, item in enumerate(items)]
        oids = {oid for oid, _ in parts}
        if len(oids) > 1:
            raise invalid(f"{where} must have elements of one type")
        return (oids or {1009}).pop(), f"{{{','.join(text for _, text in parts)}}}"
    oid, convert = _ELEMENTS[member]
    texts = [
        "NULL" if item is None else convert(item, f"{where}[{index}]")
        for index, item in enumerate(items)
    ]
    return oid, f"{{{','.join(texts)}}}"


def _quoted(text: str) -> str:
    """An element in the quotes of array text."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
