"""From a charge's kind and usage type to a pool."""

from __future__ import annotations

import re

__all__ = ["COMPUTE", "pool_of"]

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
        "bundleddiscount", "sppdiscount", "rivolumediscount",
    }
)  # fmt: skip


def pool_of(kind: str, usage_type: str) -> str:
    """The pool of a charge.

    Args:
        kind: CUR's line item type or FOCUS's charge category.
        usage_type: The usage type; "" where there is none.
    """
    lower = kind.lower()
    if lower == "tax":
        return "taxes"
    if lower in _CREDITS:
        return "credits"
    for pool, pattern in _PATTERNS.items():
        if pattern.fullmatch(usage_type):
            return pool
    return "unclassified"
