"""The RDS Data API over PostgreSQL, for a laptop, for tests, for the demo.

    with serve() as endpoint:
        client = endpoint.client()
        client.execute_statement(
            resourceArn=endpoint.resource_arn, secretArn=endpoint.secret_arn, sql="SELECT 1"
        )

Version 2's behaviour unless told otherwise; what is not known of AWS stands in `guesses`.
"""

from __future__ import annotations

from tenantmetrics.errors import MissingExtraError

try:
    from tenantmetrics.localapi.clusters import Cluster, Secret, load
    from tenantmetrics.localapi.endpoint import Endpoint
    from tenantmetrics.localapi.faults import Fault
    from tenantmetrics.localapi.server import serve
    from tenantmetrics.localapi.servertime import ServerTime, ServerTimeRow, label_calls
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] == "tenantmetrics":
        raise
    raise MissingExtraError("the local Data API endpoint", "local") from None

__all__ = [
    "Cluster",
    "Endpoint",
    "Fault",
    "Secret",
    "ServerTime",
    "ServerTimeRow",
    "label_calls",
    "load",
    "serve",
]
