"""EMF: every document is valid and within the limits, its values and counts sum to the window."""

import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections import defaultdict

import jsonschema
import pytest
from aws_embedded_metrics.config import get_config

from tenantmetrics import limits
from tenantmetrics.catalog import Level
from tenantmetrics.errors import ConfigError
from tenantmetrics.export.base import ExportError
from tenantmetrics.export.emf import EmfExporter, documents
from tenantmetrics.records import OK, Window

# The specification's rules as a JSON Schema (CloudWatch user guide, "Specification: embedded
# metric format"): a target member is a number, an array of numbers, or values with their counts.
TARGET = {
    "anyOf": [
        {"type": "number"},
        {"type": "array", "items": {"type": "number"}, "maxItems": 100},
        {
            "type": "object",
            "required": ["Values", "Counts"],
            "properties": {
                name: {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 100,
                    "items": {"type": "number", "minimum": 0},
                }
                for name in ("Values", "Counts")
            },
            "additionalProperties": False,
        },
    ]
}
SCHEMA = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 10**12},
                "LogGroupName": {"type": "string", "minLength": 1, "maxLength": 512},
                "LogStreamName": {"type": "string", "minLength": 1, "maxLength": 512},
                "CloudWatchMetrics": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "additionalProperties": False,
                        "properties": {
                            "Namespace": {"type": "string", "minLength": 1, "maxLength": 1024},
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "array",
                                    "maxItems": 30,
                                    "items": {"type": "string", "minLength": 1, "maxLength": 250},
                                },
                            },
                            "Metrics": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "additionalProperties": False,
                                    "properties": {
                                        "Name": {"type": "string", "minLength": 1},
                                        "Unit": {"enum": ["Milliseconds", "Count", "Bytes"]},
                                    },
                                },
                            },
                        },
                    },
                },
            },
            "additionalProperties": False,
        }
    },
}
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
TARGET_VALIDATOR = jsonschema.Draft202012Validator(TARGET)


def checked(line):
    """A document that is valid, references included."""
    document = json.loads(line)
    VALIDATOR.validate(document)
    assert len(line.encode()) <= limits.EMF_MAX_BYTES
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for dimensions in directive["Dimensions"]:
            for name in dimensions:
                assert isinstance(document[name], str)
        for metric in directive["Metrics"]:
            TARGET_VALIDATOR.validate(document[metric["Name"]])
    return document


def written(window, **settings):
    made = {
        "namespace": "Shop",
        "level": Level.ESSENTIAL,
        "max_tenants": 10_000,
        "meta": {},
        **settings,
    }
    return [checked(line) for line in documents(window, **made)]


def sums(found):
    """Per tenant: duration in ns, calls, errors, billed requests, load in ns."""
    rows = defaultdict(lambda: [0, 0, 0, 0, 0])
    for document in found:
        tenant = document.get("TenantId", "")
        if "DatabaseDuration" in document:
            duration, errors = document["DatabaseDuration"], document["DatabaseErrors"]
            row = rows[tenant]
            pairs = zip(duration["Values"], duration["Counts"], strict=True)
            row[0] += round(sum(value * count for value, count in pairs) * 1e6)
            row[1] += sum(errors["Counts"])
            assert sum(duration["Counts"]) == sum(errors["Counts"])
            row[2] += sum(v * c for v, c in zip(errors["Values"], errors["Counts"], strict=True))
            load = document["DatabaseLoad"]
            row[3] += sum(load["Counts"])
            row[4] += round(load["Values"][0] * load["Counts"][0] * 1e6)
    return dict(rows)


def expected(window):
    rows = defaultdict(lambda: [0, 0, 0, 0, 0])
    for key, one in window.series.items():
        for name in (key.tenant, ""):
            row = rows[name]
            row[0] += one.duration_ns
            row[1] += one.calls
            row[2] += one.calls if key.outcome != OK else 0
            row[3] += one.billed_requests
    for tenant, load_ns in window.load_ns.items():
        for name in (tenant, ""):
            rows[name][4] += load_ns
    return dict(rows)


def test_values_and_counts_sum_to_the_window(real_window):
    """Exactly, for each tenant and for the fleet, every document valid."""
    window = real_window(300)
    assert sums(written(window)) == expected(window)


def test_detailed_documents_are_valid_too(real_window):
    """Operations by outcome stand in documents of their own: their dimensions differ."""
    window = real_window(40, losses={"queue_full": 2}, export_failures={"otlp": 1})
    found = written(window, level=Level.DETAILED)
    calls = sum(one["DatabaseOperations"] for one in found if "DatabaseOperations" in one)
    assert calls == sum(one.calls for one in window.series.values())
    assert [one["CallsDropped"] for one in found if one.get("Reason") == "queue_full"] == [2]
    assert [one["ExportFailures"] for one in found if one.get("Exporter") == "otlp"] == [1]


def test_every_document_says_which_window_it_is_of(real_window):
    """CloudWatch Logs may deliver twice: writer and window tell which documents are copies."""
    window = real_window(5, sequence=9)
    identities = {
        (one["Writer"], one["WindowStart"], one["WindowSequence"]) for one in written(window)
    }
    assert identities == {("writer-1", window.start_s, 9)}
    assert len({one.get("TenantId") for one in written(window)}) == len(written(window))


LAMBDA = textwrap.dedent("""
    import logging, sys, threading
    import tenantmetrics
    from benchmarks._stub import CLUSTER, SECRET, client

    rds = tenantmetrics.instrument(client())

    @tenantmetrics.lambda_handler
    def handler(event, context):
        for tenant in ("acme", "bee"):
            with tenantmetrics.tenant(tenant):
                rds.execute_statement(resourceArn=CLUSTER, secretArn=SECRET, sql="SELECT 1")
        with tenantmetrics.tenant("acme"):  # and says otherwise itself: a conflict, which is logged
            rds.execute_statement(
                resourceArn=CLUSTER, secretArn=SECRET, sql="SELECT 1 FROM b WHERE tenant_id = 'bee'"
            )
        tenantmetrics.process.current().health.count("hook_error", 1, where="test")
        return {"ok": True}

    for _ in range(3):
        assert handler({}, None) == {"ok": True}
    print("END", flush=True)
""")


def test_in_lambda_nothing_but_emf_goes_to_stdout():
    """The default there is EMF; an invocation's numbers are out before its handler returns."""
    environment = {
        name: value for name, value in os.environ.items() if name != "TENANTMETRICS_EXPORTERS"
    } | {"AWS_LAMBDA_FUNCTION_NAME": "shop"}
    done = subprocess.run(
        [sys.executable, "-c", LAMBDA],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = done.stdout.splitlines()
    end = lines.index("END")
    found = [checked(line) for line in lines[:end] + lines[end + 1 :]]
    before_the_end = sums(checked(line) for line in lines[:end])
    assert {name: row[1] for name, row in before_the_end.items()} == {"": 9, "acme": 6, "bee": 3}
    assert [one["CallsDropped"] for one in found if one.get("Reason") == "hook_error"]
    assert '"reason": "hook_error"' in done.stderr
    assert '"kind": "sources_disagree"' in done.stderr
    assert sum(one.get("TenantConflicts", 0) for one in found) == 3


class Agent:
    """A TCP listener like the CloudWatch agent's: reads lines until the other side ends."""

    def __init__(self):
        self.lines = []
        self.connections = 0
        self.behave = "read"
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while True:
            connection, _ = self._socket.accept()
            with connection:
                self.connections += 1
                if self.behave == "stop":
                    return
                if self.behave == "reset":
                    connection.recv(10)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    continue
                with connection.makefile("rb") as file:
                    self.lines += file.read().decode().splitlines()

    def close(self):
        self.behave = "stop"
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join(10)
        self._socket.close()


@pytest.fixture
def agent(monkeypatch):
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    made = Agent()
    monkeypatch.setattr(get_config(), "agent_endpoint", f"tcp://127.0.0.1:{made.port}")
    yield made
    made.close()


def exporter():
    return EmfExporter(namespace="Shop", level=Level.ESSENTIAL, max_tenants=10_000)


def in_s(seconds):
    return time.monotonic() + seconds


def test_outside_lambda_documents_go_to_the_agent(agent, real_window):
    """Over TCP, with a log group, all of them."""
    window = real_window(250)
    exporter().export([window], in_s(20))
    found = [checked(line) for line in agent.lines]
    assert sums(found) == expected(window)
    assert {one["_aws"]["LogGroupName"] for one in found} == {"tenantmetrics"}
    assert agent.connections == 3


def test_no_agent_is_a_failure_that_may_be_tried_again(agent, real_window, monkeypatch):
    """Connection refused: nothing was written."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    monkeypatch.setattr(get_config(), "agent_endpoint", f"tcp://127.0.0.1:{port}")
    window = real_window(2)
    with pytest.raises(ExportError) as caught:
        exporter().export([window], in_s(2))
    assert caught.value.failed == (window,)


def test_an_agent_that_dies_while_reading_makes_the_window_uncertain(agent, real_window):
    """The library's own client would have dropped it in silence."""
    agent.behave = "reset"
    window = real_window(50)
    with pytest.raises(ExportError) as caught:
        exporter().export([window], in_s(2))
    assert caught.value.uncertain == (window,)


def test_documents_go_out_over_udp(monkeypatch, real_window):
    """One datagram a document."""
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    window = real_window(10)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        monkeypatch.setattr(
            get_config(), "agent_endpoint", f"udp://127.0.0.1:{receiver.getsockname()[1]}"
        )
        exporter().export([window], in_s(5))
        found = [checked(receiver.recv(65_536).decode()) for _ in range(11)]
    assert sums(found) == expected(window)


def test_documents_older_than_cloudwatch_takes_are_given_up(agent, real_window):
    """Refused before anything is written."""
    old = real_window(1, start_s=int(time.time()) - 15 * 86_400)
    with pytest.raises(ExportError) as caught:
        exporter().export([old], in_s(2))
    assert caught.value.rejected == (old,)
    assert agent.connections == 0


@pytest.mark.parametrize("endpoint", ["localhost:25888", "http://agent:1", "tcp://agent"])
def test_an_agent_endpoint_that_is_none_is_told_at_start(monkeypatch, endpoint):
    """One error that names the variable."""
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    monkeypatch.setenv("AWS_EMF_AGENT_ENDPOINT", endpoint)
    with pytest.raises(ConfigError, match="AWS_EMF_AGENT_ENDPOINT"):
        exporter()


def test_an_agent_endpoint_that_the_program_sets_is_read_with_the_first_export(monkeypatch):
    """By the library's own settings; what is wrong with it fails the export and is not guessed."""
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    made = exporter()
    monkeypatch.setattr(get_config(), "agent_endpoint", "tcp://agent")
    with pytest.raises(ConfigError, match="tcp://agent"):
        made.export([Window(0, 60, "w", 0, {}, {})], in_s(5))


def test_a_window_of_losses_alone_is_written(agent):
    """No calls, and still it is said what was lost."""
    window = Window(int(time.time()) // 60 * 60, 60, "w", 0, {}, {"closed": 4})
    exporter().export([window], in_s(5))
    found = [checked(line) for line in agent.lines]
    assert [one["CallsDropped"] for one in found if "CallsDropped" in one] == [4]
