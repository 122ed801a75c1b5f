"""Reading a successful response's body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tenantmetrics.dataapi.fields import python_value

__all__ = ["read_response", "rows_of"]


def read_response(body: bytes) -> dict[str, Any]:
    """A response's members; blobs stay base64, which boto3 would decode.

    Args:
        body: The whole body, of a response with status 200.

    Raises:
        ValueError: It is not a JSON object.
    """
    content = json.loads(body)
    if isinstance(content, dict):
        return content
    raise ValueError("the body of a response must be a JSON object")


def rows_of(response: Mapping[str, Any]) -> list[list[Any]]:
    """The rows of ExecuteStatement's response as Python values; empty where it has none.

    Args:
        response: As boto3 returns it.
    """
    return [[python_value(field) for field in record] for record in response.get("records") or ()]
