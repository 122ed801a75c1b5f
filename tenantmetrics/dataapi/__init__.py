"""The RDS Data API's wire, described once for whoever speaks it, as client or as server.

    operations   the six operations: path, method of boto3's client, what each needs
    errors       error codes and their HTTP statuses; reading an error from a response
    fields       Python values to the API's Field and back
    requests     reading a request's body, checked against the service model
    responses    reading a response
    signing      Signature Version 4: making a signature, and checking one
    transaction  a transaction as a `with` block, over a boto3 client
    guesses      what the documentation leaves open

It needs no extra and no PostgreSQL: an instrumented client, a proxy and the local endpoint use the
same tables. AWS's documentation and botocore's service model of `rds-data` are the sources; what
neither says is in `guesses`.

    with Transaction(client, resourceArn=cluster, secretArn=secret, database="app") as transaction:
        transaction.execute("UPDATE rooms SET price = :price", {"price": 90})
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenantmetrics.dataapi.errors import ApiError
    from tenantmetrics.dataapi.transaction import Transaction, TransactionRolledBackError

__all__ = ["ApiError", "Transaction", "TransactionRolledBackError"]

_MODULES = {
    "ApiError": "errors",
    "Transaction": "transaction",
    "TransactionRolledBackError": "transaction",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for: metering a client needs `capture` alone."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only here

    found = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return found
