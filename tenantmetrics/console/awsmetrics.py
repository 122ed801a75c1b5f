"""What is known of AWS's own metrics beyond those that our screens show: dimensions and ranges.

Only namespaces whose list of dimensions is complete are here: a dimension that is not in it is then
a mistake. Sources: each service's page on its CloudWatch metrics, checked against the list that
Grafana keeps (pkg/tsdb/cloudwatch/constants, July 2025).
"""

from __future__ import annotations

__all__ = ["DIMENSIONS", "metric_range"]

DIMENSIONS: dict[str, frozenset[str]] = {
    namespace: frozenset(names)
    for namespace, names in {
        "AWS/ApiGateway": ("ApiId", "ApiName", "Method", "Resource", "Route", "Stage"),
        "AWS/ApplicationELB": ("AvailabilityZone", "LoadBalancer", "TargetGroup"),
        "AWS/AutoScaling": ("AutoScalingGroupName", "PairIndex", "PolicyName"),
        "AWS/Billing": ("Currency", "LinkedAccount", "ServiceName"),
        "AWS/CertificateManager": ("CertificateArn",),
        "AWS/CloudFront": ("DistributionId", "FunctionName", "Region"),
        "AWS/DynamoDB": (
            "DelegatedOperation", "GlobalSecondaryIndexName", "Operation", "OperationType",
            "ReceivingRegion", "StreamLabel", "TableName", "Verb",
        ),
        "AWS/EBS": ("InstanceId", "VolumeId"),
        "AWS/EC2": ("AutoScalingGroupName", "ImageId", "InstanceId", "InstanceType"),
        "AWS/ECS": (
            "ClusterName", "DiscoveryName", "ServiceName", "TargetDiscoveryName", "TargetGroup",
        ),
        "AWS/EFS": ("FileSystemId", "StorageClass"),
        "AWS/ELB": ("AvailabilityZone", "LoadBalancerName"),
        "AWS/ElastiCache": (
            "CacheClusterId", "CacheNodeId", "ReplicationGroupId", "Tier", "clusterId",
        ),
        "AWS/Firehose": ("DeliveryStreamName",),
        "AWS/Kinesis": ("ConsumerName", "ShardId", "StreamName"),
        "AWS/Lambda": ("EventSourceMappingUUID", "ExecutedVersion", "FunctionName", "Resource"),
        "AWS/NATGateway": ("NatGatewayId",),
        "AWS/NetworkELB": ("AvailabilityZone", "LoadBalancer", "TargetGroup"),
        "AWS/RDS": (
            "DBClusterIdentifier", "DBInstanceIdentifier", "DatabaseClass", "DbClusterIdentifier",
            "DbShardGroupIdentifier", "DbShardGroupResourceId", "EndpointName", "EngineName",
            "ProxyName", "Role", "SourceRegion", "Target", "TargetGroup", "TargetRole",
        ),
        "AWS/SNS": ("Application", "Country", "Platform", "SMSType", "TopicName"),
        "AWS/SQS": ("QueueName",),
        "AWS/TransitGateway": ("TransitGateway", "TransitGatewayAttachment"),
        "AWS/VPN": ("TunnelIpAddress", "VpnId"),
    }.items()
}  # fmt: skip
"""Namespace → every dimension that its metrics have."""

_PERCENT = (0.0, 100.0)
_RANGES: dict[tuple[str, str], tuple[float, float]] = {
    (namespace, name): _PERCENT
    for namespace, names in {
        "AWS/RDS": ("ACUUtilization", "BufferCacheHitRatio", "CPUUtilization", "BurstBalance"),
        "AWS/EC2": ("CPUUtilization", "EBSIOBalance%", "EBSByteBalance%"),
        "AWS/DocDB": ("BufferCacheHitRatio", "CPUUtilization"),
        "AWS/Neptune": ("BufferCacheHitRatio", "CPUUtilization"),
        "AWS/DMS": ("CPUUtilization",),
        "AWS/EBS": ("BurstBalance",),
        "AWS/EFS": ("PercentIOLimit",),
        "AWS/ElastiCache": (
            "CPUUtilization", "DatabaseMemoryUsagePercentage", "EngineCPUUtilization",
        ),
        "AWS/ES": ("CPUUtilization", "JVMMemoryPressure", "MasterCPUUtilization"),
        "AWS/Redshift": ("CPUUtilization", "PercentageDiskSpaceUsed"),
        "AWS/CloudFront": ("4xxErrorRate", "5xxErrorRate", "CacheHitRate", "TotalErrorRate"),
        "CWAgent": ("disk_used_percent", "mem_used_percent", "swap_used_percent"),
        "CloudWatchSynthetics": ("SuccessPercent",),
    }.items()
    for name in names
} | {
    ("AWS/EC2", "StatusCheckFailed"): (0.0, 1.0),
    ("AWS/EC2", "StatusCheckFailed_Instance"): (0.0, 1.0),
    ("AWS/EC2", "StatusCheckFailed_System"): (0.0, 1.0),
}  # fmt: skip


def metric_range(namespace: str, name: str) -> tuple[float, float]:
    """The least and the greatest value of one datum of an AWS metric.

    ECS' CPUUtilization has no upper end: a task may use more than its service reserved.

    Args:
        namespace: Its namespace.
        name: Its name.

    Returns:
        Infinite ends where nothing is known; no metric of AWS's own services is below zero.
    """
    least = 0.0 if namespace.startswith("AWS/") and namespace in DIMENSIONS else float("-inf")
    return _RANGES.get((namespace, name), (least, float("inf")))
