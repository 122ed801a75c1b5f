"""GetResourceMetrics: 15 queries a request, all pages, patience with throttling.

It needs `pi:GetResourceMetrics`. What is refused because of load, and what failed on AWS's side, is
asked again after a pause that doubles, up to a deadline for the whole run.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from tenantmetrics import limits
from tenantmetrics.errors import ServerLoadError
from tenantmetrics.export.aws import CREDENTIAL_CODES, fate, region
from tenantmetrics.export.resume import Fate

__all__ = ["Insights", "Query"]

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 20.0
_METRIC = "db.load.avg"
"""Not `db.sampledload.avg`: that is of sampled sessions only (Performance Insights user guide)."""


class Query(NamedTuple):
    """One query of the metric `db.load.avg`.

    Attributes:
        group: Dimension group, such as "db.application"; empty for the load of all.
        name: Only of this name; None for the 25 largest.
    """

    group: str = ""
    name: str | None = None

    def document(self) -> dict[str, Any]:
        """As GetResourceMetrics takes it."""
        if not self.group:
            return {"Metric": _METRIC}
        dimension = f"{self.group}.name"
        most = limits.PERFORMANCE_INSIGHTS_MAX_GROUPS if self.name is None else 1
        asked: dict[str, Any] = {
            "Metric": _METRIC,
            # Grouped even where one name is asked for: the answer then says of which it is.
            "GroupBy": {"Group": self.group, "Dimensions": [dimension], "Limit": most},
        }
        if self.name is not None:
            asked["Filter"] = {dimension: self.name}
        return asked


class Insights:
    """A client. Use it in a `with` statement.

    Args:
        region_name: AWS region; None for boto3's own.
        patience_s: Seconds that all requests together may take.
        clock: Monotonic seconds; injected by tests.
        wait: Waits so many seconds; injected by tests.

    Raises:
        ServerLoadError: No region is set.
    """

    def __init__(
        self,
        *,
        region_name: str | None = None,
        patience_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        import boto3  # noqa: PLC0415 - 100 ms that `--help` need not wait for
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        self._errors: tuple[type[Exception], ...] = (BotoCoreError, ClientError)
        self._clock = clock
        self._wait = wait or threading.Event().wait
        self._deadline_s = clock() + patience_s
        config = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 1},
        )
        session = boto3.session.Session()
        try:
            self._client: Any = session.client(
                "pi", region_name=region_name or region(session), config=config
            )
        except self._errors as error:
            raise _failed(error, "") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def load(
        self,
        resource_id: str,
        queries: Sequence[Query],
        *,
        start_s: int,
        end_s: int,
        period_s: int,
    ) -> dict[str, dict[int, float]]:
        """Average active sessions by name and by the start of the period.

        Args:
            resource_id: The instance (`DbiResourceId`).
            queries: What to ask; those with names must be of one group.
            start_s: From when, seconds since the epoch.
            end_s: Until when, exclusive.
            period_s: 1, 60, 300, 3600 or 86400.

        Returns:
            By name; under "" the load of all, if it was asked for.

        Raises:
            ServerLoadError: Performance Insights refuses, or did not answer in time.
        """
        found: dict[str, dict[int, float]] = {}
        most = limits.PERFORMANCE_INSIGHTS_MAX_QUERIES
        for first in range(0, len(queries), most):
            batch = queries[first : first + most]
            # A group is told with the sum of all groups: of a name's filter that is the name again.
            wants_all = any(query.name is None for query in batch)
            for series in self._series(resource_id, batch, start_s, end_s, period_s):
                names = list(series["Key"].get("Dimensions", {}).values())
                if not names and not wants_all:
                    continue
                values = found.setdefault(names[0] if names else "", {})
                for point in series.get("DataPoints", ()):
                    values[int(point["Timestamp"].timestamp())] = float(point.get("Value", 0.0))
        return found

    def _series(
        self, resource_id: str, batch: Sequence[Query], start_s: int, end_s: int, period_s: int
    ) -> list[dict[str, Any]]:
        arguments: dict[str, Any] = {
            "ServiceType": "RDS",
            "Identifier": resource_id,
            "MetricQueries": [query.document() for query in batch],
            "StartTime": datetime.fromtimestamp(start_s, UTC),
            "EndTime": datetime.fromtimestamp(end_s, UTC),
            "PeriodInSeconds": period_s,
            # By default a value stands at the end of its period.
            "PeriodAlignment": "START_TIME",
            "MaxResults": limits.PERFORMANCE_INSIGHTS_MAX_RESULTS,
        }
        found: list[dict[str, Any]] = []
        while True:
            page = self._ask(arguments, resource_id)
            found += page.get("MetricList", ())
            token = page.get("NextToken")
            if not token:
                return found
            arguments["NextToken"] = token

    def _ask(self, arguments: dict[str, Any], resource_id: str) -> Any:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return self._client.get_resource_metrics(**arguments)
            except self._errors as error:
                again = fate(error, "GetResourceMetrics") in {Fate.THROTTLED, Fate.UNCERTAIN}
                if not again or self._clock() + pause_s >= self._deadline_s:
                    raise _failed(error, resource_id) from None
            # Spread, so that two runs at the same time do not go on in step.
            self._wait(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _failed(error: Exception, resource_id: str) -> ServerLoadError:
    document = getattr(error, "response", {}).get("Error", {})
    code = document.get("Code", type(error).__name__)
    of = f" of {resource_id}" if resource_id else ""
    hint = {
        "NoRegionError": ": set AWS_REGION",
        "NoCredentialsError": ": set up AWS credentials",
        # Performance Insights says so of an instance that it does not know, too.
        "NotAuthorizedException": ": allow pi:GetResourceMetrics, and check that Performance "
        "Insights is on",
    }.get(code, "")
    if not hint and code in CREDENTIAL_CODES:
        hint = ": allow pi:GetResourceMetrics"
    if not hint and document.get("Message"):
        hint = ": " + " ".join(document["Message"].split())
    return ServerLoadError(f"the load{of} cannot be read from Performance Insights ({code}){hint}")
