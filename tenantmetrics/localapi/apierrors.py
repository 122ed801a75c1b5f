"""The Data API's operations and the errors it answers with."""

from __future__ import annotations

from tenantmetrics.localapi import guesses

__all__ = ["OPERATIONS", "STATUS", "ApiError", "bad_request", "database_error", "invalid"]

OPERATIONS = {
    "/Execute": "ExecuteStatement",
    "/BatchExecute": "BatchExecuteStatement",
    "/BeginTransaction": "BeginTransaction",
    "/CommitTransaction": "CommitTransaction",
    "/RollbackTransaction": "RollbackTransaction",
    "/ExecuteSql": "ExecuteSql",
}
"""Path → operation (botocore's service model of rds-data)."""

STATUS = {
    "AccessDeniedException": 403,
    "BadRequestException": 400,
    "DatabaseErrorException": 400,
    "DatabaseNotFoundException": 404,
    "DatabaseResumingException": 400,
    "DatabaseUnavailableException": 504,
    "ForbiddenException": 403,
    "HttpEndpointNotEnabledException": 400,
    "InternalServerErrorException": 500,
    "InternalFailure": 500,
    "InvalidResourceStateException": 400,
    "InvalidSecretException": 400,
    "NotFoundException": 404,
    "SecretsErrorException": 400,
    "ServiceUnavailableError": 503,
    "StatementTimeoutException": 400,
    "TransactionNotFoundException": 404,
    "UnsupportedResultException": 400,
    # Not in the model: the framework's own, which boto3 raises as plain ClientError.
    "ThrottlingException": 400,
    "ValidationException": 400,
    "MissingAuthenticationTokenException": 403,
    "InvalidSignatureException": 403,
    "UnrecognizedClientException": 403,
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
"""Error code → HTTP status (botocore's service model of rds-data where it has the error)."""


class ApiError(Exception):
    """An answer other than 200.

    Args:
        code: The value of `x-amzn-ErrorType`.
        message: The value of `message`.
        status: HTTP status; None for the code's own.
        sqlstate: PostgreSQL's, for the log.
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
