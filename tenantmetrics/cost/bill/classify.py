"""From a charge's kind and usage type to a pool."""

from __future__ import annotations

import re

__all__ = ["COMPUTE", "is_other_database", "pool_of"]

# How usage types end; in most regions a prefix such as "EUW2-" comes before (AWS billing data).
_ENDS = {
    "compute": (
        r"Aurora:ServerlessV2Usage|Aurora:ServerlessV2IOOptimizedUsage"
        r"|InstanceUsage(IOOptimized)?:db\..*"
    ),
    "data_api": r"Data-API-Usage",
    "io": r"Aurora:StorageIOUsage",
    "storage": r"Aurora:(IO-Optimized)?StorageUsage",
    "backup": r"Aurora:BackupUsage",
    "secrets": r"AWSSecretsManager-Secrets|AWSSecretsManagerAPIRequest",
    "observability": r"CW:(MetricMonitorUsage|Requests|GMD-Metrics|AlarmMonitorUsage)",
}
_PATTERNS = {pool: re.compile(rf"(?:[A-Za-z0-9]+-)?(?:{end})") for pool, end in _ENDS.items()}

COMPUTE = rf"^([A-Za-z0-9]+-)?({_ENDS['compute']})$"
"""The same for SQL: usage types whose cost is wanted by the hour."""

_CREDITS = frozenset(
    {
        "credit", "refund", "adjustment", "discount", "edpdiscount", "privateratediscount",
        "bundleddiscount", "sppdiscount", "rivolumediscount", "enterprisediscountprogramdiscount",
        "solutionproviderprogramdiscount", "savingsplandiscount", "distributordiscount",
    }
)  # fmt: skip


_OURS = ("rds", "relationaldatabase", "aurora", "cloudwatch", "secretsmanager")
"""Parts of the names, as CUR's product codes and FOCUS's services write them, of what has pools."""

_OTHERS = ("docdb", "documentdb", "neptune")
"""The same of databases whose usage types are spelt as Aurora's."""

_AURORA_OPERATIONS = frozenset({"0016", "0021"})
"""Aurora MySQL and Aurora PostgreSQL in `CreateDBInstance:0021` (Amazon RDS user guide, "Product
codes", and the price list's `operation`)."""


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", text.lower())


def is_other_database(service: str, engine: str, operation: str) -> bool:
    """Whether a charge is of a database that is not Aurora, though its usage type may look alike.

    Args:
        service: CUR's product code or FOCUS's service; "" where there is none.
        engine: The database engine; "" where there is none.
        operation: Such as `CreateDBInstance:0021`; "" where there is none.
    """
    name = _plain(service)
    if any(other in name for other in _OTHERS):
        return True
    if engine and engine.lower() != "any":
        return "aurora" not in engine.lower()
    code = re.fullmatch(r"CreateDBInstance:(\d{4}).*", operation)
    return code is not None and code[1] not in _AURORA_OPERATIONS


def pool_of(kind: str, usage_type: str, service: str = "") -> str:
    """The pool of a charge.

    Args:
        kind: CUR's line item type, Cost Explorer's record type or FOCUS's charge category.
        usage_type: The usage type; "" where there is none.
        service: CUR's product code or FOCUS's service; "" where there is none.
    """
    name = _plain(service)
    if name and not any(ours in name for ours in _OURS):
        # What another service costs stays with it, and so do its discounts, credits and taxes.
        return "unclassified"
    found = next(
        (pool for pool, pattern in _PATTERNS.items() if pattern.fullmatch(usage_type)),
        "unclassified",
    )
    # "Private Rate Discount" in Cost Explorer is CUR's "PrivateRateDiscount".
    plain = _plain(kind)
    if plain == "tax":
        return "taxes"
    if plain in _CREDITS:
        return "credits" if name or not usage_type or found != "unclassified" else found
    return found
