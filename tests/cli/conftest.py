"""An AWS account for commands: moto's server over HTTP."""

import urllib.request

import boto3
import pytest
from moto.server import ThreadedMotoServer


@pytest.fixture
def cloudwatch(monkeypatch, tmp_path):
    """An empty account, and the working folder where undo files go."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    # moto keeps its accounts in the process, from one server to the next.
    request = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    client = boto3.client("cloudwatch", region_name="eu-west-1")
    yield client
    client.close()
    server.stop()
