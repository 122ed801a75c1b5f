"""A running endpoint as its user has it: where it is, what to call it by, what it counted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tenantmetrics.localapi.clusters import Directory
from tenantmetrics.localapi.counts import RequestCounts
from tenantmetrics.localapi.faults import FaultPlan
from tenantmetrics.localapi.service import Service

__all__ = ["Endpoint"]

ACCESS_KEY, SECRET_KEY, REGION = "local", "local", "us-east-1"
_ANSWER_S = 30.0


class Endpoint:
    """A running endpoint. Made by `serve`.

    Attributes:
        url: Where it listens ("http://127.0.0.1:8080").
        host: The address.
        port: The port.
        resource_arn: ARN of the default cluster.
        secret_arn: ARN of the default secret: the superuser on an embedded PostgreSQL.
        secret_arns: Role → ARN of the secrets made by `roles`.
        database: Database of calls that name none.
        psycopg_url: For a direct connection to the default cluster as the default role.
        requests: Every request received, counted where HTTP ends.
        faults: Failures on demand; may be changed at any time.
        server_time: PostgreSQL's own account of each call's time, see `servertime`; None unless
            asked for.
    """

    def __init__(
        self,
        *,
        address: tuple[str, int],
        directory: Directory,
        secret_arns: Mapping[str, str],
        psycopg_url: str,
        database: str,
        requests: RequestCounts,
        faults: FaultPlan,
        service: Service,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.host, self.port = address
        shown = f"[{self.host}]" if ":" in self.host else self.host
        self.url = f"http://{shown}:{self.port}"
        self.resource_arn = next(iter(directory.clusters))
        self.secret_arn = next(iter(directory.secrets))
        self.secret_arns = dict(secret_arns)
        self.psycopg_url = psycopg_url
        self.database = database
        self.requests = requests
        self.faults = faults
        self.server_time = service.server_time
        self._service = service
        self._loop = loop

    @property
    def environment(self) -> dict[str, str]:
        """What to export so that any AWS SDK talks to the endpoint; the credentials are dummies."""
        return {
            "AWS_ENDPOINT_URL_RDS_DATA": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
        }

    @property
    def open_transactions(self) -> int:
        """Transactions begun and neither ended nor expired."""
        return len(self._service.transactions)

    def client(self, **settings: Any) -> Any:
        """A plain `boto3.client("rds-data")` for this endpoint.

        Args:
            **settings: Further arguments of `boto3.client`.
        """
        import boto3  # noqa: PLC0415 - half a second that a server alone does not need

        return boto3.client(
            "rds-data",
            **{
                "endpoint_url": self.url,
                "region_name": REGION,
                "aws_access_key_id": ACCESS_KEY,
                "aws_secret_access_key": SECRET_KEY,
                **settings,
            },
        )

    def close_idle(self) -> None:
        """Close the pool's idle connections: a database with connections cannot be dropped."""

        async def close() -> None:
            self._service.pool.close()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(_ANSWER_S)

    def reap(self) -> None:
        """End what is past its idle limit now, instead of at the next regular time."""
        asyncio.run_coroutine_threadsafe(self._service.reap(), self._loop).result(_ANSWER_S)
