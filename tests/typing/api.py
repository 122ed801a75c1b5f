"""User code that is type-checked and never run: what an engineer's editor must understand."""

from __future__ import annotations

from typing import Any, assert_type

import boto3
from fastapi import FastAPI
from flask import Flask
from mypy_boto3_rds_data import RDSDataServiceClient
from mypy_boto3_rds_data.type_defs import ExecuteStatementResponseTypeDef
from sqlalchemy import create_engine

import tenantmetrics
from tenantmetrics.integrations import asgi, wsgi
from tenantmetrics.integrations.awslambda import http_handler
from tenantmetrics.integrations.identity import FromFunction, FromJwt, Identity, WebRequest
from tenantmetrics.integrations.sqlalchemy import set_tenant_at_begin


def swap_one_import() -> None:
    """The drop-in knows every service's type, as boto3 itself does with boto3-stubs."""
    client = tenantmetrics.client("rds-data", region_name="us-east-1")
    assert_type(client, RDSDataServiceClient)
    answer = client.execute_statement(resourceArn="…", secretArn="…", sql="SELECT 1")
    assert_type(answer, ExecuteStatementResponseTypeDef)
    tenantmetrics.client("s3").list_buckets()


def instrument_what_exists() -> None:
    """What goes in comes out, type and all."""
    session = tenantmetrics.instrument(boto3.Session())
    assert_type(session, boto3.Session)
    client = tenantmetrics.instrument(boto3.client("rds-data"))
    assert_type(client, RDSDataServiceClient)
    assert_type(tenantmetrics.uninstrument(client), RDSDataServiceClient)
    tenantmetrics.instrument()
    tenantmetrics.uninstrument()


def name_a_tenant() -> None:
    """A context manager around the calls of one tenant."""
    with tenantmetrics.tenant("acme"):
        pass


def tell_postgresql_its_tenant() -> None:
    """One name for the block and for what belongs to it."""
    client = tenantmetrics.client("rds-data")
    with tenantmetrics.rls(client, tenant="acme", resourceArn="…", secretArn="…") as tx:
        assert_type(tx.execute("SELECT 1"), dict[str, Any])
    context = tenantmetrics.rls.Context(tenant="acme")
    tenantmetrics.rls.batch(client, context, ["SELECT 1"], resourceArn="…", secretArn="…")
    answer = tenantmetrics.rls.execute(client, "SELECT 1", resourceArn="…", secretArn="…")
    assert_type(answer, dict[str, Any])


def find_the_tenant_of_a_request() -> None:
    """A function of one's own beside what there is."""

    def by_key(request: WebRequest) -> str | None:
        return request.header("X-Api-Key")

    identity = Identity(
        FromJwt("tenant_id", key="…", algorithms=["HS256"]),
        FromFunction(by_key),
        exempt=["/health"],
    )
    asgi.TenantMiddleware(FastAPI(), identity)
    wsgi.TenantMiddleware(Flask("app"), identity)
    set_tenant_at_begin(create_engine("postgresql+psycopg://"))

    @http_handler(identity)
    def handler(event: dict[str, Any], context: object) -> int:
        return len(event)

    assert_type(handler({}, None), int)


def look_after_the_process() -> None:
    """Settings, figures and an orderly end."""
    tenantmetrics.configure(exporters=["ledger:/var/lib/tenantmetrics"], flush_interval_s=30)
    tenantmetrics.configure(strict="warn", slow_call_s=0.5)
    tenantmetrics.configure(strct=True)  # type: ignore[call-arg]  # a typing error is found here
    assert_type(tenantmetrics.flush(timeout_s=5), bool)
    assert_type(tenantmetrics.shutdown(), bool)
    losses: dict[str, int] = tenantmetrics.stats()["losses"]
    assert_type(losses, dict[str, int])
