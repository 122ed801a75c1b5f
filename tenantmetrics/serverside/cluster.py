"""A cluster as RDS describes it: its instances, and whether it pauses.

It needs `rds:DescribeDBClusters`, and `rds:DescribeDBInstances` for the instances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tenantmetrics.arns import region_of
from tenantmetrics.errors import ServerLoadError
from tenantmetrics.export.aws import region

__all__ = ["Cluster", "Instance", "describe", "identifier", "instances"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A DB cluster.

    Attributes:
        arn: Its ARN.
        identifier: Its identifier.
        members: Identifiers of its instances, the writer first.
        may_pause: It is Serverless v2 with a minimum of 0 ACU: it pauses when nobody uses it.
    """

    arn: str
    identifier: str
    members: tuple[str, ...]
    may_pause: bool


@dataclass(frozen=True, slots=True)
class Instance:
    """A DB instance.

    Attributes:
        identifier: Its identifier.
        resource_id: The name that Performance Insights has for it (`DbiResourceId`).
        has_insights: Whether Performance Insights is on.
        kept_days: How long it keeps its data, days.
    """

    identifier: str
    resource_id: str
    has_insights: bool
    kept_days: int


def identifier(cluster: str) -> str:
    """The cluster's identifier, whether it was given so or by its ARN."""
    return cluster.rpartition(":")[2] if cluster.startswith("arn:") else cluster


def describe(cluster: str, *, region_name: str | None = None) -> Cluster:
    """Look a cluster up.

    Args:
        cluster: Its identifier or its ARN.
        region_name: Its region; None for the ARN's, or boto3's own.

    Raises:
        ServerLoadError: RDS does not know it, or cannot be asked.
    """
    name = identifier(cluster)
    answer = _ask(
        "describe_db_clusters",
        region_name or region_of(cluster),
        f"cluster {name!r}",
        DBClusterIdentifier=name,
    )
    (found,) = answer["DBClusters"]
    members = sorted(
        found.get("DBClusterMembers", ()),
        key=lambda member: (not member.get("IsClusterWriter"), member["DBInstanceIdentifier"]),
    )
    scaling = found.get("ServerlessV2ScalingConfiguration", {})
    return Cluster(
        found["DBClusterArn"],
        name,
        tuple(member["DBInstanceIdentifier"] for member in members),
        may_pause=scaling.get("MinCapacity") == 0,
    )


def instances(cluster: Cluster, *, region_name: str | None = None) -> list[Instance]:
    """Look a cluster's instances up, in the order of its members.

    Args:
        cluster: As `describe` gave it.
        region_name: As there.

    Raises:
        ServerLoadError: RDS cannot be asked.
    """
    found = []
    for name in cluster.members:
        answer = _ask(
            "describe_db_instances",
            region_name or region_of(cluster.arn),
            f"instance {name!r}",
            DBInstanceIdentifier=name,
        )
        (described,) = answer["DBInstances"]
        found.append(
            Instance(
                name,
                described.get("DbiResourceId", ""),
                bool(described.get("PerformanceInsightsEnabled")),
                int(described.get("PerformanceInsightsRetentionPeriod") or 7),
            )
        )
    return found


def _ask(operation: str, region_name: str | None, what: str, **arguments: str) -> Any:
    import boto3  # noqa: PLC0415 - 100 ms that `--help` need not wait for
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    session = boto3.session.Session()
    config = Config(
        connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3}
    )
    client: Any = None
    try:
        client = session.client("rds", region_name=region_name or region(session), config=config)
        return getattr(client, operation)(**arguments)
    except (BotoCoreError, ClientError, ValueError) as error:
        raise _unknown(what, operation, error) from None
    finally:
        if client is not None:
            client.close()


def _unknown(what: str, operation: str, error: Exception) -> ServerLoadError:
    code = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
    right = "rds:" + "".join(
        word.upper() if word == "db" else word.title() for word in operation.split("_")
    )
    hint = {
        "AccessDenied": f": allow {right}",
        "AccessDeniedException": f": allow {right}",
        "DBClusterNotFoundFault": ": check its name and the region",
        "NoCredentialsError": ": set up AWS credentials",
        "NoRegionError": ": set AWS_REGION",
    }.get(code, "")
    return ServerLoadError(f"{what} cannot be looked up in RDS ({code}){hint}")
