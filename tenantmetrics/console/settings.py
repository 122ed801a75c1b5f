"""What dashboards and alarms are built for: names, places, prices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from tenantmetrics.catalog import NAMESPACE
from tenantmetrics.console.alarm import resolve
from tenantmetrics.console.parameters import PARAMETERS
from tenantmetrics.errors import ConsoleError

__all__ = ["Settings"]

_ALLOWED = {
    "namespace": (r"[^:\x00-\x1f\"'][^\x00-\x1f\"']{0,254}", "1 to 255 characters, no quotes"),
    "region": (
        r"[a-z]{2,4}(-(gov|iso[a-z]?|de))?-(north|south|east|west|central)(east|west)?-\d",
        "a region such as eu-west-1",
    ),
    "account": (r"\d{12}", "12 digits"),
    "cluster": (r"[A-Za-z][A-Za-z0-9-]{0,62}", "a cluster identifier"),
    "log_group": (r"[A-Za-z0-9_/.#-]{1,512}", "a log group's name"),
    "prefix": (r"[A-Za-z0-9_-]{1,64}", "letters, digits, - and _"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the metrics are and what things cost there.

    Attributes:
        namespace: CloudWatch namespace of our metrics.
        region: AWS region of metrics, dashboards and alarms.
        account: AWS account, part of the alarms' ARNs.
        cluster: `DBClusterIdentifier` of the Aurora cluster.
        log_group: Where the EMF documents are; the exporter's own default.
        prefix: What the names of dashboards and alarms begin with.
        usd_per_million_requests: Data API list price, us-east-1, first tier (Aurora pricing page).
        usd_per_acu_hour: Aurora Serverless v2 list price, us-east-1, standard storage (same page).
        usd_per_metric_month: CloudWatch custom metric, list price of the first 10,000 (CloudWatch
            pricing page).
        thresholds: The alarms' parameters by name, where they are not the defaults; graphs in
            percent show the thresholds as lines.
    """

    namespace: str = NAMESPACE
    region: str = "us-east-1"
    account: str = "123456789012"
    cluster: str = "my-aurora-cluster"
    log_group: str = "tenantmetrics"
    prefix: str = "tenantmetrics"
    usd_per_million_requests: float = 0.35
    usd_per_acu_hour: float = 0.12
    usd_per_metric_month: float = 0.30
    thresholds: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what would break a query or an ARN.

        Raises:
            ConsoleError: A setting has a value that is not allowed.
        """
        for name, (pattern, allowed) in _ALLOWED.items():
            if not re.fullmatch(pattern, getattr(self, name)):
                raise ConsoleError(f"{name} = {getattr(self, name)!r}: must be {allowed}")
        for price in (setting.name for setting in fields(self) if setting.name.startswith("usd_")):
            if not 0 <= getattr(self, price) < float("inf"):
                raise ConsoleError(f"{price} = {getattr(self, price)!r}: must be a price")
        resolve(PARAMETERS, self.thresholds)

    def threshold(self, name: str) -> float:
        """An alarm's threshold: the given one or the alarms' default.

        Args:
            name: A parameter of the alarms, a number.
        """
        return float(resolve(PARAMETERS, self.thresholds)[name])
