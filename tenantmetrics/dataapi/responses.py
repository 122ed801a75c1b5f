"""Reading a successful response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantmetrics.dataapi.fields import python_value

__all__ = ["rows_of"]


def rows_of(response: Mapping[str, Any]) -> list[list[Any]]:
    """The rows of ExecuteStatement's response as Python values; empty where it has none.

    Args:
        response: As boto3 returns it.
    """
    return [[python_value(field) for field in record] for record in response.get("records") or ()]
