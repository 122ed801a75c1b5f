"""Requests: the JSON body checked against the service model, and no further."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tenantmetrics.limits import SQL_MAX_CHARS
from tenantmetrics.localapi.apierrors import ApiError, invalid
from tenantmetrics.localapi.binding import encodable, malformed
from tenantmetrics.localapi.codecs import Options

__all__ = ["Request", "parse"]

ARN_MIN_CHARS, ARN_MAX_CHARS = 11, 570
"""Length of an ARN (botocore's service model, Arn)."""
NAME_MAX_CHARS = 64
"""Length of a database's or schema's name (botocore's service model, DbName)."""
ID_MAX_CHARS = 192
"""Length of a transactionId (botocore's service model, Id)."""

_NEEDS_SQL = {"ExecuteStatement", "BatchExecuteStatement"}
_NEEDS_TRANSACTION = {"CommitTransaction", "RollbackTransaction"}


@dataclass(slots=True)
class Request:
    """A request of any operation but ExecuteSql's names are mapped to the others'.

    Attributes:
        resource: resourceArn.
        secret: secretArn.
        sql: The statement; empty where the operation has none.
        database: Name, or None.
        schema: Name, or None.
        transaction: transactionId, or None.
        parameters: `parameters` as it came.
        parameter_sets: `parameterSets` as it came.
        metadata: includeResultMetadata.
        continue_after_timeout: continueAfterTimeout.
        formatted: formatRecordsAs JSON.
        options: From resultSetOptions.
    """

    resource: str
    secret: str
    sql: str
    database: str | None
    schema: str | None
    transaction: str | None
    parameters: Any
    parameter_sets: Any
    metadata: bool
    continue_after_timeout: bool
    formatted: bool
    options: Options


def parse(operation: str, body: Any, version: int) -> Request:
    """Check a request.

    Args:
        operation: Its name.
        body: What its JSON said.
        version: 1 or 2.

    Raises:
        ApiError: It is not as the service model says, or uses what the version does not have.
    """
    if not isinstance(body, dict):
        raise malformed("The request's body", "a JSON object")
    if operation == "ExecuteSql":
        resource, secret, sql = "dbClusterOrInstanceArn", "awsSecretStoreArn", "sqlStatements"
    else:
        resource, secret, sql = "resourceArn", "secretArn", "sql"
    needs_sql = operation in _NEEDS_SQL or operation == "ExecuteSql"
    request = Request(
        resource=_text(body, resource, ARN_MIN_CHARS, ARN_MAX_CHARS, required=True) or "",
        secret=_text(body, secret, ARN_MIN_CHARS, ARN_MAX_CHARS, required=True) or "",
        sql=_text(body, sql, 0, SQL_MAX_CHARS, required=True) or "" if needs_sql else "",
        database=_text(body, "database", 0, NAME_MAX_CHARS) or None,
        schema=_text(body, "schema", 0, NAME_MAX_CHARS) or None,
        transaction=_text(
            body,
            "transactionId",
            0,
            ID_MAX_CHARS,
            required=operation in _NEEDS_TRANSACTION,
        ),
        parameters=body.get("parameters"),
        parameter_sets=body.get("parameterSets"),
        metadata=_flag(body, "includeResultMetadata"),
        continue_after_timeout=_flag(body, "continueAfterTimeout"),
        formatted=_choice(body, "formatRecordsAs", ("NONE", "JSON"), "") == "JSON",
        options=_options(body.get("resultSetOptions"), version),
    )
    if "\0" in request.sql:
        raise invalid("sql must not contain the character U+0000")
    if request.schema is not None and version != 1:
        raise invalid("The schema parameter isn't supported")
    return request


def _options(value: Any, version: int) -> Options:
    if value is None:
        return Options(version=version)
    if not isinstance(value, dict):
        raise malformed("resultSetOptions", "a structure")
    where = "resultSetOptions."
    decimal = _choice(value, "decimalReturnType", ("STRING", "DOUBLE_OR_LONG"), where)
    long = _choice(value, "longReturnType", ("LONG", "STRING"), where)
    return Options(decimal == "DOUBLE_OR_LONG", long == "STRING", version)


def _text(
    body: dict[str, Any],
    name: str,
    least: int,
    most: int,
    *,
    required: bool = False,
) -> str | None:
    """A text of the body with its length checked."""
    value = body.get(name)
    if value is None:
        if required:
            raise _constraint(name, "Member must not be null")
        return None
    if not isinstance(value, str):
        raise malformed(name, "a string")
    if len(value) > most:
        raise _constraint(name, f"Member must have length less than or equal to {most}")
    if len(value) < least:
        raise _constraint(name, f"Member must have length greater than or equal to {least}")
    if not encodable(value):
        raise malformed(name, "well-formed Unicode")
    if "\0" in value and name != "sql":
        raise invalid(f"{name} must not contain the character U+0000")
    return value


def _flag(body: dict[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise malformed(name, "true or false")
    return bool(value)


def _choice(body: dict[str, Any], name: str, allowed: tuple[str, ...], where: str) -> str | None:
    value = body.get(name)
    if value is None:
        return None
    if value not in allowed:
        raise _constraint(
            where + name,
            f"Member must satisfy enum value set: [{', '.join(allowed)}]",
        )
    return str(value)


def _constraint(name: str, text: str) -> ApiError:
    """The text that AWS's services have for a broken constraint of the model."""
    return invalid(
        f"1 validation error detected: Value at '{name}' failed to satisfy constraint: {text}",
    )
