"""The keywords of `configure`, for editors and type checkers; loaded by nothing at run time.

A test holds them to the fields of `Config`, which says what each means. None means "not given".
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from os import PathLike
from typing import Literal, TypedDict

from tenantmetrics.capture.request import TenantSource
from tenantmetrics.export.base import Exporter

__all__ = ["Settings"]


class Settings(TypedDict, total=False):
    """What `tenantmetrics.configure` takes."""

    exporters: Sequence[str | Exporter] | Exporter | str | None
    flush_interval_s: float | None
    window_s: int | None
    queue_size: int | None
    max_series: int | None
    max_statement_series: int | None
    exit_timeout_s: float | None
    export_spread_s: float | None
    namespace: str | None
    metric_level: Literal["essential", "detailed"] | None
    max_metric_tenants: int | None
    spool_path: str | PathLike[str] | None
    spool_bytes: int | None
    slow_call_s: float | None
    log_errors: bool | None
    trace_link: bool | None
    sigterm: Literal["default", "chain", "off"] | None
    billed_bytes: Literal["request+response", "response", "request", "max"] | None
    tenant_columns: Collection[str] | str | None
    tenant_variables: Collection[str] | str | None
    tenant_sources: Sequence[str | TenantSource] | str | None
    tenant_tables: Collection[str] | str | None
    tenant_schema: str | PathLike[str] | None
    tenant_shared_rows: bool | None
    tenant_trust_updates: bool | None
    tenant_functions: Collection[str] | str | None
    tenant_setters: Collection[str] | str | None
    tenant_comment_keys: Collection[str] | str | None
    tenant_schema_pattern: str | None
    tenant_database_pattern: str | None
    tenant_role_pattern: str | None
    strict: bool | Literal["warn"] | None
    strict_exempt_statements: Collection[str] | str | None
    strict_exempt_tables: Collection[str] | str | None
    strict_exempt_clients: Collection[str] | str | None
    max_plans: int | None
    max_transactions: int | None
    transaction_idle_s: float | None
