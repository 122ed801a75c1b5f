"""Whose a call is, and who may say so."""

import json

import boto3
import pytest

import tenantmetrics
from tenantmetrics.process import current


@pytest.fixture
def kept_of(scripted, body):
    """What is recorded of one call with headers."""

    def kept_of(running, sql="SELECT 1", **headers):
        running.post(body=body(sql), **headers)
        return running.recorded()

    return kept_of


def test_a_header_names_the_tenant_only_where_that_was_asked_for(sidecar, scripted, kept_of):
    """Everybody may set one: without the option it is nothing."""
    assert kept_of(sidecar(scripted.url), x_tenant_id="acme").tenants() == {"__unattributed__"}
    running = sidecar(scripted.url, tenant_header="x-tenant-id")
    assert kept_of(running, x_tenant_id="acmé".encode()).tenants() == {"acmé"}
    assert all("x-tenant-id" not in dict(seen.headers) for seen in scripted.seen)


def test_a_header_that_disagrees_with_the_sql_is_a_conflict(sidecar, scripted, kept_of):
    """The header is believed, as the explicit tenant is, and the conflict counted."""
    running = sidecar(scripted.url, tenant_header="x-tenant-id")
    kept = kept_of(running, "SELECT 1 FROM t WHERE tenant_id = 'bee'", x_tenant_id="acme")
    assert kept.tenants() == {"acme"}
    assert sum(window.misuses.get("sources_disagree", 0) for window in kept.windows) == 1


def test_two_tenant_headers_are_refused(sidecar, scripted, body):
    """Which one would count is nobody's to guess."""
    running = sidecar(scripted.url, tenant_header="x-tenant-id")
    content = body()
    head = (
        "POST /Execute HTTP/1.1\r\nHost: localhost\r\nX-Tenant-Id: a\r\nx-tenant-id: b\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    assert b" 400 " in running.raw(head.encode() + content).split(b"\r\n")[0]
    assert not scripted.seen


def test_strict_refuses_in_the_data_apis_form_and_sends_nothing(sidecar, scripted, body):
    """With the reason; boto3 raises it as the service's own."""
    running = sidecar(scripted.url, configuration={"strict": True}, tenant_header="x-tenant-id")
    client = running.client()
    with pytest.raises(client.exceptions.ForbiddenException, match="tenant"):
        client.execute_statement(**json.loads(body("SELECT 1 FROM t")))
    assert not scripted.seen
    assert running.post(body=body("SELECT 1 FROM t"), x_tenant_id="acme").status == 200
    assert running.recorded().calls() == 1


@pytest.mark.parametrize("counted", [False, True])
def test_a_call_is_counted_once_behind_an_instrumented_client(
    sidecar, scripted, body, fresh_pipeline, counted
):
    """By the client, which knows its context; by both only where that was asked for."""
    del fresh_pipeline
    running = sidecar(scripted.url, count_marked=counted)
    client = tenantmetrics.instrument(running.client())
    with tenantmetrics.tenant("acme"):
        client.execute_statement(**json.loads(body()))
    assert current().stats()["calls"] == 1
    assert running.recorded().calls() == int(counted)
    assert running.operations.marked == int(not counted)


def test_a_client_of_aws_itself_sends_no_mark():
    """Nothing of ours reaches AWS."""
    sent = []

    class Sent(Exception):  # noqa: N818 - the end of a test's request
        pass

    def stop(request, **_):
        sent.append({name.lower() for name in request.headers})
        raise Sent

    client = tenantmetrics.instrument(
        boto3.client(
            "rds-data",
            region_name="eu-west-1",
            aws_access_key_id="A",
            aws_secret_access_key="S",
        )
    )
    client.meta.events.register("before-send", stop)
    arn = "arn:aws:rds:eu-west-1:1:cluster:c"
    with pytest.raises(Sent):
        client.execute_statement(resourceArn=arn, secretArn=arn, sql="SELECT 1")
    assert sent
    assert "x-tenantmetrics-metered" not in sent[0]
