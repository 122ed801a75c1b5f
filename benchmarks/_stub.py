"""An `rds-data` client whose HTTP is answered in the process: what is left is Python's time."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

CLUSTER = "arn:aws:rds:us-east-1:123456789012:cluster:bench"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:bench"
_BODY = json.dumps({"records": [[{"longValue": 1}]], "numberOfRecordsUpdated": 0}).encode()


class _Raw:
    def stream(self, **_: Any) -> Any:
        yield _BODY


def _answer(request: Any, **_: Any) -> Any:
    headers: Any = {"content-type": "application/json"}
    return AWSResponse(request.url, 200, headers, _Raw())


def client() -> Any:
    """Make a plain client; nothing leaves the process."""
    made = boto3.client(
        "rds-data",
        region_name="us-east-1",
        aws_access_key_id="bench",
        aws_secret_access_key="bench",
        config=Config(retries={"mode": "standard"}),
    )
    made.meta.events.register("before-send.rds-data", _answer)
    return made
