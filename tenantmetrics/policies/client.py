"""A client of the Data API that nothing meters: what is sent is no tenant's."""

from __future__ import annotations

from typing import Any

from tenantmetrics.arns import region_of
from tenantmetrics.errors import RlsError
from tenantmetrics.export.aws import region
from tenantmetrics.export.checks import short

__all__ = ["data_api_client"]

_CONNECT_TIMEOUT_S = 10
_READ_TIMEOUT_S = 50
"""AWS ends a statement after 45 s (RDS Data API, limitations)."""


def data_api_client(
    cluster: str, *, region_name: str | None = None, endpoint_url: str | None = None
) -> Any:
    """A boto3 `rds-data` client.

    Args:
        cluster: ARN of the cluster that will be called.
        region_name: AWS region; None for the cluster's, else boto3's own.
        endpoint_url: Another endpoint; None for AWS's.

    Raises:
        RlsError: No region is set, or the endpoint's address does not parse.
    """
    import boto3  # noqa: PLC0415 - 100 ms that `--help` need not wait for
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    # A statement in a transaction is not repeated: it may have run.
    config = Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": 1},
    )
    session = boto3.session.Session()
    try:
        return session.client(
            "rds-data",
            region_name=region_name or region_of(cluster) or region(session),
            endpoint_url=endpoint_url,
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        raise RlsError(f"the Data API cannot be reached: {short(error)}") from None
