"""The job's settings: REPORT_* in its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tenantmetrics.buckets import unlisted
from tenantmetrics.cost import BillFilter, ServerTimeSource
from tenantmetrics.cost.allocate import Idle
from tenantmetrics.errors import ConfigError, TenantMetricsError
from tenantmetrics.report.formats import Format

__all__ = ["Settings", "in_settings", "load"]

_OBJECTS = ("REPORT_TENANTS", "REPORT_STORAGE", "REPORT_RATES")
"""Settings that are an object of S3, or nothing."""

_YES, _NO = ("yes", "true", "1"), ("", "no", "false", "0")


_NAMES = {
    "usage": "REPORT_LEDGER",
    "bill": "REPORT_BILL",
    "tag": "REPORT_BILL_TAG",
    "bill_account": "REPORT_BILL_ACCOUNT",
    "bill_cluster": "REPORT_BILL_CLUSTER",
    "cluster": "REPORT_CLUSTER",
    "tenants": "REPORT_TENANTS",
    "storage": "REPORT_STORAGE",
    "timezone": "REPORT_TIMEZONE",
    "idle": "REPORT_IDLE",
    "server_time": "REPORT_SERVER_TIME",
    "currency": "REPORT_CURRENCY",
    "rates": "REPORT_RATES",
    "amortized": "REPORT_AMORTIZED",
}
"""What fields of a request are set by. The job has no settings for the others."""


def in_settings(error: TenantMetricsError) -> str:
    """An error's text, with the settings that it is about in parentheses."""
    names = [_NAMES[field] for field in error.fields if field in _NAMES]
    return f"{error} ({', '.join(names)})" if names else str(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the job reads and writes.

    Attributes:
        ledger: `s3://bucket/prefix` of the ledger (REPORT_LEDGER).
        output: `s3://bucket/prefix` for the reports (REPORT_OUTPUT).
        topic_arn: SNS topic that is notified; "" for none (REPORT_TOPIC_ARN).
        bill: `cost-explorer`, `s3://bucket/prefix` of an export, or "" for list prices
            (REPORT_BILL).
        bill_filter: Which charges count (REPORT_BILL_ACCOUNT, REPORT_BILL_CLUSTER,
            REPORT_BILL_TAG).
        cluster: DB cluster whose capacity CloudWatch is asked for, or "" (REPORT_CLUSTER).
        tenants: `s3://bucket/key` of the CSV of tenants and budgets, or "" (REPORT_TENANTS).
        storage: `s3://bucket/key` of the CSV of measured bytes, or "" (REPORT_STORAGE).
        formats: What is written (REPORT_FORMATS, separated by commas).
        timezone: Zone of the month's borders (REPORT_TIMEZONE).
        idle: Who pays for idle capacity (REPORT_IDLE).
        server_time: How server time is found (REPORT_SERVER_TIME).
        currency: What amounts are converted to; "" for the bill's own (REPORT_CURRENCY).
        rates: `s3://bucket/key` of the file of exchange rates, or "" (REPORT_RATES).
        forecast: Whether a month that is not over gets a forecast without budgets, too
            (REPORT_FORECAST).
        amortized: Whether commitments count when they are used (REPORT_AMORTIZED).
        region: Region of the list prices (AWS_REGION).
    """

    ledger: str
    output: str
    topic_arn: str
    bill: str
    bill_filter: BillFilter
    cluster: str
    tenants: str
    storage: str
    formats: tuple[Format, ...]
    timezone: str
    idle: Idle
    server_time: ServerTimeSource
    currency: str
    rates: str
    forecast: bool
    amortized: bool
    region: str


def load(environ: Mapping[str, str]) -> Settings:
    """Read the environment.

    Raises:
        ConfigError: A setting is missing or not allowed; names it.
        ReportError: REPORT_BILL_TAG is not KEY=VALUE.
    """
    for name in ("REPORT_LEDGER", "REPORT_OUTPUT", *_OBJECTS):
        value = environ.get(name, "")
        if not (value.startswith("s3://") or (not value and name in _OBJECTS)):
            raise ConfigError(f"{name} = {value!r}: must be s3://bucket/...")
    if words := unlisted(environ["REPORT_LEDGER"]):
        raise ConfigError(f"REPORT_LEDGER = {environ['REPORT_LEDGER']!r} {words}")
    try:
        idle = Idle(environ.get("REPORT_IDLE") or Idle.SEPARATE)
    except ValueError:
        raise ConfigError(f"REPORT_IDLE must be one of {', '.join(Idle)}") from None
    try:
        server_time = ServerTimeSource(environ.get("REPORT_SERVER_TIME") or ServerTimeSource.AUTO)
    except ValueError:
        allowed = ", ".join(ServerTimeSource)
        raise ConfigError(f"REPORT_SERVER_TIME must be one of {allowed}") from None
    names = environ.get("REPORT_FORMATS") or "html,xlsx,csv,json,focus"
    try:
        formats = tuple(Format(name.strip()) for name in names.split(","))
    except ValueError:
        raise ConfigError(
            f"REPORT_FORMATS = {names!r}: must be some of {', '.join(Format)}"
        ) from None
    return Settings(
        ledger=environ["REPORT_LEDGER"],
        output=environ["REPORT_OUTPUT"].rstrip("/"),
        topic_arn=environ.get("REPORT_TOPIC_ARN", ""),
        bill=environ.get("REPORT_BILL", ""),
        bill_filter=BillFilter.of(
            environ.get("REPORT_BILL_ACCOUNT") or None,
            environ.get("REPORT_BILL_CLUSTER") or None,
            environ.get("REPORT_BILL_TAG") or None,
        ),
        cluster=environ.get("REPORT_CLUSTER", ""),
        tenants=environ.get("REPORT_TENANTS", ""),
        storage=environ.get("REPORT_STORAGE", ""),
        formats=formats,
        timezone=environ.get("REPORT_TIMEZONE") or "UTC",
        idle=idle,
        server_time=server_time,
        currency=environ.get("REPORT_CURRENCY", ""),
        rates=environ.get("REPORT_RATES", ""),
        forecast=_is_on(environ, "REPORT_FORECAST"),
        amortized=_is_on(environ, "REPORT_AMORTIZED"),
        region=environ.get("AWS_REGION") or "us-east-1",
    )


def _is_on(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip().lower()
    if value not in {*_YES, *_NO}:
        raise ConfigError(f"{name} = {value!r}: must be yes or no")
    return value in _YES
