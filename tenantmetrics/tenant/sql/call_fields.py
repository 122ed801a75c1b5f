"""The Data API's parameters of one call: found by name, read as PostgreSQL writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantmetrics.tenant.identity.tenant_ids import from_field

__all__ = ["field_of", "index_parameters", "is_of_nobody", "plain_text"]


def field_of(parameter: Any) -> Any:
    """The Field of a parameter dictionary, whatever a caller put there."""
    # A dictionary by far most often; to ask for a Mapping takes three times as long.
    if parameter.__class__ is dict or isinstance(parameter, Mapping):
        return parameter.get("value")
    return None


def index_parameters(parameters: Any) -> Mapping[str, Mapping[str, Any]]:
    """Parameters by name; of two with one name the first, whichever way they are looked up.

    Only lists and tuples are read: botocore refuses anything else, and an iterator that was read
    here would be empty when it does.
    """
    if isinstance(parameters, Mapping):
        return parameters  # by name already: `capture.request.PythonValues`
    if not isinstance(parameters, list | tuple):
        return {}
    return {
        parameter["name"]: parameter
        for parameter in reversed(parameters)
        if (parameter.__class__ is dict or isinstance(parameter, Mapping))
        and isinstance(parameter.get("name"), str)
    }


def is_of_nobody(field: Any) -> bool:
    """Whether a Field's value is NULL or the empty text, which name no tenant."""
    is_field = isinstance(field, Mapping)
    return is_field and bool(field.get("isNull") or field.get("stringValue") == "")


def plain_text(field: Any) -> str | None:
    """A Field's value as PostgreSQL would write it, None where it has none."""
    if not isinstance(field, Mapping) or field.get("isNull"):
        return None
    text = field.get("stringValue")
    return text if isinstance(text, str) else from_field(field)
