"""Reading a request's body: the JSON checked against the service model, and no further."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tenantmetrics.dataapi.errors import ApiError, invalid, malformed
from tenantmetrics.dataapi.operations import OPERATIONS
from tenantmetrics.limits import SQL_MAX_CHARS

__all__ = ["RequestBody", "ResultOptions", "is_well_formed", "read_request"]

ARN_MIN_CHARS, ARN_MAX_CHARS = 11, 570
"""Length of an ARN (botocore's service model, Arn)."""
NAME_MAX_CHARS = 64
"""Length of a database's or schema's name (botocore's service model, DbName)."""
ID_MAX_CHARS = 192
"""Length of a transactionId (botocore's service model, Id)."""


@dataclass(frozen=True, slots=True)
class ResultOptions:
    """How a result is to be shown: `resultSetOptions` and the API's version.

    Attributes:
        decimals_as_numbers: decimalReturnType DOUBLE_OR_LONG.
        longs_as_strings: longReturnType STRING.
        version: 1 or 2.
    """

    decimals_as_numbers: bool = False
    longs_as_strings: bool = False
    version: int = 2


@dataclass(slots=True)
class RequestBody:
    """A request of any operation; ExecuteSql's members are under the names of the others.

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
    options: ResultOptions


def read_request(operation: str, body: Any, version: int = 2) -> RequestBody:
    """Check a request.

    Args:
        operation: Its name, a key of `OPERATIONS`.
        body: What its JSON said.
        version: 1, or 2 for Aurora Serverless v2 and provisioned clusters.

    Raises:
        ApiError: It is not as the service model says, or uses what the version does not have.
    """
    if not isinstance(body, dict):
        raise malformed("The request's body", "a JSON object")
    wire = OPERATIONS[operation]
    sql = ""
    if wire.sql_member is not None:
        sql = _required(body, wire.sql_member, 0, SQL_MAX_CHARS)
    request = RequestBody(
        resource=_required(body, wire.cluster_member, ARN_MIN_CHARS, ARN_MAX_CHARS),
        secret=_required(body, wire.secret_member, ARN_MIN_CHARS, ARN_MAX_CHARS),
        sql=sql,
        database=_string(body, "database", 0, NAME_MAX_CHARS) or None,
        schema=_string(body, "schema", 0, NAME_MAX_CHARS) or None,
        transaction=_required(body, "transactionId", 0, ID_MAX_CHARS)
        if wire.needs_transaction
        else _string(body, "transactionId", 0, ID_MAX_CHARS),
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


def is_well_formed(text: str) -> bool:
    """Whether a string from JSON has no lone surrogate, so that it can be UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _options(value: Any, version: int) -> ResultOptions:
    if value is None:
        return ResultOptions(version=version)
    if not isinstance(value, dict):
        raise malformed("resultSetOptions", "a structure")
    where = "resultSetOptions."
    decimal = _choice(value, "decimalReturnType", ("STRING", "DOUBLE_OR_LONG"), where)
    long = _choice(value, "longReturnType", ("LONG", "STRING"), where)
    return ResultOptions(decimal == "DOUBLE_OR_LONG", long == "STRING", version)


def _required(body: dict[str, Any], name: str, least: int, most: int) -> str:
    """A string that must be there; arguments and errors as those of `_string`."""
    value = _string(body, name, least, most)
    if value is None:
        raise _constraint(name, "Member must not be null")
    return value


def _string(body: dict[str, Any], name: str, least: int, most: int) -> str | None:
    """A string of the body with its length in characters checked; None where it is absent."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise malformed(name, "a string")
    if len(value) > most:
        raise _constraint(name, f"Member must have length less than or equal to {most}")
    if len(value) < least:
        raise _constraint(name, f"Member must have length greater than or equal to {least}")
    if not is_well_formed(value):
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
