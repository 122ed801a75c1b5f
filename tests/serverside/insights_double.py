"""Performance Insights: an HTTP double that takes botocore's service model as its contract.

Requests are read and answers are written by botocore's own parsers and serialisers, in whichever
protocol the client speaks; both are held against every limit that the model states.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler

import botocore.session
from botocore.model import OperationModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

__all__ = ["HOUR", "NOON", "Double", "handler"]

MODEL = botocore.session.get_session().get_service_model("pi")
NOON = 1_795_867_200  # 2026-11-28 12:00:00 UTC
HOUR = 3_600


class _Answer(OperationModel):
    """The operation with its output where botocore's serialisers look for its input."""

    input_shape = property(lambda self: self.output_shape)


def faults(shape, value, path=""):
    """What of a value is not as the model says."""
    limits = shape.metadata
    if shape.type_name == "structure":
        unknown = sorted(set(value) - set(shape.members))
        missing = sorted(set(shape.required_members) - set(value))
        found = [f"{path}: {names}" for names in (unknown, missing) if names]
        for name, member in value.items():
            if name in shape.members:
                found += faults(shape.members[name], member, f"{path}.{name}")
        return found
    if shape.type_name == "list":
        found = [fault for member in value for fault in faults(shape.member, member, f"{path}[]")]
        size = len(value)
    elif shape.type_name == "map":
        found = [f for key in value for f in faults(shape.key, key, f"{path} key")]
        found += [f for member in value.values() for f in faults(shape.value, member, path)]
        size = len(value)
    elif shape.type_name == "string":
        pattern = limits.get("pattern")
        wrong = pattern is not None and not re.search(pattern, value)
        wrong = wrong or (bool(shape.enum) and value not in shape.enum)
        found, size = ([f"{path}: {value!r}"] if wrong else []), len(value)
    else:
        found, size = [], value
    if "min" in limits and size < limits["min"]:
        found.append(f"{path}: less than {limits['min']}")
    if "max" in limits and size > limits["max"]:
        found.append(f"{path}: more than {limits['max']}")
    return found


class Double:
    """Performance Insights of some instances.

    Attributes:
        load: Instance → dimension → name → start of the hour → average active sessions.
        requests: What was asked.
        failing: Error codes and statuses that the next requests get instead of an answer.
    """

    def __init__(self):
        self.load = {}
        self.requests = []
        self.failing = []

    def answer(self, asked):
        operation = MODEL.operation_model("GetResourceMetrics")
        self.requests.append(asked)
        if self.failing:
            return self.failing.pop(0)
        if wrong := faults(operation.input_shape, asked):
            return ("InvalidArgumentException", 400, "; ".join(wrong))
        if asked["PeriodInSeconds"] not in {1, 60, 300, 3600, 86400}:
            return ("InvalidArgumentException", 400, "PeriodInSeconds")
        if asked["Identifier"] not in self.load:
            return ("NotAuthorizedException", 400, "no such resource")
        start_s, end_s = (asked[name].timestamp() for name in ("StartTime", "EndTime"))
        if start_s % HOUR or end_s % HOUR or start_s >= end_s:
            return ("InvalidArgumentException", 400, "StartTime")
        shift_s = 0 if asked.get("PeriodAlignment") == "START_TIME" else HOUR
        series = [
            {
                "Key": key,
                "DataPoints": [
                    {"Timestamp": datetime.fromtimestamp(at + shift_s, UTC), "Value": hours[at]}
                    for at in sorted(hours)
                    if start_s <= at < end_s
                ],
            }
            for query in asked["MetricQueries"]
            for key, hours in self._query(asked["Identifier"], query, start_s, end_s)
        ]
        first = int(asked.get("NextToken", "0"))
        last = first + asked.get("MaxResults", 25)
        answer = {
            "AlignedStartTime": asked["StartTime"],
            "AlignedEndTime": asked["EndTime"],
            "Identifier": asked["Identifier"],
            "MetricList": series[first:last],
        }
        if last < len(series):
            answer["NextToken"] = str(last)
        assert faults(operation.output_shape, answer) == []
        return answer

    def _query(self, instance, query, start_s, end_s):
        """The series of a query: all, and then the largest of its group."""
        metric = {"Metric": query["Metric"]}
        group = query.get("GroupBy", {}).get("Group", "db.application")
        inside = {
            name: {at: load for at, load in hours.items() if start_s <= at < end_s}
            for name, hours in self.load[instance].get(group, {}).items()
            if query.get("Filter", {}).get(f"{group}.name", name) == name
        }
        total = {}
        for hours in inside.values():
            for at, load in hours.items():
                total[at] = total.get(at, 0.0) + load
        yield metric, total
        if "GroupBy" in query:
            largest = sorted(inside, key=lambda name: -sum(inside[name].values()))
            for name in largest[: query["GroupBy"].get("Limit", 25)]:
                if inside[name]:
                    yield metric | {"Dimensions": {f"{group}.name": name}}, inside[name]


def _text(text):
    """A string in CBOR."""
    data = text.encode()
    return b"\x79" + len(data).to_bytes(2, "big") + data


def handler(state):
    """What answers HTTP requests for a double."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            cbor = self.headers.get("smithy-protocol") == "rpc-v2-cbor"
            protocol = "smithy-rpc-v2-cbor" if cbor else "json"
            operation = MODEL.operation_model("GetResourceMetrics")
            received = {"body": body, "headers": dict(self.headers), "status_code": 200}
            asked = create_parser(protocol).parse(received, operation.input_shape)
            asked.pop("ResponseMetadata")
            answer = state.answer(asked)
            status = 200
            if isinstance(answer, tuple):
                code, status, message = answer
                content = json.dumps({"__type": code, "message": message}).encode()
                if cbor:
                    parts = ["__type", code, "message", message]
                    content = b"\xbf" + b"".join(map(_text, parts)) + b"\xff"
            else:
                model = _Answer(operation._operation_model, MODEL, "GetResourceMetrics")
                content = create_serializer(protocol).serialize_to_request(answer, model)["body"]
            self.send_response(status)
            if cbor:
                self.send_header("smithy-protocol", "rpc-v2-cbor")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            """Quiet."""

    return Handler
