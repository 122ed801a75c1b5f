"""From a charge's kind and usage type to a pool."""

from __future__ import annotations

import re
from decimal import Decimal

from tenantmetrics.cost.capacity import SESSIONS_AN_ACU

__all__ = [
    "COMMITMENTS",
    "COMPUTE",
    "OF_A_CLUSTER",
    "is_aws",
    "is_other_database",
    "is_others",
    "is_taken_back",
    "is_undecided",
    "pool_of",
    "sessions_of",
]

# How usage types end; in most regions a prefix such as "EUW2-" comes before (AWS billing data).
_ENDS = {
    # HeavyUsage is the fee of reserved instances; Limitless has units of its own.
    "compute": (
        r"Aurora:Serverless(V2(IOOptimized)?)?Usage"
        r"|InstanceUsage(IOOptimized)?:db\..*|HeavyUsage:db\..*"
        r"|Aurora:Limitless-?(Serverless|ACU|Compute)[A-Za-z0-9-]*"
    ),
    # The price list's usage type; bills have been seen with the second spelling.
    "data_api": r"(RDS:)?Data-?API-?Usage",
    "io": r"Aurora:(Limitless-?)?(Storage|ReplicatedWrite|GlobalWrite)IO(Usage)?",
    "storage": r"Aurora:(IO-Optimized|Limitless-?)?StorageUsage",
    "backup": r"Aurora:BackupUsage",
    "extended_support": r"ExtendedSupport:.*Aurora.*",
    "proxy": r"RDS:Proxy(Usage|-ASv2-Usage)",
    "insights": r"PI_LTR(:.*)?|PI_API|RDS:PerformanceInsights.*",
    "export": r"Aurora:SnapshotExport(ToS3)?",
    "backtrack": r"Aurora:BacktrackUsage",
    "secrets": r"AWSSecretsManager-Secrets|AWSSecretsManagerAPIRequest",
    "observability": r"CW:(MetricMonitorUsage|Requests|GMD-Metrics|AlarmMonitorUsage)",
}
# Performance Insights has a colon after the region (AWS Cost Explorer, "USE1:PI_API").
_PATTERNS = {pool: re.compile(rf"(?:[A-Za-z0-9]+[-:])?(?:{end})") for pool, end in _ENDS.items()}

OF_A_CLUSTER = (
    r"^([A-Za-z0-9]+[-:])?(.*Aurora.*|InstanceUsage.*|HeavyUsage:db.*|RDS:.*|PI_.*|.*Data-?API.*)$"
)
"""For SQL: usage types whose resource may be a cluster or an instance of one."""

COMPUTE = rf"^([A-Za-z0-9]+-)?({_ENDS['compute']})$"
"""The same for SQL: usage types whose cost is wanted by the hour."""

_CREDITS = frozenset(
    {
        "credit", "refund", "adjustment", "discount", "edpdiscount", "privateratediscount",
        "bundleddiscount", "sppdiscount", "rivolumediscount", "enterprisediscountprogramdiscount",
        "solutionproviderprogramdiscount", "savingsplandiscount", "distributordiscount",
    }
)  # fmt: skip


_OURS = re.compile(r"(amazon|aws)?(rds|relationaldatabase|aurora|cloudwatch|secretsmanager)")
"""How the names of what has pools begin, as CUR's product codes and FOCUS's services write them.

Somewhere within, "rds" is in dashboards and records, too.
"""

COMMITMENTS = frozenset({"DiscountedUsage", "SavingsPlanCoveredUsage", "RIFee"})
"""CUR's line item types of usage that was paid ahead."""

_OTHERS = ("docdb", "documentdb", "neptune")
"""The same of databases whose usage types are spelt as Aurora's."""

_AURORA_OPERATIONS = frozenset({"0016", "0021"})
"""Aurora MySQL and Aurora PostgreSQL in `CreateDBInstance:0021` (Amazon RDS user guide, "Product
codes", and the price list's `operation`)."""


_NEVER_AURORA = re.compile(
    r"(?:[A-Za-z0-9]+-)?(?:"
    # Classes that Aurora does not have.
    r"(?:InstanceUsage|HeavyUsage):db\.(?:[cmz]\w*\..*|t\w+\.micro|t4g\.small|t\w+\.2?xlarge)"
    # A standby, and storage of an instance's own: Aurora has volumes of a cluster's.
    r"|Multi-AZ(?:Cluster)?Usage:.*|RDS:(?:Multi-AZ(?:Cluster)?-|Mirror)?(?:GP\d|PIOPS|IO\d|Storage).*"
    r"|RDS:ChargedBackupUsage)"
)
"""Usage types of databases that are not Aurora's, whatever else a charge says (Aurora user guide,
"Supported DB engines for DB instance classes"; RDS's usage types in AWS's price list)."""


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", text.lower())


def is_aws(provider: str) -> bool:
    """Whether a FOCUS provider's name is AWS's; "" is, because CUR has no other."""
    name = _plain(provider)
    return name == "" or name.startswith(("aws", "amazon"))


def is_others(service: str) -> bool:
    """Whether a service's name is of one that has no pool."""
    name = _plain(service)
    return name != "" and not _OURS.match(name)


def is_taken_back(kind: str) -> bool:
    """Whether a charge repeats the quantity of the usage that it takes back or lowers."""
    plain = _plain(kind)
    return plain == "savingsplannegation" or plain in _CREDITS


def is_other_database(service: str, engine: str, operation: str, usage_type: str = "") -> bool:
    """Whether a charge is of a database that is not Aurora, though its usage type may look alike.

    Args:
        service: CUR's product code or FOCUS's service; "" where there is none.
        engine: The database engine; "" where there is none.
        operation: Such as `CreateDBInstance:0021`; "" where there is none.
        usage_type: The usage type; "" where there is none.
    """
    name = _plain(service)
    if re.search(r"ExtendedSupport:(?!.*Aurora)", usage_type):
        return True
    if any(other in name for other in _OTHERS):
        return True
    if engine and engine.lower() != "any":
        return "aurora" not in engine.lower()
    if _NEVER_AURORA.fullmatch(usage_type):
        return True
    code = _code(operation)
    return code != "" and code not in _AURORA_OPERATIONS


def is_undecided(service: str, engine: str, operation: str, usage_type: str) -> bool:
    """Whether a charge is for an instance, and nothing says of which engine.

    Args:
        service: As `is_other_database`.
        engine: As there.
        operation: As there.
        usage_type: As there.
    """
    if not re.search(r"(InstanceUsage|HeavyUsage):db\.", usage_type):
        return False
    return not engine and "aurora" not in _plain(service) and not _code(operation)


def _code(operation: str) -> str:
    """The engine's number in an operation, "" where there is none."""
    found = re.fullmatch(r"CreateDBInstance:(\d{4}).*", operation)
    return found[1] if found else ""


def pool_of(kind: str, usage_type: str, service: str = "", operation: str = "") -> str:
    """The pool of a charge.

    Args:
        kind: CUR's line item type, Cost Explorer's record type or FOCUS's charge category.
        usage_type: The usage type; "" where there is none.
        service: CUR's product code or FOCUS's service; "" where there is none.
        operation: What was asked of the service; "" where there is none.
    """
    name = _plain(service)
    if is_others(service):
        # What another service costs stays with it, and so do its discounts, credits and taxes.
        return "unclassified"
    found = next(
        (pool for pool, pattern in _PATTERNS.items() if pattern.fullmatch(usage_type)),
        "unclassified",
    )
    if found == "unclassified" and _plain(operation) in {"dataapi", "auroradataapi"}:
        # The price list says so where a bill spells the usage type in another way.
        found = "data_api"
    # "Private Rate Discount" in Cost Explorer is CUR's "PrivateRateDiscount".
    plain = _plain(kind)
    if plain == "tax":
        return "taxes"
    if plain in _CREDITS:
        return "credits" if name or not usage_type or found != "unclassified" else found
    return found


_VCPUS = {"micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4}
"""vCPUs of the sizes of instances without a number (Aurora user guide, "DB instance classes")."""


def sessions_of(usage_type: str) -> Decimal | None:
    """Sessions that an hour of compute can keep running: one a vCPU, a quarter an ACU.

    Args:
        usage_type: Of a charge for compute.

    Returns:
        Sessions for each unit of its quantity; None where it does not tell.
    """
    if re.search(r"Serverless(V2)?(IOOptimized)?Usage$|Limitless", usage_type):
        return SESSIONS_AN_ACU
    found = re.search(
        r"InstanceUsage(?:IOOptimized)?:db\.[^.]+\.(?:(\d+)xlarge|(\w+))$", usage_type
    )
    if found is None:
        return None
    number, size = found.groups()
    vcpus = 4 * int(number) if number else _VCPUS.get(size, 0)
    return Decimal(vcpus) if vcpus else None
