"""The errors that the Data API answers with: codes, HTTP statuses, and how a response carries them.

Source: botocore's service model of `rds-data` where it has the error. What every AWS service may
answer beside its model comes from the AWS general reference ("Common error types"); boto3 raises
those as a plain ClientError. Codes that are guessed come from `guesses`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tenantmetrics.dataapi import guesses

__all__ = [
    "COMMON_STATUS",
    "MODEL_STATUS",
    "STATUS",
    "ApiError",
    "ErrorAnswer",
    "bad_request",
    "database_error",
    "invalid",
    "malformed",
    "read_error",
    "sqlstate",
]

MODEL_STATUS = {
    "AccessDeniedException": 403,
    "BadRequestException": 400,
    "DatabaseErrorException": 400,
    "DatabaseNotFoundException": 404,
    "DatabaseResumingException": 400,
    "DatabaseUnavailableException": 504,
    "ForbiddenException": 403,
    "HttpEndpointNotEnabledException": 400,
    "InternalServerErrorException": 500,
    "InvalidResourceStateException": 400,
    "InvalidSecretException": 400,
    "NotFoundException": 404,
    "SecretsErrorException": 400,
    "ServiceUnavailableError": 503,
    "StatementTimeoutException": 400,
    "TransactionNotFoundException": 404,
    "UnsupportedResultException": 400,
}
"""Error code → HTTP status, of the service model."""

COMMON_STATUS = {
    "ExpiredTokenException": 403,
    "InternalFailure": 500,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "ThrottlingException": 400,
    "UnrecognizedClientException": 403,
    "ValidationException": 400,
}
"""Error code → HTTP status, of the framework in front of every service."""

STATUS = {
    **MODEL_STATUS,
    **COMMON_STATUS,
    **{
        code: status
        for status, code in (
            guesses.BODY_TOO_LARGE,
            guesses.NOT_JSON,
            guesses.WRONG_MEDIA_TYPE,
            guesses.UNKNOWN_PATH,
        )
    },
}
"""Error code → HTTP status, of everything that a caller may get."""

_SQLSTATE = re.compile(r"SQLState: ([0-9A-Z]{5})\b")


class ApiError(Exception):
    """A response other than 200.

    Args:
        code: The value of `x-amzn-ErrorType`, a key of `STATUS`.
        message: The value of `message`.
        status: HTTP status; None for the code's own.
        sqlstate: PostgreSQL's five characters, or empty.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        sqlstate: str = "",
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status if status is not None else STATUS[code]
        self.sqlstate = sqlstate


def invalid(message: str) -> ApiError:
    """A request that the service's own checks refuse."""
    return ApiError("ValidationException", message)


def bad_request(message: str) -> ApiError:
    """A request that cannot be carried out as it stands."""
    return ApiError("BadRequestException", message)


def database_error(message: str, sqlstate: str = "") -> ApiError:
    """An error of the database, or of the use of a connection to it."""
    return ApiError("DatabaseErrorException", message, sqlstate=sqlstate)


def malformed(where: str, expected: str) -> ApiError:
    """A value of the wrong JSON type.

    Args:
        where: Its place in the request ("parameters[0].name").
        expected: What it must be ("a string").
    """
    status, code = guesses.NOT_JSON
    return ApiError(code, f"{where} must be {expected}", status=status)


class ErrorAnswer(NamedTuple):
    """What an error response says.

    Attributes:
        code: The error's code; "Unknown" where the response names none.
        message: Its message, or empty.
        sqlstate: PostgreSQL's five characters, or empty.
    """

    code: str
    message: str
    sqlstate: str


def read_error(headers: Mapping[str, str], body: bytes) -> ErrorAnswer:
    """Read an error from a response, as botocore does for the REST-JSON protocol.

    Args:
        headers: The response's headers, their names in lower case.
        body: The whole body; anything but a JSON object carries no message.
    """
    try:
        content: Any = json.loads(body)
    except (ValueError, RecursionError):
        content = {}
    if not isinstance(content, dict):
        content = {}
    code = headers.get("x-amzn-errortype") or content.get("code") or content.get("__type") or ""
    # "Code:http://…" in the header, "namespace#Code" in the body.
    code = str(code).partition(":")[0].rpartition("#")[2]
    message = str(content.get("message") or content.get("Message") or "")
    return ErrorAnswer(code or "Unknown", message, sqlstate(message))


def sqlstate(message: str) -> str:
    """PostgreSQL's SQLSTATE in the text of a DatabaseErrorException, or an empty string."""
    found = _SQLSTATE.search(message)
    return found.group(1) if found else ""
